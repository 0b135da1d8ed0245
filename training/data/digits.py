"""Moving digits, in both definitions that go by the name of moving MNIST; clips are drawn when asked for.

**DrNET's** (Denton & Birodkar 2017, and the authors' code): digits of 32 pixels on 64 × 64, digit n in colour channel
n, one in front of the other, whole steps of −4 to 3 pixels a frame. **Srivastava's** (Srivastava et al. 2015,
arXiv:1502.04681): grey digits of 28 pixels, the brighter one seen, steps of a tenth of the free range in any direction.
In both, a digit that comes to a border turns there, so that five frames say all that follows.

The files are the four of MNIST (LeCun, Cortes & Burges): `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`,
`t10k-images-idx3-ubyte` and `t10k-labels-idx1-ubyte`, each plain or with `.gz`, from any of MNIST's mirrors.
Training digits make training clips, test digits make held-out clips.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, Int, UInt8
from PIL import Image
from torch import Tensor

from training.data.errors import DataError
from training.data.idx import read_idx
from training.data.pool import as_floats, different_integers

Split = Literal["train", "test"]
Style = Literal["drnet", "srivastava"]

CANVAS = 64  # pixels a side
SIDES: dict[Style, int] = {"drnet": 32, "srivastava": 28}
FILES: dict[Split, str] = {"train": "train", "test": "t10k"}
DIGESTS = {  # SHA-256 of each file, unpacked; other files are refused
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
STEP = 0.1  # Srivastava's: share of the free range that a digit moves in a frame


def read_digits(folder: Path, split: Split, side: int) -> tuple[UInt8[Tensor, "n s s"], Int[Tensor, " n"]]:
    """The digits of a split and which they are, resized (bilinear, with antialiasing) where `side` is not 28.

    Raises:
        DataError: a file is missing, broken or not MNIST's, or the two do not belong together.

    """
    names = (f"{FILES[split]}-images-idx3-ubyte", f"{FILES[split]}-labels-idx1-ubyte")
    images, labels = (read_idx(idx_file(folder, name), DIGESTS.get(name)) for name in names)
    if images.ndim != 3 or labels.shape != images.shape[:1]:
        raise DataError(f"{folder} has images of shape {images.shape} and labels of shape {labels.shape} for {split}")
    if images.shape[1:] != (side, side):
        resized = [Image.fromarray(image).resize((side, side), Image.Resampling.BILINEAR) for image in images]
        images = np.stack([np.asarray(image) for image in resized])
    return torch.tensor(images), torch.tensor(labels, dtype=torch.int64)


def idx_file(folder: Path, name: str) -> Path:
    """The file of that name, or its gzipped form.

    Raises:
        DataError: there is neither.

    """
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            return path
    raise DataError(f"{folder} has neither {name} nor {name}.gz")


@dataclass(frozen=True, slots=True)
class Actors:
    """Who is in each clip: the static factors."""

    digits: Int[Tensor, "n k"]  # which picture of the split
    front: Int[Tensor, "n k"]  # the digits' numbers from back to front (DrNET's; elsewhere it says nothing)


@dataclass(frozen=True, slots=True)
class MovingDigits:
    """The digits of a split, and clips of them: k digits each, `length` frames."""

    images: UInt8[Tensor, "d s s"]
    labels: Int[Tensor, " d"]
    style: Style = "drnet"
    num_digits: int = 2
    length: int = 20  # frames; those drawn for one training example are less than so many apart
    clips: int = 10_000  # how many numbered ones there are
    aligned: bool = False  # clips move each in its own way
    consecutive: bool = False  # examples are the first frames of a clip, as the authors' later code has it

    def __post_init__(self) -> None:
        if self.style == "drnet" and not 1 <= self.num_digits <= 3:
            raise ValueError(
                f"each digit has a colour channel of its own: num_digits must be 1 to 3, got {self.num_digits}"
            )

    @classmethod
    def load(cls, folder: Path, split: Split, style: Style = "drnet", num_digits: int = 2) -> "MovingDigits":
        """The digits of a split of MNIST.

        Raises:
            DataError: its files cannot be read.

        """
        return cls(*read_digits(folder, split, SIDES[style]), style, num_digits)

    def __len__(self) -> int:
        return self.clips

    def cast(self, count: int, generator: torch.Generator) -> Actors:
        """Random digits, in random order from back to front."""
        digits = torch.randint(len(self.images), (count, self.num_digits), generator=generator)
        return Actors(digits, torch.rand(digits.shape, generator=generator).argsort(1))

    def paths(self, count: int, length: int, generator: torch.Generator) -> Int[Tensor, "n t k 2"]:
        """Where each digit's upper left corner is: row and column in pixels."""
        free = CANVAS - SIDES[self.style]
        shape = (count, 1, self.num_digits, 2)
        times = torch.arange(length)[None, :, None, None]
        if self.style == "drnet":
            start = torch.randint(free, shape, generator=generator)
            return bounced(start + torch.randint(-4, 4, shape, generator=generator) * times, free)
        start = torch.rand(shape, generator=generator, dtype=torch.float64)
        angle = 2 * torch.pi * torch.rand(shape[:-1], generator=generator, dtype=torch.float64)
        velocity = STEP * torch.stack([torch.sin(angle), torch.cos(angle)], -1)
        return (free * bounced(start + velocity * times, 1)).long()

    def draw_clips(self, actors: Actors, paths: Int[Tensor, "n t k 2"]) -> UInt8[Tensor, "n t h w c"]:
        """The pictures of these digits on these paths, so also the true picture of every swap."""
        count, length = paths.shape[:2]
        canvas = torch.zeros(count, length, CANVAS, CANVAS, 3, dtype=torch.uint8)
        clip = torch.arange(count)[:, None, None, None]
        time = torch.arange(length)[None, :, None, None]
        reach = torch.arange(SIDES[self.style])
        for layer in range(self.num_digits):
            number = actors.front[:, layer] if self.style == "drnet" else torch.full((count,), layer)
            digit = self.images[actors.digits[torch.arange(count), number]][:, None].expand(-1, length, -1, -1)
            corner = paths[torch.arange(count), :, number]
            place = (
                clip,
                time,
                (corner[:, :, 0, None] + reach)[..., None],
                (corner[:, :, 1, None] + reach)[:, :, None],
            )
            behind = canvas[place]
            if self.style == "drnet":
                behind[digit > 0] = 0  # it hides what is behind it, channels other than its own too
                own = torch.nn.functional.one_hot(number, 3).bool()[:, None, None, None]
                canvas[place] = torch.where(own & (digit > 0)[..., None], digit[..., None], behind)
            else:
                canvas[place] = torch.maximum(behind, digit[..., None])
        return canvas

    def clip(self, index: int) -> Float[Tensor, "t c h w"]:
        """All frames of a numbered clip, in [0, 1]; always the same ones."""
        generator = torch.Generator().manual_seed(index)
        actors, paths = self.cast(1, generator), self.paths(1, self.length, generator)
        return as_floats(self.draw_clips(actors, paths)[0])

    def draw(
        self, batch: int, num_frames: int, generator: torch.Generator, within: int | None = None
    ) -> Float[Tensor, "b t c h w"]:
        """New clips, and of each `num_frames` different frames of its `length` in random order, in [0, 1].

        With `consecutive` the first ones in order: no two are then further apart than their number. Else they are
        `within` the first so many frames: where a clip begins is as random as any stretch of it.

        Raises:
            DataError: a clip has fewer frames.

        """
        actors, paths = self.scattered(batch, num_frames, generator, within)
        drawn = self.draw_clips(actors, paths)
        return rearrange(as_floats(rearrange(drawn, "b t h w c -> (b t) h w c")), "(b t) c h w -> b t c h w", b=batch)

    def places(self, batch: int, num_frames: int, generator: torch.Generator) -> Float[Tensor, "b t k2"]:
        """Where the digits are in what `draw` would draw, and nothing of which digits they are."""
        _, paths = self.scattered(batch, num_frames, generator)
        return rearrange(paths, "b t k two -> b t (k two)").float()

    def scattered(
        self, batch: int, num_frames: int, generator: torch.Generator, within: int | None = None
    ) -> tuple[Actors, Int[Tensor, "b t k 2"]]:
        """New clips' digits, and where they are in the frames that `draw` draws.

        Raises:
            DataError: a clip has fewer frames.

        """
        if num_frames > self.length:
            raise DataError(f"a clip has {self.length} frames; {num_frames} different ones are drawn of each")
        length = self.length if within is None else min(self.length, max(within, num_frames))
        actors, paths = self.cast(batch, generator), self.paths(batch, length, generator)
        if self.consecutive:
            times = torch.arange(num_frames).expand(batch, -1)
        else:
            times = different_integers(torch.full((batch,), length), num_frames, generator)
        return actors, paths[torch.arange(batch)[:, None], times]

    def with_runs(self, length: int) -> Sequence[int]:
        """Every clip: digits never stop."""
        return range(self.clips)

    def run(self, index: int, length: int, generator: torch.Generator) -> Float[Tensor, "length c h w"]:
        """A new clip of any length; the number says nothing."""
        return as_floats(self.draw_clips(self.cast(1, generator), self.paths(1, length, generator))[0])


def bounced(way: Tensor, free: int) -> Tensor:
    """Where something is that has gone `way` between two walls, at 0 and at `free`, and turned at each it met.

    It goes back by what it would have gone too far, as a ball does. Both published generators put it on the wall for a
    frame and turn it there, so that from 1 at −3 a step theirs comes to 0 and then 3, ours to 2 and then 5.
    """
    folded = way.remainder(2 * free)
    return torch.minimum(folded, 2 * free - folded)
