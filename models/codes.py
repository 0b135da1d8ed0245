"""What a clip is turned into: one static code, and one dynamic code a frame."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True, slots=True)
class StaticCode:
    """Who or what each clip shows: f (Helminger et al.), content h_c (DrNET).

    `std` is zero where a family has no uncertainty. `skips` are features that a family's decoder
    needs beside the vector (DrNET's U-Net), each with the clips on its first axis.
    """

    mean: Float[Tensor, "b s"]
    std: Float[Tensor, "b s"]
    skips: tuple[Tensor, ...] = ()

    def __len__(self) -> int:
        return self.mean.shape[0]

    def __getitem__(self, clips: slice) -> "StaticCode":
        """The codes of some of the clips; a slice, so that the clip axis stays."""
        return type(self)(self.mean[clips], self.std[clips], tuple(skip[clips] for skip in self.skips))

    def to(self, device: torch.device | str) -> "StaticCode":
        """The same codes on another device."""
        return type(self)(self.mean.to(device), self.std.to(device), tuple(skip.to(device) for skip in self.skips))

    @classmethod
    def cat(cls, codes: Sequence["StaticCode"]) -> "StaticCode":
        """The codes of several batches as one batch."""
        skips = zip(*(code.skips for code in codes), strict=True)
        return cls(
            torch.cat([code.mean for code in codes]),
            torch.cat([code.std for code in codes]),
            tuple(torch.cat(parts) for parts in skips),
        )


@dataclass(frozen=True, slots=True)
class DynamicCode:
    """What each frame does: z₁..z_T (Helminger et al.), pose h_p (DrNET)."""

    mean: Float[Tensor, "b t z"]
    std: Float[Tensor, "b t z"]

    def __getitem__(self, clips: slice) -> "DynamicCode":
        """The codes of some of the clips."""
        return type(self)(self.mean[clips], self.std[clips])


@dataclass(frozen=True, slots=True)
class Codes:
    """Both codes of a batch of clips."""

    static: StaticCode
    dynamic: DynamicCode

    def __getitem__(self, clips: slice) -> "Codes":
        """The codes of some of the clips."""
        return type(self)(self.static[clips], self.dynamic[clips])
