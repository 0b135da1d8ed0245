"""Which clips of a person's folder a model learnt from, and which were held out: by what they show, not by their names.

The split of a folder is another one as soon as a file is added or removed. So the model keeps what it was, and its
held-out measure stays one of clips that it never saw.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from training.data.errors import DataError
from training.data.videos import STRETCH, VideoFolder, cut_into

SHOWN = 5  # names in a line


@dataclass(frozen=True, slots=True)
class Sides:
    """The clips of both sides: of each its name, and what it is known by (the file's digest, and which scene)."""

    training: dict[str, str]
    held_out: dict[str, str]

    @classmethod
    def of(cls, found: VideoFolder, training: list[int], held_out: list[int]) -> "Sides":
        """Note a split of these clips, given by their numbers."""
        known = known_by(found)
        return cls(*({found.names[number]: known[number] for number in side} for side in (training, held_out)))

    @classmethod
    def stated(cls, config: Mapping[str, Any]) -> "Sides | None":
        """What a model's config or a run says; None where it says nothing."""
        stated = (config.get("training") or {}).get("clips")
        return cls(**stated) if stated else None

    def to_json(self) -> dict[str, dict[str, str]]:
        """Return plain values, for `stated` to read."""
        return asdict(self)

    def cut(self, found: VideoFolder) -> VideoFolder:
        """Cut the clips into stretches that were cut then, when they were alone, and no others."""
        known = [*self.training.values(), *self.held_out.values()]
        stretches = [sum(one.startswith(f"{clip}{STRETCH}") for one in known) for clip in known_by(found)]
        return cut_into(found, [max(1, count) for count in stretches])

    def split(self, found: VideoFolder) -> tuple[list[int], list[int]]:
        """The numbers of the clips of each side that are there; a new clip is on neither.

        Raises:
            DataError: a side has none left.

        """
        known = known_by(found)
        sides = []
        for side, what in ((self.training, "that it learnt from"), (self.held_out, "that were held out for it")):
            there = [number for number, one in enumerate(known) if one in side.values()]
            if not there:
                raise DataError(f"of the clips {what} none is in the folder, as it was then: {listed(side)}")
            sides.append(there)
        return sides[0], sides[1]

    def changes(self, now: Mapping[str, str]) -> list[str]:
        """Say which clips are not there any more, as they were, and which are new; nothing where all are the same."""
        before = self.training | self.held_out
        gone = [name for name, known in before.items() if known not in now.values()]
        new = [name for name, known in now.items() if known not in before.values()]
        sides = (("gone or changed since then", gone), ("new since then", new))
        return [f"{what}: {listed(names)}" for what, names in sides if names]


def known_by(found: VideoFolder) -> list[str]:
    """What each clip is known by, whatever its file is called."""
    pairs = zip(found.names, found.files, strict=True)
    return [found.digests[file] + name.removeprefix(file) for name, file in pairs]


def listed(names: Mapping[str, str] | list[str]) -> str:
    """Some names, and how many more there are."""
    first = list(names)[:SHOWN]
    return ", ".join(first) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
