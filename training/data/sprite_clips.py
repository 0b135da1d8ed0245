"""LPC sprites as clips, one a character: prepared once to learn from, or each composited when it is asked for.

Any order of poses will do for a model that reads a clip as a set; the movements are an action in one direction each.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from training.data.pool import ClipPool, as_floats, different_clips, different_integers
from training.data.sheets import Pose
from training.data.sprites import TILE, Sprites, characters


def sprite_pool(sprites: Sprites, split: str) -> ClipPool:
    """Every character of a split in all 178 poses (2.2 GB for "train")."""
    clips = SpriteClips(sprites, split)
    frames = torch.empty(len(clips), len(sprites.poses), TILE, TILE, 3, dtype=torch.uint8)
    for number, clip in enumerate(frames):
        clip.copy_(clips.composited(number, torch.arange(len(sprites.poses))))
    return ClipPool.of_equal_clips(frames, aligned=True, movements=clips.movements)


@dataclass(frozen=True)
class SpriteClips:
    """The same clips, which take no memory and no time until they are asked for."""

    sprites: Sprites
    split: str

    @property
    def aligned(self) -> bool:
        """Frame t shows the same pose of every character."""
        return True

    @cached_property
    def numbers(self) -> Int[np.ndarray, " clips"]:
        """The characters' numbers."""
        return characters(self.split)

    @cached_property
    def movements(self) -> tuple[Int[Tensor, " _"], ...]:
        """The frames that follow each other, over and over."""
        return movements(self.sprites.poses)

    def __len__(self) -> int:
        return len(self.numbers)

    def composited(self, index: int, poses: Int[Tensor, " t"]) -> UInt8[Tensor, "t h w c"]:
        """One character in these poses."""
        character = torch.tensor(int(self.numbers[index])).expand(len(poses))
        return rearrange(self.sprites.render(character, poses), "t c h w -> t h w c")

    def clip(self, index: int) -> Float[Tensor, "t c h w"]:
        """A character in all 178 poses, in [0, 1]."""
        return as_floats(self.composited(index, torch.arange(len(self.sprites.poses))))

    def draw(
        self, batch: int, num_frames: int, generator: torch.Generator, within: int | None = None
    ) -> Float[Tensor, "b t c h w"]:
        """Random characters in different random poses, in [0, 1]; poses have no order, so that `within` is nothing."""
        chosen = different_clips(len(self), batch, generator)
        poses = different_integers(torch.full_like(chosen, len(self.sprites.poses)), num_frames, generator)
        return torch.stack([as_floats(self.composited(*pair)) for pair in zip(chosen.tolist(), poses, strict=True)])

    def with_runs(self, length: int) -> Sequence[int]:
        """All: movements repeat."""
        return range(len(self))

    def run(self, index: int, length: int, generator: torch.Generator) -> Float[Tensor, "length c h w"]:
        """One of a character's movements over and over, begun at a random frame."""
        movement = self.movements[int(torch.randint(len(self.movements), (), generator=generator))]
        first = int(torch.randint(len(movement), (), generator=generator))
        return as_floats(self.composited(index, movement[(first + torch.arange(length)) % len(movement)]))


def movements(poses: tuple[Pose, ...]) -> tuple[Int[Tensor, " _"], ...]:
    """The numbers of the poses of each action in each direction, in the order in which they are shown."""
    kinds = sorted({(pose.action, pose.direction) for pose in poses})
    return tuple(
        torch.tensor(
            sorted(
                (number for number, pose in enumerate(poses) if (pose.action, pose.direction) == kind),
                key=lambda number: poses[number].frame,
            )
        )
        for kind in kinds
    )
