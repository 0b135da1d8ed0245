"""Which code tells what a clip shows, where clips cannot be drawn anew but are labelled (small NORB, the KTH actions).

Readers (`training.metrics.probes`) learn on codes of training clips and are scored on held-out ones, so of other toys
or persons. They read the static code of a clip; the dynamic code of a single frame; and the dynamic codes of a clip
together, as their mean and deviation, since nobody tells walking from running by one frame. The static code is the
vector alone: features that a U-Net keeps beside it are not read.

Source: Denton & Birodkar 2017, whose table 1 reads NORB's category from content codes and from pose codes.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from rich.progress import Progress

from models.disentangler import Disentangler, encode_in_chunks
from training.data.labels import Labels
from training.data.pool import Clips, even_numbers
from training.metrics.bootstrap import numbered
from training.metrics.own_clips import alone_of_few
from training.metrics.probes import Probe, Reader, probe_class
from training.sources import Source

SEED = 11
FRAMES = 18  # of each clip, at even distances; of NORB, a whole turn


@dataclass(frozen=True, slots=True)
class LabelledCodes:
    """Codes of clips with their classes; frames of all clips are on one axis."""

    static: Float[np.ndarray, "n s"]
    dynamic: Float[np.ndarray, "m z"]
    movement: Float[np.ndarray, "n 2*z"]  # mean and deviation over each clip's frames
    clip: Int[np.ndarray, " m"]  # that each frame is of
    whose: Int[np.ndarray, " n"]  # the toy or person that each clip shows
    of_clips: dict[str, Float[np.ndarray, " n"]]
    of_frames: dict[str, Float[np.ndarray, " m"]]


@dataclass(frozen=True, slots=True)
class ClassProbes:
    """Probes by factor. A factor of frames, as the azimuth is, is read from single dynamic codes alone."""

    static: dict[str, Probe]
    dynamic: dict[str, Probe]
    movement: dict[str, Probe]


def measure_classes(model: Disentangler, source: Source, most: int | None, progress: Progress) -> dict[str, Any]:
    """What both readers find, fitted on `most` training clips (None: all) and scored on every held-out one, as JSON."""
    assert source.labels is not None
    training, held_out = source.labels
    order = np.random.default_rng(SEED).permutation(len(source.training))
    known = labelled_codes(model, source.training, training, np.sort(order[:most]), progress)
    unknown = labelled_codes(model, source.held_out, held_out, np.arange(len(source.held_out)), progress)
    readers: tuple[Reader, ...] = ("linear", "mlp")
    whose = len(set(unknown.whose.tolist()))

    def told(reader: Reader) -> dict[str, dict[str, dict[str, float]]]:
        found = asdict(class_probes(known, unknown, reader, progress))
        return {
            code: {name: alone_of_few(one, whose) for name, one in probes.items()} for code, probes in found.items()
        }

    return {
        "training_clips": len(known.static),
        "clips": len(unknown.static),
        "frames_per_clip": FRAMES,
        **{reader: told(reader) for reader in readers},
    }


def class_probes(known: LabelledCodes, unknown: LabelledCodes, reader: Reader, progress: Progress) -> ClassProbes:
    """Fit every probe on known clips and score it on unknown ones, with intervals over whose they are.

    Factors of which the two have no class in common, as NORB's instances and KTH's persons, are nothing to read.
    """
    shared = [name for name, levels in known.of_clips.items() if np.isin(unknown.of_clips[name], levels).any()]
    task = progress.add_task(f"reading classes, {reader}", total=3 * len(shared) + len(known.of_frames))

    def read(name: str, codes: Callable[[LabelledCodes], Float[np.ndarray, "rows d"]], each_frame: bool) -> Probe:
        fit, true = (levels_of(part, name, each_frame) for part in (known, unknown))
        whose = unknown.whose[unknown.clip] if each_frame else unknown.whose
        found = probe_class(codes(known), fit, codes(unknown), true, reader=reader, clips=whose)
        progress.advance(task)
        return found

    return ClassProbes(
        static={name: read(name, lambda part: part.static, each_frame=False) for name in shared},
        dynamic={name: read(name, lambda part: part.dynamic, each_frame=True) for name in [*shared, *known.of_frames]},
        movement={name: read(name, lambda part: part.movement, each_frame=False) for name in shared},
    )


def levels_of(codes: LabelledCodes, name: str, each_frame: bool) -> Float[np.ndarray, " rows"]:
    """A factor's class of every clip or of every frame."""
    if name in codes.of_frames:
        return codes.of_frames[name]
    return codes.of_clips[name][codes.clip] if each_frame else codes.of_clips[name]


@torch.inference_mode()
def labelled_codes(
    model: Disentangler, clips: Clips, labels: Labels, numbers: Int[np.ndarray, " n"], progress: Progress
) -> LabelledCodes:
    """Encode the clips of these numbers."""
    device = next(model.parameters()).device
    static, dynamic, shown = [], [], []
    for number in progress.track(numbers.tolist(), description="coding clips to read their classes"):
        frames = clips.clip(number)
        shown.append(even_numbers(len(frames), FRAMES))
        codes = encode_in_chunks(model, frames[torch.from_numpy(shown[-1])].to(device))
        static.append(codes.static.mean[0].float().cpu().numpy())
        dynamic.append(codes.dynamic.mean[0].float().cpu().numpy())
    where = np.concatenate(shown)
    return LabelledCodes(
        static=np.stack(static),
        dynamic=np.concatenate(dynamic),
        movement=np.stack([np.concatenate([codes.mean(0), codes.std(0)]) for codes in dynamic]),
        clip=np.repeat(np.arange(len(numbers)), [len(codes) for codes in dynamic]),
        whose=numbered(labels.owners()[numbers]),
        of_clips={name: levels[numbers].astype(np.float64) for name, levels in labels.clips.items()},
        of_frames={name: levels[where].astype(np.float64) for name, levels in labels.frames.items()},
    )
