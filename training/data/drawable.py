"""Data sets of which any true picture can be drawn, so that a swap can be compared with what it should be.

A static factor is a level of someone's appearance; `dynamic` is one row of numbers a frame. Both are all that
`draw` needs, so the true picture of "A's appearance doing B's motion" is `draw(static of A, dynamic of B)`.
"""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from training.data.faces import (
    DYNAMIC,
    FACTORS,
    FacesPool,
    Identity,
    cached_pool,
    draw,
    identities,
    motion_path,
)
from training.data.sheets import FINGERPRINT
from training.data.sprites import ATTRIBUTES, NUM_VARIANTS, Sprites, characters, static_factors

Split = Literal["train", "test"]
Motion = Literal["scattered", "movement"]
FACE_PATH = 40  # frames of a face's motion, of which scattered ones are taken
NUM_DIRECTIONS = 4
POWERS = NUM_VARIANTS ** np.arange(len(ATTRIBUTES) - 1, -1, -1)


@dataclass(frozen=True, slots=True)
class Labelled:
    """Single pictures with their true factors, to teach or to test a classifier."""

    frames: UInt8[Tensor, "n c h w"]
    static: Int[np.ndarray, "n f"]
    dynamic: Float[np.ndarray, "n d"]


class Drawable(ABC):
    """A data set whose pictures are a function of their factors."""

    name: str
    fingerprint: str  # changes when pictures do
    static_levels: dict[str, int]
    classes: dict[str, int]  # dynamic factors that are read as one of so many classes
    ranges: dict[str, tuple[float, float]]  # dynamic factors that are read as a number

    @abstractmethod
    def identities(self, split: Split, count: int | None = None) -> Int[np.ndarray, "n f"]:
        """Static factors of the first `count` identities of a split, or of as many as are usual."""

    @abstractmethod
    def motions(self, rng: np.random.Generator, count: int, frames: int, motion: Motion) -> Float[np.ndarray, "n t d"]:
        """Dynamic factors of clips: "scattered" frames show all kinds of poses, a "movement" is one short action."""

    @abstractmethod
    def draw(self, static: Int[np.ndarray, "n f"], dynamic: Float[np.ndarray, "n t d"]) -> UInt8[Tensor, "n t c h w"]:
        """The true pictures: identity n in each pose of row n."""

    @abstractmethod
    def read(self, dynamic: Float[np.ndarray, "*n d"]) -> dict[str, Float[np.ndarray, "*n"]]:
        """What there is to be read of dynamic factors, by name: a class's number, or a value."""

    @abstractmethod
    def legible(self, pose: Mapping[str, Float[np.ndarray, "*n"]]) -> Bool[np.ndarray, "*n f"]:
        """Which static factors can be seen at all in such a pose, given as `read` gives it, or a judge."""

    @abstractmethod
    def examples(self, split: Split, count: int, rng: np.random.Generator) -> Labelled:
        """Single pictures of random identities of a split in random poses."""


LOOKED_AT = 300  # held-out identities by which trainings were compared and changed: results are of others


