"""Structural similarity of pictures, as prediction papers report it: an 11 × 11 Gaussian window of deviation 1.5."""

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

BATCH = 64  # frames compared at once


def frame_ssim(made: UInt8[Tensor, "n t c h w"], true: UInt8[Tensor, "n t c h w"]) -> Float[np.ndarray, "n t"]:
    """SSIM of each frame in [-1, 1], 1 for equal ones; the mean over pixels and channels.

    Source: Wang et al. 2004, with K₁ = 0.01, K₂ = 0.03 and a range of 1.
    """
    # A second or two that a run pays when it is measured, and not before its first step.
    from torchmetrics.functional.image import structural_similarity_index_measure

    values = []
    for first in range(0, made.shape[0] * made.shape[1], BATCH):
        ours, theirs = (part.flatten(0, 1)[first : first + BATCH].float() / 255 for part in (made, true))
        found = structural_similarity_index_measure(
            ours, theirs, gaussian_kernel=True, sigma=1.5, kernel_size=11, data_range=1.0, reduction="none"
        )
        values.append(torch.as_tensor(found).reshape(-1))
    similarity: np.ndarray = torch.cat(values).double().numpy()
    return similarity.reshape(made.shape[:2])
