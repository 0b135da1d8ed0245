"""Which factors each code tells a linear reader: two directions that should fail, and two that should succeed."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from rich.progress import Progress

from models.disentangler import Disentangler
from training.data.drawable import Drawable, Motion, Split
from training.metrics.probes import Probe, probe_class, probe_value
from training.metrics.swaps import CLIP_FRAMES, encode


@dataclass(frozen=True, slots=True)
class Leakage:
    """Probes by factor. The first two are leaks: at chance, a code keeps to what it is for.

    Static factors are read from the dynamic code of single frames. Dynamic factors are read from the static code of
    clips that show one movement only, where a static code that holds the average pose would tell; of numbers,
    the clip's mean is read.
    """

    static_from_dynamic: dict[str, Probe]
    dynamic_from_static: dict[str, Probe]
    static_from_static: dict[str, Probe]
    dynamic_from_dynamic: dict[str, Probe]


@dataclass(frozen=True, slots=True)
class CodedClips:
    """Codes of clips, with the factors of their identities and frames."""

    static_factors: Int[np.ndarray, "n f"]
    dynamic_factors: Float[np.ndarray, "n t d"]
    static: Float[np.ndarray, "n s"]
    dynamic: Float[np.ndarray, "n t z"]


def coded_clips(
    model: Disentangler,
    data: Drawable,
    split: Split,
    num: int | None,
    motion: Motion,
    seed: int,
    progress: Progress,
) -> CodedClips:
    """Draw one clip of each identity and encode it."""
    people = data.identities(split, num)
    moves = data.motions(np.random.default_rng(seed), len(people), CLIP_FRAMES, motion)
    codes = encode(model, data.draw(people, moves), progress)
    return CodedClips(people, moves, codes.static.mean.cpu().numpy(), codes.dynamic.mean.cpu().numpy())


def leakage(
    model: Disentangler,
    data: Drawable,
    num_training: int | None,
    num_held_out: int | None,
    progress: Progress,
    seed: int = 7,
) -> Leakage:
    """Fit every probe on training identities and score it on held-out ones."""
    task = progress.add_task("probing codes", total=5)
    sizes: dict[Split, int | None] = {"train": num_training, "test": num_held_out}
    motions: tuple[Motion, Motion] = ("scattered", "movement")
    clips = {}
    for number, motion in enumerate(motions):
        for split, num in sizes.items():
            clips[motion, split] = coded_clips(model, data, split, num, motion, seed + number, progress)
            progress.advance(task)
    fit, test = clips["scattered", "train"], clips["scattered", "test"]
    moving, moving_test = clips["movement", "train"], clips["movement", "test"]
    names = list(data.static_levels)
    found = Leakage(
        static_from_dynamic={
            name: probe_class(flat(fit.dynamic), each_frame(fit, column), flat(test.dynamic), each_frame(test, column))
            for column, name in enumerate(names)
        },
        dynamic_from_static=probe_dynamic(
            data, moving.static, clip_means(data, moving), moving_test.static, clip_means(data, moving_test)
        ),
        static_from_static={
            name: probe_class(
                fit.static, fit.static_factors[:, column] * 1.0, test.static, test.static_factors[:, column] * 1.0
            )
            for column, name in enumerate(names)
        },
        dynamic_from_dynamic=probe_dynamic(
            data,
            flat(fit.dynamic),
            {name: value.reshape(-1) for name, value in data.read(fit.dynamic_factors).items()},
            flat(test.dynamic),
            {name: value.reshape(-1) for name, value in data.read(test.dynamic_factors).items()},
        ),
    )
    progress.advance(task)
    return found


def flat(codes: Float[np.ndarray, "n t z"]) -> Float[np.ndarray, "m z"]:
    """Frames of all clips on one axis."""
    return codes.reshape(-1, codes.shape[-1])


def each_frame(clips: CodedClips, column: int) -> Float[np.ndarray, " m"]:
    """The level of one static factor, once for every frame."""
    return np.repeat(clips.static_factors[:, column].astype(np.float64), clips.dynamic.shape[1])


def clip_means(data: Drawable, clips: CodedClips) -> dict[str, Float[np.ndarray, " n"]]:
    """What a clip of one movement shows as a whole: its class, or its mean value."""
    return {name: value.mean(1) for name, value in data.read(clips.dynamic_factors).items()}


def probe_dynamic(
    data: Drawable,
    codes: Float[np.ndarray, "n d"],
    factors: dict[str, Float[np.ndarray, " n"]],
    held_out_codes: Float[np.ndarray, "m d"],
    held_out_factors: dict[str, Float[np.ndarray, " m"]],
) -> dict[str, Probe]:
    """Every dynamic factor but the pose as a whole, whose classes are too many for a linear reader."""
    readers: dict[str, Callable[..., Probe]] = {name: probe_class for name in data.classes if name != "pose"}
    readers |= {name: probe_value for name in data.ranges}
    return {
        name: reader(codes, factors[name], held_out_codes, held_out_factors[name]) for name, reader in readers.items()
    }
