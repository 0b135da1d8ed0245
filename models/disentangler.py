"""What a family of models must do, in tensors; compositions and the worker are written on this alone."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from models.codes import Codes, DynamicCode, StaticCode
from models.gaussian import Gaussian
from models.motion import Motion, Range


@dataclass(frozen=True, slots=True)
class FitScores:
    """How well one clip is explained: what `models.fit` compares with the model's held-out clips.

    A family without a likelihood has the first alone.
    """

    psnr_db: float  # mean over frames of the reconstruction's PSNR
    elbo_nats: float | None = None  # the bound, in nats per frame
    excess_nats: float | None = None  # what the bound lacks to the largest that grey levels allow, in nats per frame
    static_kl: float | None = None  # KL of the static posterior to its prior, in nats


class Disentangler(nn.Module, ABC):
    """A model that splits clips into static and dynamic codes, and makes frames of such codes.

    Frames are RGB in [0, 1], `image_size` square, channels first. Inputs decide device and length.
    """

    family: ClassVar[str]
    image_size: int
    channels: int
    static_dim: int
    dynamic_dim: int

    def __init__(self) -> None:
        super().__init__()
        self.motion: Motion | None = None  # trained on the codes afterwards, and kept with the model

    def taught_motion(self) -> Motion:
        """Return its motion.

        Raises:
            ValueError: it has learnt none.

        """
        if self.motion is None:
            raise ValueError("this model has no motion model, so it predicts nothing")
        return self.motion

    @property
    def dynamic_range(self) -> Range:
        """Which dynamic codes this family has: any, those in [-1, 1], or those of length 1."""
        return "any"

    @property
    def unit_static(self) -> bool:
        """Whether static codes are of length 1."""
        return False

    @property
    def needs_maps(self) -> bool:
        """Whether a static code is more than its vector: a U-Net's decoder takes features of a real frame too."""
        return False

    @abstractmethod
    def network(self) -> dict[str, Any]:
        """The sizes that rebuild this model, as JSON can hold them."""

    @abstractmethod
    def features(self, frames: Float[Tensor, "t c h w"]) -> Float[Tensor, "t ..."]:
        """What the codes are computed from, frame by frame: a long clip goes through here in chunks."""

    @abstractmethod
    def codes(self, features: Float[Tensor, "t ..."], frame: Callable[[int], Float[Tensor, "c h w"]]) -> Codes:
        """The codes of the one clip whose frames have these features (b = 1).

        `frame` gives a frame again by its number, to a family that keeps more of one frame than its features.
        """

    @abstractmethod
    def encode(self, frames: Float[Tensor, "b t c h w"]) -> Codes:
        """The codes of a batch of clips."""

    def encode_dynamic(self, frames: Float[Tensor, "b t c h w"]) -> DynamicCode:
        """The dynamic codes of `encode` alone, for which a family may need less work."""
        return self.encode(frames).dynamic

    @abstractmethod
    def decode(self, static: StaticCode, dynamic: Float[Tensor, "b t z"]) -> Float[Tensor, "b t c h w"]:
        """Pictures in [0, 1] of each clip's static code doing its dynamic codes."""

    @abstractmethod
    def prior(self, static: StaticCode) -> Gaussian:
        """p(dynamic | static) of one frame, per clip: mean and log_var of shape (b, z)."""

    @abstractmethod
    def sample_static(self, num: int, generator: torch.Generator) -> StaticCode:
        """Static codes of `num` identities that no clip showed."""

    @abstractmethod
    def score(
        self,
        frames: Float[Tensor, "t c h w"],
        reconstruction: Float[Tensor, "t c h w"],
        codes: Codes,
    ) -> FitScores:
        """How well the codes of one clip explain its frames."""


def peak_signal_to_noise(frames: Float[Tensor, "t c h w"], others: Float[Tensor, "t c h w"]) -> Float[Tensor, " t"]:
    """PSNR of each frame in dB, for values in [0, 1]; 100 dB stands for equal."""
    error = ((frames.float() - others.float()) ** 2).mean((1, 2, 3))
    return -10 * torch.log10(error.clamp_min(1e-10))


def encode_in_chunks(model: Disentangler, frames: Float[Tensor, "t c h w"], chunk: int = 64) -> Codes:
    """`model.encode` of one clip of any length, in bounded memory."""
    features = torch.cat([model.features(frames[first : first + chunk]) for first in range(0, len(frames), chunk)])
    return model.codes(features, lambda number: frames[number])


def decode_in_chunks(
    model: Disentangler, static: StaticCode, dynamic: Float[Tensor, "t z"], chunk: int = 64
) -> Float[Tensor, "t c h w"]:
    """`model.decode` of one clip of any length, in bounded memory."""
    return torch.cat(
        [model.decode(static, dynamic[None, first : first + chunk])[0] for first in range(0, len(dynamic), chunk)]
    )


def merge_frames(frames: Float[Tensor, "b t c h w"]) -> Float[Tensor, "n c h w"]:
    """All frames of all clips on one axis."""
    return rearrange(frames, "b t c h w -> (b t) c h w")


__all__ = [
    "Codes",
    "Disentangler",
    "DynamicCode",
    "FitScores",
    "StaticCode",
    "decode_in_chunks",
    "encode_in_chunks",
    "merge_frames",
    "peak_signal_to_noise",
]
