"""Clips held in memory (or on the GPU) as one tensor of frames, from which training batches are drawn."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from training.data.errors import DataError


@runtime_checkable
class Clips(Protocol):
    """Numbered clips, and random ones to learn from; `aligned` as in `ClipPool`."""

    @property
    def aligned(self) -> bool:
        """Whether frame t shows the same dynamic factors in every clip."""

    def __len__(self) -> int: ...

    def clip(self, index: int) -> Float[Tensor, "t c h w"]:
        """All frames of one clip, in [0, 1]."""

    def draw(
        self, batch: int, num_frames: int, generator: torch.Generator, within: int | None = None
    ) -> Float[Tensor, "b t c h w"]:
        """Random clips, and of each `num_frames` different frames in random order, in [0, 1].

        They are less than `within` frames apart, where that is given and frames have an order.
        """

    def with_runs(self, length: int) -> Sequence[int]:
        """The numbers of the clips that show so many frames of one movement."""

    def run(self, index: int, length: int, generator: torch.Generator) -> Float[Tensor, "length c h w"]:
        """So many frames of one movement of such a clip, in order, in [0, 1]."""


@dataclass(frozen=True, slots=True)
class ClipPool:
    """Frames of many clips, one after the other, with where each clip starts.

    `aligned` says that frame t shows the same dynamic factors in every clip, so that the true picture of
    a swap of two clips of this pool is known: frame t of the clip that gives the static code.

    `movements` are the numbers of frames that follow each other, over and over, where a clip holds many
    movements (as the sprites' do); without them a clip is one movement, in order.
    """

    frames: UInt8[Tensor, "n h w c"]  # channels last, as convolutions like them
    starts: Int[Tensor, " clips"]
    lengths: Int[Tensor, " clips"]
    aligned: bool = False
    movements: tuple[Int[Tensor, " _"], ...] = ()

    @classmethod
    def of_equal_clips(
        cls,
        frames: UInt8[Tensor, "clips t h w c"],
        aligned: bool = False,
        movements: tuple[Int[Tensor, " _"], ...] = (),
    ) -> "ClipPool":
        """A pool of clips that all have t frames."""
        clips, length = frames.shape[:2]
        starts = torch.arange(clips) * length
        return cls(
            rearrange(frames, "clips t h w c -> (clips t) h w c"),
            starts,
            torch.full_like(starts, length),
            aligned,
            movements,
        )

    def __len__(self) -> int:
        return len(self.starts)

    def to(self, device: torch.device | str) -> "ClipPool":
        """The same clips, their frames on another device."""
        return replace(self, frames=self.frames.to(device))

    def clip(self, index: int) -> Float[Tensor, "t c h w"]:
        """All frames of one clip, in [0, 1]."""
        start = int(self.starts[index])
        return as_floats(self.frames[start : start + int(self.lengths[index])])

    def draw(
        self, batch: int, num_frames: int, generator: torch.Generator, within: int | None = None
    ) -> Float[Tensor, "b t c h w"]:
        """Random clips, all different where there are enough, and of each some frames as `draw_of` draws them."""
        return self.draw_of(different_clips(len(self), batch, generator), num_frames, generator, within)

    def draw_of(
        self, chosen: Int[Tensor, " b"], num_frames: int, generator: torch.Generator, within: int | None = None
    ) -> Float[Tensor, "b t c h w"]:
        """Of each of these clips `num_frames` different frames in random order, in [0, 1].

        With `within` they are from a random stretch of so many frames.

        Raises:
            DataError: a clip has fewer frames than are drawn.

        """
        shortest = int(self.lengths.min())
        if shortest < num_frames:
            raise DataError(f"a clip has {shortest} frames; {num_frames} different ones are drawn of each")
        lengths = self.lengths[chosen]
        if within is None:
            picks = different_integers(lengths, num_frames, generator)
        else:
            stretch = lengths.clamp(max=max(within, num_frames))
            picks = different_integers(stretch, num_frames, generator)
            picks = picks + different_integers(lengths - stretch + 1, 1, generator)
        where = rearrange(self.starts[chosen][:, None] + picks, "b t -> (b t)")
        frames = as_floats(self.frames[where.to(self.frames.device)])
        return rearrange(frames, "(b t) c h w -> b t c h w", b=len(chosen))

    def with_runs(self, length: int) -> Sequence[int]:
        """The clips with enough frames; all of them where movements repeat."""
        if self.movements:
            return range(len(self))
        return torch.nonzero(self.lengths >= length)[:, 0].tolist()

    def run(self, index: int, length: int, generator: torch.Generator) -> Float[Tensor, "length c h w"]:
        """A stretch of the clip, or one of its movements over and over, begun at a random frame."""
        start = int(self.starts[index])
        if self.movements:
            movement = self.movements[int(torch.randint(len(self.movements), (), generator=generator))]
            first = int(torch.randint(len(movement), (), generator=generator))
            where = start + movement[(first + torch.arange(length)) % len(movement)]
        else:
            room = int(self.lengths[index]) - length
            where = start + int(torch.randint(room + 1, (), generator=generator)) + torch.arange(length)
        return as_floats(self.frames[where.to(self.frames.device)])


def different_clips(clips: int, batch: int, generator: torch.Generator) -> Int[Tensor, " batch"]:
    """Numbers of random clips, all different; of fewer clips than that, neighbours in the batch differ."""
    return torch.randperm(clips, generator=generator).repeat(-(-batch // clips))[:batch]


def evenly(clip: Float[Tensor, "t c h w"], count: int) -> Float[Tensor, "n c h w"]:
    """At most so many frames of a clip, at even distances."""
    return clip[torch.from_numpy(even_numbers(len(clip), count))]


def even_numbers(length: int, count: int) -> Int[np.ndarray, " n"]:
    """At most `count` numbers of frames, at even distances from the first to the last of `length`."""
    return np.linspace(0, length - 1, min(count, length)).round().astype(np.int64)


def as_floats(frames: UInt8[Tensor, "n h w c"]) -> Float[Tensor, "n c h w"]:
    """Pictures in [0, 1] with channels before height and width (in memory they stay last)."""
    return frames.permute(0, 3, 1, 2).float() / 255


def as_bytes(frames: Float[Tensor, "n c h w"]) -> UInt8[np.ndarray, "n h w c"]:
    """Pictures in [0, 1] as 8-bit ones, channels last: the way back."""
    return (frames * 255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()


def different_integers(bounds: Int[Tensor, " b"], count: int, generator: torch.Generator) -> Int[Tensor, "b count"]:
    """For each bound, `count` different integers below it, every ordered choice as likely as any other.

    Each draw is from the integers left; it is moved up past the earlier ones, in rising order (Floyd).
    """
    picks = torch.empty(len(bounds), 0, dtype=torch.int64)
    for taken in range(count):
        uniform = torch.rand(len(bounds), generator=generator, dtype=torch.float64)
        pick = (uniform * (bounds - taken)).long()
        for earlier in picks.sort(dim=1).values.T:
            pick = pick + (pick >= earlier).long()
        picks = torch.cat([picks, pick[:, None]], dim=1)
    return picks
