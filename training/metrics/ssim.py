"""Structural similarity of pictures, as prediction papers report it: an 11 × 11 Gaussian window of deviation 1.5.

Source: Wang et al., "Image quality assessment: from error visibility to structural similarity", 2004, equation 13, with
K₁ = 0.01, K₂ = 0.03 and a range of 1. Every pixel has a window; pictures go on as their mirror image at the sides, as
in torchmetrics, to which a test holds this (loading that library takes longer than all else here).
"""

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn.functional import pad

SIDE, DEVIATION = 11, 1.5
C1, C2 = 0.01**2, 0.03**2
BATCH = 64  # frames compared at once


def frame_ssim(made: UInt8[Tensor, "n t c h w"], true: UInt8[Tensor, "n t c h w"]) -> Float[np.ndarray, "n t"]:
    """SSIM of each frame in [-1, 1], 1 for equal ones; the mean over pixels and channels (sides of 6 or more)."""
    ours, theirs = made.flatten(0, 1), true.flatten(0, 1)
    similarity = [
        window_similarity(ours[first : first + BATCH], theirs[first : first + BATCH]).mean((1, 2, 3))
        for first in range(0, len(ours), BATCH)
    ]
    found: np.ndarray = torch.cat(similarity).double().cpu().numpy()
    return found.reshape(made.shape[:2])


def window_similarity(made: UInt8[Tensor, "n c h w"], true: UInt8[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
    """SSIM of the window about every pixel: how alike two pictures are there in mean, in contrast and in structure."""
    x, y = (picture.float() / 255 for picture in (made, true))
    mean_x, mean_y, square_x, square_y, product = blurred(torch.stack([x, y, x * x, y * y, x * y]))
    variances = square_x - mean_x**2 + square_y - mean_y**2
    covariance = product - mean_x * mean_y
    shared = (2 * mean_x * mean_y + C1) * (2 * covariance + C2)
    similarity: Tensor = shared / ((mean_x**2 + mean_y**2 + C1) * (variances + C2))
    return similarity


def blurred(pictures: Float[Tensor, "maps n c h w"]) -> Float[Tensor, "maps n c h w"]:
    """Means over Gaussian windows, along one side after the other: as products of matrices several times as fast."""
    rows, columns = (windows(side).to(pictures) for side in pictures.shape[-2:])
    return rows @ pictures @ columns.T


def windows(side: int) -> Float[Tensor, "{side} {side}"]:
    """How much each pixel of a line (second axis) weighs in the window about each (first axis)."""
    offsets = torch.arange(SIDE, dtype=torch.float64) - SIDE // 2
    window = torch.exp(-(offsets**2) / (2 * DEVIATION**2))
    lines = pad(torch.eye(side, dtype=torch.float64)[None], [SIDE // 2] * 2, mode="reflect")[0]
    return (lines.unfold(1, SIDE, 1) @ (window / window.sum())).T
