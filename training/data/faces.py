"""Drawn faces as data: identities, their split, smooth motion, and pools of frames with every true factor known.

Split: the numbers 0 to 559,871 of all identities are permuted once (`numpy.random.RandomState(2018)`, whose stream
NumPy keeps fixed); the first 90 % of that order are for training, the last 10 % are held out. `identities("train", n)`
is always the beginning of the training part, so a larger pool contains a smaller one, and nobody held out is ever
drawn for training.

`python -m training.data.faces --out var/data` draws the two pools that judges learn from and are asked about.
"""

import argparse
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Literal

import numpy as np
from rich.progress import track

from training.data.identity import DYNAMIC, FACTORS, NUM_IDENTITIES, Identity
from training.data.portrait import draw

__all__ = [
    "DYNAMIC", "FACTORS", "NUM_IDENTITIES", "FacesPool", "Identity", "cached_pool", "draw", "identities",
    "motion_path", "numbers", "render_pool",
]  # fmt: skip

Split = Literal["train", "test"]
SPLIT_SEED = 2018
NUM_TRAINING = NUM_IDENTITIES * 9 // 10
IMAGE_SIZE = 64


@dataclass(frozen=True)
class FacesPool:
    """Frames of many identities; one row of `images` is one clip."""

    images: np.ndarray  # uint8 (identities, frames, 64, 64, 3)
    static: np.ndarray  # int (identities, factors), columns in the order of FACTORS
    dynamic: np.ndarray  # float32 (identities, frames, 3), columns in the order of DYNAMIC

    def save(self, folder: Path, name: str) -> None:
        """Write one file an array, each by an atomic rename, the images last: where they are, all is."""
        folder.mkdir(parents=True, exist_ok=True)
        for part in ("static", "dynamic", "images"):
            path = folder / f"{name}_{part}.npy"
            partial_path = path.with_suffix(f".{os.getpid()}.part")
            with partial_path.open("wb") as file:
                np.save(file, getattr(self, part))
            partial_path.replace(path)

    @classmethod
    def open(cls, folder: Path, name: str) -> "FacesPool":
        """Map the arrays of a saved pool into memory, read-only."""
        return cls(*(np.load(folder / f"{name}_{part}.npy", mmap_mode="r") for part in ("images", "static", "dynamic")))


@lru_cache(maxsize=1)
def _order() -> np.ndarray:
    return np.random.RandomState(SPLIT_SEED).permutation(NUM_IDENTITIES)


def numbers(split: Split) -> np.ndarray:
    """The numbers of all identities of a split, in the order in which `identities` takes them."""
    return _order()[:NUM_TRAINING] if split == "train" else _order()[NUM_TRAINING:]


def identities(split: Split, count: int) -> list[Identity]:
    """Return the first `count` identities of a split.

    Raises:
        ValueError: the split has fewer.

    """
    available = numbers(split)
    if not 0 < count <= len(available):
        raise ValueError(f"the {split} split has {len(available)} identities, got a count of {count}")
    return [Identity.from_number(int(number)) for number in available[:count]]


def motion_path(rng: np.random.Generator, frames: int) -> np.ndarray:
    """Move smile, surprise and turn between random targets, each along minimum-jerk curves; float32 (frames, 3).

    A third of the targets are extremes of the range; surprise rests at 0 as often as not. Every part keeps its own
    time, so that all combinations occur.
    """
    path = np.empty((frames, len(DYNAMIC)), dtype=np.float32)
    for column, (name, (low, high)) in enumerate(DYNAMIC.items()):
        path[:, column] = _minimum_jerk(rng, frames, partial(_target, rng, low, high, name == "surprise"))
    return path


def _target(rng: np.random.Generator, low: float, high: float, rests: bool) -> float:
    chance = rng.random()
    if rests and chance < 0.4:
        return low
    if chance > 2 / 3:
        return high if rests or rng.random() < 0.5 else low
    return float(rng.uniform(low, high))


def _minimum_jerk(rng: np.random.Generator, frames: int, target: Callable[[], float]) -> np.ndarray:
    """Join targets by 10 t³ - 15 t⁴ + 6 t⁵, at rest at each, with 6 to 16 frames between them."""
    values: list[float] = []
    # Starting in the middle of a movement makes the first frame as likely to be anything as the others.
    skip, here = int(rng.integers(0, 6)), target()
    while len(values) < frames + skip:
        there, length = target(), int(rng.integers(6, 17))
        t = np.arange(length) / length
        values.extend(here + (there - here) * t**3 * (10 - 15 * t + 6 * t * t))
        here = there
    return np.array(values[skip : skip + frames], dtype=np.float32)


def _draw_clip(frames: int, seed: int, identity: Identity) -> tuple[np.ndarray, np.ndarray]:
    path = motion_path(np.random.default_rng((seed, identity.number)), frames)
    return np.stack([draw(identity, (float(s), float(o), float(t)), IMAGE_SIZE) for s, o, t in path]), path


def render_pool(
    split: Split, identities_count: int, frames: int, seed: int = 0, processes: int = 1, progress: bool = True
) -> FacesPool:
    """Draw one clip of every identity. What is drawn depends on the seed, never on the number of processes."""
    people = identities(split, identities_count)
    images = np.empty((len(people), frames, IMAGE_SIZE, IMAGE_SIZE, 3), dtype=np.uint8)
    dynamic = np.empty((len(people), frames, len(DYNAMIC)), dtype=np.float32)
    job = partial(_draw_clip, frames, seed)

    def collect(clips: Iterable[tuple[np.ndarray, np.ndarray]]) -> None:
        bar = track(clips, f"drawing {split} faces", total=len(people), disable=not progress)
        for row, (clip, path) in enumerate(bar):
            images[row], dynamic[row] = clip, path

    if processes == 1:
        collect(map(job, people))
    else:
        with ProcessPoolExecutor(processes) as pool:
            collect(pool.map(job, people, chunksize=8))
    return FacesPool(images, np.array([person.levels for person in people]), dynamic)


def cached_pool(
    folder: Path, name: str, split: Split, count: int, frames: int, seed: int = 0, processes: int = 1
) -> FacesPool:
    """Open the pool of that name where it is on disk and large enough, else draw and save it; a pool never shrinks."""
    wanted = (count, frames)
    if (folder / f"{name}_images.npy").exists():
        pool = FacesPool.open(folder, name)
        there: tuple[int, int] = pool.dynamic.shape[:2]
        if there[0] >= count and there[1] >= frames:
            return FacesPool(pool.images[:count, :frames], pool.static[:count], pool.dynamic[:count, :frames])
        wanted = max(count, there[0]), max(frames, there[1])
    render_pool(split, *wanted, seed, processes).save(folder, name)
    return cached_pool(folder, name, split, count, frames)


def main() -> None:
    """Draw both pools into a folder, unless they are there."""
    parser = argparse.ArgumentParser(description="Draw the pools of faces that training and evaluation use.")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--train", type=int, default=3000, help="training identities")
    parser.add_argument("--test", type=int, default=300, help="held-out identities")
    parser.add_argument("--frames", type=int, default=40)
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args()
    cached_pool(given.out, "faces_test", "test", given.test, given.frames, processes=given.processes)
    cached_pool(given.out, "faces_train", "train", given.train, given.frames, processes=given.processes)


if __name__ == "__main__":
    main()