class DrawnFaces(Drawable):
    """Our own generator. Examples come from pools kept in `cache`, which are drawn where they are missing."""

    def __init__(self, cache: Path, training: int = 3000, held_out: int = 300, frames: int = 40) -> None:
        self.name, self.cache, self.frames = "faces", cache, frames
        self.counts: dict[Split, int] = {"train": training, "test": held_out}
        self.static_levels, self.classes, self.ranges = FACTORS, {}, DYNAMIC
        someone = draw(identities("train", 1)[0], (0.5, 0.5, 0.5)).tobytes()
        self.fingerprint = hashlib.sha256(someone + repr((training, frames)).encode()).hexdigest()

    def identities(self, split: Split, count: int | None = None) -> Int[np.ndarray, "n f"]:
        """The first identities of the split's fixed order; 300 held-out ones unless told, none of those looked at."""
        count, skipped = count or self.counts[split], LOOKED_AT if split == "test" else 0
        return np.array([person.levels for person in identities(split, skipped + count)[skipped:]])

    def motions(self, rng: np.random.Generator, count: int, frames: int, motion: Motion) -> Float[np.ndarray, "n t 3"]:
        """Smooth paths: consecutive frames of one ("movement"), or frames picked from 40 ("scattered")."""
        paths = np.stack([motion_path(rng, max(frames, FACE_PATH)) for _ in range(count)])
        if motion == "movement":
            return paths[:, :frames]
        picked = np.stack([rng.permutation(paths.shape[1])[:frames] for _ in range(count)])
        return np.take_along_axis(paths, picked[..., None], axis=1)

    def draw(self, static: Int[np.ndarray, "n f"], dynamic: Float[np.ndarray, "n t 3"]) -> UInt8[Tensor, "n t c h w"]:
        """Draw every frame anew, about a millisecond each."""
        clips = [
            np.stack([draw(Identity(*map(int, levels)), (float(s), float(o), float(t))) for s, o, t in path])
            for levels, path in zip(static, dynamic, strict=True)
        ]
        return rearrange(torch.from_numpy(np.stack(clips)), "n t h w c -> n t c h w")

    def read(self, dynamic: Float[np.ndarray, "*n 3"]) -> dict[str, Float[np.ndarray, "*n"]]:
        """Smile, surprise and turn as they are."""
        return {name: dynamic[..., column] for column, name in enumerate(DYNAMIC)}

    def legible(self, pose: Mapping[str, Float[np.ndarray, "*n"]]) -> Bool[np.ndarray, "*n f"]:
        """A face shows all of its factors in every pose."""
        return np.ones((*next(iter(pose.values())).shape, len(FACTORS)), dtype=bool)

    def pool(self, split: Split) -> FacesPool:
        """The split's pool, which training uses too."""
        return cached_pool(self.cache, f"faces_{split}", split, self.counts[split], self.frames)

    def examples(self, split: Split, count: int, rng: np.random.Generator) -> Labelled:
        """Frames picked from the split's pool."""
        pool = self.pool(split)
        person = rng.integers(len(pool.static), size=count)
        frame = rng.integers(pool.dynamic.shape[1], size=count)
        frames = rearrange(torch.from_numpy(pool.images[person, frame]), "n h w c -> n c h w")
        return Labelled(frames, np.array(pool.static[person]), np.array(pool.dynamic[person, frame]))


@dataclass(slots=True)
class SpritePoses:
    """What each of the 178 poses shows, and which poses are one and the same picture."""

    action: Int[np.ndarray, " p"]
    direction: Int[np.ndarray, " p"]
    picture: Int[np.ndarray, " p"]  # the first pose that looks like this one
    legible: Bool[np.ndarray, "p f"]
    actions: tuple[str, ...]
    directions: tuple[str, ...] = field(default=("n", "w", "s", "e"))

    @classmethod
    def of(cls, sprites: Sprites) -> "SpritePoses":
        """Read them off the sheet's index and the layers themselves."""
        actions = tuple(dict.fromkeys(pose.action for pose in sprites.poses))
        alpha = sprites.layers[:, :, :, 3].amax((3, 4)).cpu().numpy()  # slot, variant, pose
        return cls(
            action=np.array([actions.index(pose.action) for pose in sprites.poses]),
            direction=np.array(["nwse".index(pose.direction) for pose in sprites.poses]),
            picture=alike(sprites),
            legible=np.all(alpha[: len(ATTRIBUTES)] > 0, axis=1).T,
            actions=actions,
        )


