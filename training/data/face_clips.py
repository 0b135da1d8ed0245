"""Drawn faces as training clips, each drawn when it is asked for.

A pool that fits in memory, 3000 identities of 40 frames, is seen hundreds of times over in a long run, and can be
learnt by heart: what moves few pixels is then known of those people and not seen in others (docs/results.md).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from training.data.faces import IMAGE_SIZE, Split, motion_path, numbers
from training.data.identity import Identity
from training.data.pool import as_floats, different_clips
from training.data.portrait import draw


@dataclass(frozen=True, slots=True)
class FaceClips:
    """Every identity of a split, moving for `frames` frames in a way of its own each time."""

    split: Split
    frames: int = 40  # of a numbered movement
    first: int = 0  # identities of the split's fixed order that are left out

    @property
    def aligned(self) -> bool:
        """Identities move each in its own way."""
        return False

    def __len__(self) -> int:
        return len(numbers(self.split)) - self.first

    def clip(self, index: int) -> Float[Tensor, "t c h w"]:
        """All frames of a numbered identity's own movement, in [0, 1]; always the same ones."""
        return self.run(index, self.frames, torch.Generator().manual_seed(index))

    def draw(
        self, batch: int, num_frames: int, generator: torch.Generator, within: int | None = None
    ) -> Float[Tensor, "b t c h w"]:
        """Random identities, and of each `num_frames` moments of different movements, in [0, 1].

        Frames of one movement tell each other's pose, so that a static code learnt from them holds the pose that
        they have on average; moments far apart do not. `within` means nothing to them.
        """
        chosen = different_clips(len(self), batch, generator).tolist()
        rng = numpy_generator(generator)
        moments = [
            [motion_path(rng, self.frames)[rng.integers(self.frames)] for _ in range(num_frames)] for _ in chosen
        ]
        return torch.stack(
            [drawn(self.who(index), np.stack(path)) for index, path in zip(chosen, moments, strict=True)]
        )

    def with_runs(self, length: int) -> Sequence[int]:
        """Every identity: a face moves as long as it is asked to."""
        return range(len(self))

    def run(self, index: int, length: int, generator: torch.Generator) -> Float[Tensor, "length c h w"]:
        """A new movement of an identity, of any length."""
        return drawn(self.who(index), motion_path(numpy_generator(generator), length))

    def who(self, index: int) -> Identity:
        """The identity of that number within the split, of those that are not left out."""
        if not 0 <= index < len(self):
            raise IndexError(f"there are {len(self)} identities, got {index}")
        return Identity.from_number(int(numbers(self.split)[self.first + index]))


def numpy_generator(generator: torch.Generator) -> np.random.Generator:
    """NumPy's generator, seeded by the next number of torch's."""
    return np.random.default_rng(int(torch.randint(2**62, (), generator=generator)))


def drawn(identity: Identity, path: np.ndarray) -> Float[Tensor, "t c h w"]:
    """The frames of an identity that moves so; `path` holds smile, surprise and turn of each."""
    pictures = [draw(identity, (float(s), float(o), float(t)), IMAGE_SIZE) for s, o, t in path]
    return as_floats(torch.from_numpy(np.stack(pictures)))
