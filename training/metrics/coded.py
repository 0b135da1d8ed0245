"""Codes of clips whose factors are known: what probes, DCI and MIG are fitted on, and scored on."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from rich.progress import Progress

from models.disentangler import Disentangler
from training.data.drawable import Drawable, Motion, Split
from training.metrics.swaps import CLIP_FRAMES, encode

APART: dict[Split, int] = {"train": 0, "test": 100}  # of seeds: held-out clips move in ways of their own


@dataclass(frozen=True, slots=True)
class CodedClips:
    """Codes of clips, one clip an identity, with the factors of their identities and frames."""

    static_factors: Int[np.ndarray, "n f"]
    dynamic_factors: Float[np.ndarray, "n t d"]
    static: Float[np.ndarray, "n s"]
    dynamic: Float[np.ndarray, "n t z"]


@dataclass(frozen=True, slots=True)
class CodedSplits:
    """Clips of training identities and of held-out ones: of scattered poses, and of one movement each."""

    scattered: CodedClips
    scattered_held_out: CodedClips
    movement: CodedClips
    movement_held_out: CodedClips


def coded_splits(
    model: Disentangler,
    data: Drawable,
    num_training: int | None,
    num_held_out: int | None,
    progress: Progress,
    seed: int = 7,
) -> CodedSplits:
    """Draw and encode all four, each movement for one of them alone."""
    task = progress.add_task("coding clips for probes", total=4)
    sizes: dict[Split, int | None] = {"train": num_training, "test": num_held_out}
    motions: tuple[Motion, Motion] = ("scattered", "movement")
    coded = []
    for number, motion in enumerate(motions):
        for split, num in sizes.items():
            coded.append(coded_clips(model, data, split, num, motion, seed + number + APART[split], progress))
            progress.advance(task)
    return CodedSplits(*coded)


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


def flat(codes: Float[np.ndarray, "n t z"]) -> Float[np.ndarray, "m z"]:
    """Frames of all clips on one axis."""
    return codes.reshape(-1, codes.shape[-1])


def together(clips: CodedClips) -> Float[np.ndarray, "n two_z"]:
    """The dynamic codes of each clip as one: their mean and deviation."""
    return np.concatenate([clips.dynamic.mean(1), clips.dynamic.std(1)], axis=1)


def each_frame(clips: CodedClips, column: int) -> Float[np.ndarray, " m"]:
    """The level of one static factor, once for every frame."""
    return np.repeat(clips.static_factors[:, column].astype(np.float64), clips.dynamic.shape[1])


def clip_of_frame(clips: CodedClips) -> Int[np.ndarray, " m"]:
    """The number of the clip that each frame is of."""
    return np.repeat(np.arange(len(clips.static)), clips.dynamic.shape[1])


def frame_factors(data: Drawable, clips: CodedClips) -> dict[str, Float[np.ndarray, " m"]]:
    """Every dynamic factor of every frame, but the pose as a whole, whose classes are too many to be read."""
    read = data.read(clips.dynamic_factors)
    return {name: value.reshape(-1) for name, value in read.items() if name != "pose"}


def clip_means(data: Drawable, clips: CodedClips) -> dict[str, Float[np.ndarray, " n"]]:
    """What a clip of one movement shows as a whole: its class, or its mean value."""
    return {name: value.mean(1) for name, value in data.read(clips.dynamic_factors).items() if name != "pose"}


def both_codes(clips: CodedClips) -> Float[np.ndarray, "m d"]:
    """Both codes of every frame side by side."""
    dynamic = flat(clips.dynamic)
    return np.concatenate([clips.static[clip_of_frame(clips)], dynamic], axis=1).astype(np.float64)


def all_factors(data: Drawable, clips: CodedClips) -> dict[str, Float[np.ndarray, " m"]]:
    """Every factor of every frame: static ones first."""
    static = {name: each_frame(clips, column) for column, name in enumerate(data.static_levels)}
    return static | frame_factors(data, clips)