def alike(sprites: Sprites) -> Int[np.ndarray, " p"]:
    """For each pose the first one that looks the same on somebody; 164 of 178 poses are then different.

    Some poses differ in one layer only, and only on those who wear one in which they do. Twelve characters in
    which every two variants of every two layers meet differently find all such pairs.
    """
    poses = torch.arange(len(sprites.poses))
    same = torch.eye(len(poses), dtype=torch.bool)
    for k in range(NUM_VARIANTS):
        for digits in ((k, k, k, k), (k, 5 - k, (k + 2) % 6, (k + 3) % 6)):
            number = int(np.array(digits) @ POWERS)
            drawn = sprites.render(torch.full_like(poses, number), poses).flatten(1)
            _, picture = torch.unique(drawn, dim=0, return_inverse=True)
            same |= picture[:, None] == picture[None]
    return same.int().argmax(1).numpy()


class CompositedSprites(Drawable):
    """LPC sprites; the one dynamic number of a frame is the index of its pose, 0 to 177."""

    def __init__(self, sprites: Sprites) -> None:
        self.name, self.sprites, self.poses = "sprites", sprites, SpritePoses.of(sprites)
        self.fingerprint = FINGERPRINT
        self.static_levels = dict.fromkeys(ATTRIBUTES, NUM_VARIANTS)
        self.ranges = {}
        self.classes = {
            "action": len(self.poses.actions),
            "direction": NUM_DIRECTIONS,
            "pose": len(sprites.poses),
        }

    def identities(self, split: Split, count: int | None = None) -> Int[np.ndarray, "n f"]:
        """Characters in the published order; all of the split unless told."""
        return static_factors(characters(split)[:count])

    def motions(self, rng: np.random.Generator, count: int, frames: int, motion: Motion) -> Float[np.ndarray, "n t 1"]:
        """Any poses without repetition ("scattered"), or one action in one direction, over and over ("movement")."""
        if motion == "scattered":
            rows = [rng.permutation(len(self.sprites.poses))[:frames] for _ in range(count)]
            return np.stack(rows)[..., None].astype(np.float64)
        kinds = np.unique(np.stack([self.poses.action, self.poses.direction]), axis=1).T
        rows = []
        for action, direction in kinds[rng.integers(len(kinds), size=count)]:
            cycle = np.flatnonzero((self.poses.action == action) & (self.poses.direction == direction))
            rows.append(cycle[(rng.integers(len(cycle)) + np.arange(frames)) % len(cycle)])
        return np.stack(rows)[..., None].astype(np.float64)

    def draw(self, static: Int[np.ndarray, "n f"], dynamic: Float[np.ndarray, "n t 1"]) -> UInt8[Tensor, "n t c h w"]:
        """Composite the layers."""
        count, length = dynamic.shape[:2]
        numbers = torch.from_numpy(np.repeat(static @ POWERS, length))
        poses = torch.from_numpy(dynamic[..., 0].reshape(-1).astype(np.int64))
        return rearrange(self.sprites.render(numbers, poses), "(n t) c h w -> n t c h w", n=count)

    def read(self, dynamic: Float[np.ndarray, "*n 1"]) -> dict[str, Float[np.ndarray, "*n"]]:
        """Action, direction, and the pose itself, where poses that are one picture count as one."""
        pose = dynamic[..., 0].astype(np.int64)
        parts = {"action": self.poses.action, "direction": self.poses.direction, "pose": self.poses.picture}
        return {name: part[pose].astype(np.float64) for name, part in parts.items()}

    def legible(self, pose: Mapping[str, Float[np.ndarray, "*n"]]) -> Bool[np.ndarray, "*n f"]:
        """All but what the sheet hides: the legs of the fallen body."""
        return self.poses.legible[pose["pose"].astype(np.int64)]

    def examples(self, split: Split, count: int, rng: np.random.Generator) -> Labelled:
        """Any character of the split in any pose."""
        people = self.identities(split)
        static = people[rng.integers(len(people), size=count)]
        dynamic = rng.integers(len(self.sprites.poses), size=(count, 1, 1)).astype(np.float64)
        return Labelled(self.draw(static, dynamic)[:, 0], static, dynamic[:, 0])
