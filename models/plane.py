"""The plane of one identity: its pictures over two directions of the dynamic code."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Literal

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, UInt8
from torch import Tensor

from models.codes import StaticCode
from models.compose import as_pictures
from models.disentangler import Disentangler, decode_in_chunks
from models.motion import in_range

Spacing = Literal["linear", "quantile"]


@dataclass(frozen=True, slots=True)
class Plane:
    """Two directions of the dynamic code: the first one goes to the right, the second one upwards."""

    axes: Float[Tensor, "2 z"]  # from the prior's mean to one of its deviations
    dims: tuple[int, ...]  # the two dimensions that they are; none where they are mixtures

    @classmethod
    def of_dims(cls, model: Disentangler, static: StaticCode, dims: tuple[int, int]) -> "Plane":
        """Two dimensions, in prior standard deviations of this identity."""
        std = model.prior(static).std[0]
        axes = torch.zeros(2, model.dynamic_dim, device=std.device)
        for row, dim in enumerate(dims):
            axes[row, dim] = std[dim]
        return cls(axes, dims)

    @classmethod
    def of_principal_axes(cls, statistics: Mapping[str, Any], device: torch.device | str = "cpu") -> "Plane":
        """The two directions in which held-out clips' dynamic codes spread most, in standard deviations of theirs.

        Raises:
            ValueError: the model's statistics do not tell them.

        """
        axes = statistics.get("dynamic", {}).get("axes")
        if not axes or len(axes) < 2:
            raise ValueError("this model's folder does not tell its principal axes, of which a plane needs two")
        return cls(torch.tensor(axes[:2], device=device), ())


def principal_axes(dynamic: Float[Tensor, "n z"]) -> Float[Tensor, "z z"]:
    """Eigenvectors of the covariance of dynamic codes, each as long as its standard deviation, the longest first.

    The largest entry of each is positive, so that an axis is not mirrored from one training to the next.
    """
    variances, vectors = torch.linalg.eigh(dynamic.double().T.cov().reshape(dynamic.shape[1], -1))
    axes = vectors.T * variances.clamp_min(0).sqrt()[:, None]
    largest = axes.gather(1, axes.abs().argmax(1, keepdim=True))
    ordered: Tensor = (axes * torch.where(largest < 0, -1.0, 1.0)).flip(0).float()
    return ordered


def active_dims(statistics: Mapping[str, Any], dynamic_dim: int) -> tuple[int, int]:
    """The two most active dynamic dimensions, by the model's statistics; the first two without any.

    Raises:
        ValueError: the model has a single dynamic dimension, so there is no plane.

    """
    if dynamic_dim < 2:
        raise ValueError(f"a plane needs 2 dynamic dimensions, this model has {dynamic_dim}")
    order: Sequence[int] = statistics.get("dynamic", {}).get("order", range(dynamic_dim))
    return order[0], order[1]


def axis(size: int, extent: float, spacing: Spacing) -> Float[Tensor, " size"]:
    """Positions along one side of the plane, in prior standard deviations.

    "linear" goes in equal steps from −extent to extent; "quantile" in equal shares of the prior's mass
    between them, which is denser at the middle, as in the paper's figures of the latent plane.
    """
    if spacing == "linear":
        return torch.linspace(-extent, extent, size)
    normal = NormalDist()
    first, last = normal.cdf(-extent), normal.cdf(extent)
    return torch.tensor([normal.inv_cdf(first + (last - first) * i / (size - 1)) for i in range(size)])


@torch.inference_mode()
def latent_grid(
    model: Disentangler,
    static: StaticCode,
    plane: Plane,
    size: int,
    extent: float = 2.5,
    spacing: Spacing = "linear",
    chunk: int = 64,
) -> tuple[UInt8[np.ndarray, "row column h w c"], Float[np.ndarray, "row column z"]]:
    """The pictures of one identity over a plane, and their dynamic codes.

    The plane's middle is the prior's mean, and it goes `extent` of its axes to each side. Codes of a family that has
    no others than those of length 1, or within [-1, 1], are the nearest ones.
    """
    middle = model.prior(static).mean[0]
    steps, axes = axis(size, extent, spacing).to(middle.device), plane.axes.to(middle)
    across, upwards = steps[None, :, None] * axes[0], steps.flip(0)[:, None, None] * axes[1]
    coordinates = in_range(model.dynamic_range, middle + across + upwards)
    frames = decode_in_chunks(model, static, rearrange(coordinates, "r c z -> (r c) z"), chunk)
    pictures = rearrange(as_pictures(frames), "(r c) h w k -> r c h w k", r=size)
    return pictures, coordinates.float().cpu().numpy()
