"""The KTH actions: 25 persons in 6 actions and 4 scenarios, cut to the stretches in which somebody is seen.

A file is `person01_boxing_d1_uncomp.avi`, 160 × 120 at 25 frames a second, grey; there are 599 of 25 × 6 × 4, since
person13_handclapping_d3 was never published. They come from www.csc.kth.se/cvap/actions/, one archive an action
(Schuldt, Laptev & Caputo 2004, "Recognizing human actions: a local SVM approach", ICPR); the terms of use are on that
page. They may lie in one folder or in a folder an action.

People walk, jog and run through an empty picture several times a file. Where they are seen is stated by the set's own
`00sequences.txt`, from the same page; a copy anywhere below the folder is used. Without it the three actions that
cross the picture are cut by `seen_stretches`; the others, in which nobody leaves, are one stretch a file. (The authors
of DrNET published lists of their own, whose address is dead.) A stretch is a clip, and its frames are in order. The
whole picture is averaged to a square, as DrNET has it, so the aspect is not kept.

Two splits by person are in use, and numbers of one say nothing about the other: 1 to 20 and 21 to 25 (DrNET, SVG), 1
to 16 and 17 to 25 (PredRNN, E3D-LSTM, OpenSTL).
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from av.error import FFmpegError
from jaxtyping import Bool, UInt8
from PIL import Image
from rich.progress import track
from torch import Tensor

from training.data.area import area_average
from training.data.errors import DataError
from training.data.labels import Labels
from training.data.pool import ClipPool
from training.data.videos import pictures

Split = Literal["train", "test"]
Persons = Literal["drnet", "predrnn"]

PERSONS: dict[Persons, dict[Split, range]] = {
    "drnet": {"train": range(1, 21), "test": range(21, 26)},
    "predrnn": {"train": range(1, 17), "test": range(17, 26)},
}
ACTIONS = ("boxing", "handclapping", "handwaving", "jogging", "running", "walking")
CROSSING = {"jogging", "running", "walking"}  # people enter and leave the picture
SCENARIOS = {1: "outdoors", 2: "outdoors, scale varies", 3: "outdoors, other clothes", 4: "indoors"}
NUM_FILES = 599
KEY = rf"person(\d\d)_({'|'.join(ACTIONS)})_d([1-4])"
SEQUENCES = "00sequences.txt"
DRAWN = 4  # frames of a training example: a shorter stretch is of no use

# `seen_stretches`; of its pictures, which are small so that noise is averaged out
GRID = (30, 40)
CHANGE = 12  # grey levels
SHARE = 0.005
GAP = 5  # frames
BRIEFEST = 8  # frames; nobody crosses the picture in a third of a second


@dataclass(frozen=True, slots=True)
class Recording:
    """One file, and what its name says."""

    path: Path
    person: int
    action: str
    scenario: int

    @property
    def key(self) -> str:
        """Its name in `00sequences.txt`."""
        return self.path.name.removesuffix("_uncomp.avi")


@dataclass(frozen=True, slots=True)
class Stretch:
    """A clip: consecutive frames of one file, counted from 0."""

    recording: Recording
    frames: range


@dataclass(frozen=True, slots=True)
class Performances:
    """The clips of a split, frames one after the other in the order of the stretches, and what was left out and why."""

    frames: UInt8[Tensor, "n s s"]
    stretches: list[Stretch]
    left_out: dict[str, str]

    @classmethod
    def load(
        cls, folder: Path, split: Split, size: int = 64, persons: Persons = "drnet", min_frames: int = DRAWN
    ) -> "Performances":
        """Decode the files of a split; a frame takes 4 kB at a size of 64.

        Raises:
            DataError: there are no files, or none that can be used, or the list of stretches cannot be read.

        """
        chosen = [one for one in find_recordings(folder) if one.person in PERSONS[persons][split]]
        listed = read_sequences(folder)
        frames: list[np.ndarray] = []
        stretches: list[Stretch] = []
        left_out: dict[str, str] = {}
        for recording in track(chosen, f"decoding {split} videos"):
            scaled, small, fault = decode_recording(recording, size)
            if listed is not None and recording.key not in listed:
                raise DataError(f"{SEQUENCES} does not list {recording.key}; take the whole list, or none")
            wanted = listed[recording.key] if listed is not None else seen_in(recording, small)
            there = [range(one.start, min(one.stop, len(scaled))) for one in wanted]
            used = [one for one in there if len(one) >= min_frames]
            frames += [scaled[one.start : one.stop] for one in used]
            stretches += [Stretch(recording, one) for one in used]
            if fault or len(used) < len(wanted) or not used:
                lost = f"{len(scaled)} frames, {len(used)} of {len(wanted)} stretches used"
                left_out[recording.key] = f"{fault}: {lost}" if fault else lost
        if not stretches:
            who = PERSONS[persons][split]
            why = "; ".join(f"{name}: {lack}" for name, lack in left_out.items()) or "there are no files of them"
            raise DataError(f"{folder} has no clip of the persons {who[0]} to {who[-1]} ({split}): {why}")
        return cls(torch.from_numpy(np.concatenate(frames)), stretches, left_out)

    def pool(self) -> ClipPool:
        """The clips with three equal channels, which take the memory of one."""
        lengths = torch.tensor([len(stretch.frames) for stretch in self.stretches])
        return ClipPool(self.frames[..., None].expand(-1, -1, -1, 3), lengths.cumsum(0) - lengths, lengths)

    def labels(self) -> Labels:
        """What the files' names say of the pool's clips; an action is its place in `ACTIONS`."""
        of = [stretch.recording for stretch in self.stretches]
        return Labels(
            {
                "action": np.array([ACTIONS.index(one.action) for one in of]),
                "scenario": np.array([one.scenario for one in of]),
                "person": np.array([one.person for one in of]),
            },
            whose=("person",),
        )


def find_recordings(folder: Path) -> list[Recording]:
    """The files below a folder, in the order of their names.

    Raises:
        DataError: there are none, or one is there twice.

    """
    found: dict[str, Recording] = {}
    for path in sorted(folder.rglob("person*_uncomp.avi"), key=lambda path: (path.name, path)):
        if not (said := re.fullmatch(rf"{KEY}_uncomp\.avi", path.name)):
            continue
        if path.name in found:
            raise DataError(f"{path.name} is there twice: {found[path.name].path} and {path}")
        found[path.name] = Recording(path, int(said[1]), said[2], int(said[3]))
    if not found:
        raise DataError(
            f"{folder} has no files like person01_boxing_d1_uncomp.avi; they are at www.csc.kth.se/cvap/actions/"
        )
    return list(found.values())


def decode_recording(
    recording: Recording, size: int
) -> tuple[UInt8[np.ndarray, "t size size"], UInt8[np.ndarray, "t gy gx"], str]:
    """Every frame in grey at two sizes, the model's and `GRID`, and what is wrong with the file, if anything.

    Frames before a fault are kept: the published person01_boxing_d4 breaks off.
    """
    scaled, small, fault = [], [], ""
    try:
        for picture in pictures(recording.path):
            grey = np.asarray(Image.fromarray(np.ascontiguousarray(picture)).convert("L"))
            scaled.append(area_average(grey, size, size))
            small.append(area_average(grey, *GRID))
    except FFmpegError as error:
        fault = f"cannot be decoded further ({error.strerror})"
    return (
        np.array(scaled, np.uint8).reshape(-1, size, size),
        np.array(small, np.uint8).reshape(-1, *GRID),
        fault,
    )


def seen_in(recording: Recording, small: UInt8[np.ndarray, "t gy gx"]) -> list[range]:
    """The stretches of a file that no list has."""
    return seen_stretches(small) if recording.action in CROSSING else [range(len(small))]


def seen_stretches(small: UInt8[np.ndarray, "t gy gx"]) -> list[range]:
    """Where somebody is in a picture that is empty for much of the time, taken by a camera that stands still.

    The background is each pixel's median over the file: whoever crosses the picture is at no place for half of the
    time. A frame shows somebody where at least `SHARE` of its pixels differ from the background by more than
    `CHANGE`, once the median difference, a change of the light, is taken off. Gaps of up to `GAP` frames are closed,
    for people as grey as the wall behind them, and stretches below `BRIEFEST` frames are dropped. Where the camera
    zooms, as it may in scenario 2, empty frames can count as seen: the set's own list is the better guide.
    """
    if not len(small):
        return []
    difference = small.astype(np.float32) - np.median(small, axis=0)
    difference -= np.median(difference, axis=(1, 2), keepdims=True)
    seen = (np.abs(difference) > CHANGE).mean(axis=(1, 2)) >= SHARE
    return [one for one in closed(runs(seen), GAP) if len(one) >= BRIEFEST]


def runs(seen: Bool[np.ndarray, " t"]) -> list[range]:
    """The stretches of frames that are true."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], seen, [False]]).astype(np.int8)))
    return [range(first, end) for first, end in edges.reshape(-1, 2).tolist()]


