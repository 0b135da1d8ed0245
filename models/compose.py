"""What codes are for, written once for all families: transfer, swap, and the plane of one identity."""

from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import Any, Literal

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, UInt8
from torch import Tensor

from models.codes import Codes, StaticCode
from models.disentangler import Disentangler, decode_in_chunks

Transfer = Literal["raw", "prior"]
Spacing = Literal["linear", "quantile"]


def as_pictures(frames: Float[Tensor, "*n c h w"]) -> UInt8[np.ndarray, "*n h w c"]:
    """Frames in [0, 1] as 8-bit pictures, channels last."""
    rounded = (frames.clamp(0, 1) * 255).round().to(torch.uint8).cpu().numpy()
    pictures: np.ndarray = np.moveaxis(rounded, -3, -1)
    return np.ascontiguousarray(pictures)


@torch.inference_mode()
def transfer(
    model: Disentangler,
    dynamic: Float[Tensor, "t z"],
    source: StaticCode,
    target: StaticCode,
    how: Transfer,
) -> Float[Tensor, "t z"]:
    """The dynamic codes of `source` as `target` would have them; each static code is of one clip.

    "raw" moves them as they are. "prior" moves the standardised ones, since the prior of the dynamic
    code depends on who moves: e = (z − μ_p(f_source)) / σ_p(f_source), z' = μ_p(f_target) + σ_p(f_target) e.
    """
    if how == "raw":
        return dynamic
    here, there = model.prior(source), model.prior(target)
    return there.mean + there.std * (dynamic - here.mean) / here.std


@torch.inference_mode()
def swap(
    model: Disentangler, static: StaticCode, motion: Codes, how: Transfer = "raw", chunk: int = 64
) -> UInt8[np.ndarray, "t h w c"]:
    """Who `static` shows, doing what the one clip of `motion` does."""
    moved = transfer(model, motion.dynamic.mean[0], motion.static, static, how)
    return as_pictures(decode_in_chunks(model, static, moved, chunk))


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
    size: int,
    dims: tuple[int, int],
    extent: float = 2.5,
    spacing: Spacing = "linear",
    chunk: int = 64,
) -> tuple[UInt8[np.ndarray, "row column h w c"], Float[np.ndarray, "row column z"]]:
    """The plane of two dynamic dimensions of one identity, and its coordinates.

    The first of `dims` rises to the right, the second upwards, `extent` prior standard deviations to
    each side of the prior's mean; every other dimension stays at that mean.
    """
    prior = model.prior(static)
    steps = axis(size, extent, spacing).to(prior.mean.device)
    coordinates = prior.mean[0].expand(size, size, -1).clone()
    coordinates[:, :, dims[0]] += (steps * prior.std[0, dims[0]])[None, :]
    coordinates[:, :, dims[1]] += (steps.flip(0) * prior.std[0, dims[1]])[:, None]
    frames = decode_in_chunks(model, static, rearrange(coordinates, "r c z -> (r c) z"), chunk)
    pictures = rearrange(as_pictures(frames), "(r c) h w k -> r c h w k", r=size)
    return pictures, coordinates.float().cpu().numpy()
