"""Moving digits with every true factor known, so that the true picture of any swap can be drawn.

Who: which pictures of digits, and which of them is in front. What they do: where each is. Digit 0 is red and digit 1
green, in the definition of DrNET's authors (`training.data.digits`).
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from training.data.digits import CANVAS, SIDES, Actors, MovingDigits
from training.data.drawable import Drawable, Labelled, Motion, Split

FREE = CANVAS - SIDES["drnet"]  # pixels; corners lie in 0 to 31 and, bounced, up to 32
HIDDEN = 14  # pixels: digits closer than this in both directions hide each other's kind
TOUCHING = 20  # pixels: closer than this in both, it shows which one is in front
PATH = 20  # frames of a movement


class DrawnDigits(Drawable):
    """Two of MNIST's digits, one in front of the other; rows of `static` end with the numbers of their pictures."""

    def __init__(self, folder: Path, held_out: int = 300, training: int = 3000) -> None:
        self.name = "digits"
        self.splits: dict[Split, MovingDigits] = {
            "train": MovingDigits.load(folder, "train"),
            "test": MovingDigits.load(folder, "test"),
        }
        self.counts: dict[Split, int] = {"train": training, "test": held_out}
        self.fingerprint = hashlib.sha256(self.splits["train"].images.numpy().tobytes()).hexdigest()
        self.static_levels = {"red digit": 10, "green digit": 10, "front": 2}
        self.classes = {}
        self.ranges = {f"{colour} {axis}": (0.0, float(FREE)) for colour in ("red", "green") for axis in ("y", "x")}

    def identities(self, split: Split, count: int | None = None) -> Int[np.ndarray, "n f"]:
        """Digits' kinds, which is in front (0 red, 1 green), and the numbers of their pictures, test's the highest."""
        digits = self.splits[split]
        actors = digits.cast(count or self.counts[split], torch.Generator().manual_seed(17))
        kinds = digits.labels[actors.digits]
        offset = 0 if split == "train" else len(self.splits["train"].images)
        rows: np.ndarray = torch.cat([kinds, actors.front[:, 1:], actors.digits + offset], dim=1).numpy()
        return rows

    def motions(self, rng: np.random.Generator, count: int, frames: int, motion: Motion) -> Float[np.ndarray, "n t 4"]:
        """Consecutive frames of a path ("movement"), or frames of one at random times ("scattered")."""
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        length = frames if motion == "movement" else max(frames, PATH)
        paths = rearrange(self.splits["test"].paths(count, length, generator), "n t k two -> n t (k two)").numpy()
        if motion == "movement":
            return paths.astype(np.float64)
        picked = np.stack([rng.permutation(length)[:frames] for _ in range(count)])
        return np.take_along_axis(paths, picked[..., None], axis=1).astype(np.float64)

    def draw(self, static: Int[np.ndarray, "n f"], dynamic: Float[np.ndarray, "n t 4"]) -> UInt8[Tensor, "n t c h w"]:
        """Put the digits where they are, back to front."""
        numbers = static[:, 3:]
        boundary = len(self.splits["train"].images)
        split: Split = "train" if numbers.max(initial=0) < boundary else "test"
        front = torch.from_numpy(np.stack([1 - static[:, 2], static[:, 2]], axis=1))
        digits = torch.from_numpy(numbers - (boundary if split == "test" else 0))
        paths = rearrange(torch.tensor(dynamic).long(), "n t (k two) -> n t k two", two=2)
        drawn = self.splits[split].draw_clips(Actors(digits, front), paths)
        return rearrange(drawn, "n t h w c -> n t c h w").contiguous()

    def read(self, dynamic: Float[np.ndarray, "*n 4"]) -> dict[str, Float[np.ndarray, "*n"]]:
        """Where each digit's upper left corner is, in pixels."""
        return {name: dynamic[..., column] for column, name in enumerate(self.ranges)}

    def legible(self, pose: Mapping[str, Float[np.ndarray, "*n"]]) -> Bool[np.ndarray, "*n 3"]:
        """The kinds unless one digit is upon the other; which one is in front only where they touch."""
        apart = np.maximum(*(np.abs(pose[f"red {axis}"] - pose[f"green {axis}"]) for axis in ("y", "x")))
        return np.stack([apart >= HIDDEN, apart >= HIDDEN, apart < TOUCHING], axis=-1)

    def examples(self, split: Split, count: int, rng: np.random.Generator) -> Labelled:
        """New pairs of the split's digits, at any place of a path."""
        digits = self.splits[split]
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        actors = digits.cast(count, generator)
        offset = 0 if split == "train" else len(self.splits["train"].images)
        static = torch.cat([digits.labels[actors.digits], actors.front[:, 1:], actors.digits + offset], dim=1).numpy()
        dynamic = self.motions(rng, count, 1, "scattered")
        return Labelled(self.draw(static, dynamic)[:, 0], static, dynamic[:, 0])