def closed(stretches: list[range], gap: int) -> list[range]:
    """Stretches in order, joined where at most `gap` frames are between them."""
    joined: list[range] = []
    for one in stretches:
        if joined and one.start - joined[-1].stop <= gap:
            joined[-1] = range(joined[-1].start, one.stop)
        else:
            joined.append(one)
    return joined


def read_sequences(folder: Path) -> dict[str, list[range]] | None:
    """The stretches of every file, as `00sequences.txt` states them, counted from 0; None where there is no list.

    A line is `person01_boxing_d1  frames  1-95, 96-185`: first and last frames, counted from 1. Some stretches overlap.
    The hole is marked `*missing*`. What stands before the lines says who the persons of the set's own split are.

    Raises:
        DataError: a line cannot be read.

    """
    path = next(iter(sorted(folder.rglob(SEQUENCES))), None)
    if path is None:
        return None
    listed: dict[str, list[range]] = {}
    for number, line in enumerate(path.read_text(encoding="latin-1").splitlines(), 1):
        if not (said := re.match(rf"\s*({KEY})\b(.*)", line)):
            continue
        key, stated = said[1], said[5].strip()
        pairs = [(int(first), int(last)) for first, last in re.findall(r"(\d+)\s*-\s*(\d+)", stated)]
        rest = re.sub(r"\d+\s*-\s*\d+|[\s,]", "", stated)
        if rest != ("frames" if pairs else "*missing*") or any(not 1 <= first <= last for first, last in pairs):
            raise DataError(f"{path}, line {number}: expected {key}, frames, and stretches like 1-95, got {stated!r}")
        listed[key] = [range(first - 1, last) for first, last in pairs]
    if not listed:
        raise DataError(f"{path} lists no file; expected lines like person01_boxing_d1  frames  1-95, 96-185")
    return listed
