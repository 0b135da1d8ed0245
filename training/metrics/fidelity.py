"""How true the pictures are: reconstructions, swaps against the drawn truth, and the gap between the two."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from training.metrics.bootstrap import Estimate, mean_over_identities, mean_over_pairs, weights


@dataclass(frozen=True, slots=True)
class Fidelity:
    """In dB, means over frames, with 95 % intervals over identities."""

    reconstruction_psnr: Estimate
    swap_psnr: Estimate
    gap: Estimate  # reconstruction − swap: what taking the static code from somebody else's place costs


def fidelity(
    reconstruction: Float[np.ndarray, "n t"],
    swap: Float[np.ndarray, "p t"],
    pairs: Int[np.ndarray, "p 2"],
    seed: int = 0,
) -> Fidelity:
    """Summarise the PSNR of frames; both means and their gap are resampled together."""
    each, paired = reconstruction.mean(1), swap.mean(1)
    drawn = weights(np.random.default_rng(seed), len(each))
    again, swapped = mean_over_identities(each, drawn), mean_over_pairs(paired, pairs, drawn)
    return Fidelity(
        Estimate.of(each.mean(), again),
        Estimate.of(paired.mean(), swapped),
        Estimate.of(each.mean() - paired.mean(), again - swapped),
    )


@dataclass(frozen=True, slots=True)
class Similarity:
    """SSIM, means over frames, with 95 % intervals over identities."""

    reconstruction_ssim: Estimate
    swap_ssim: Estimate


def similarity(
    reconstruction: Float[np.ndarray, "n t"],
    swap: Float[np.ndarray, "p t"],
    pairs: Int[np.ndarray, "p 2"],
    seed: int = 0,
) -> Similarity:
    """Summarise the SSIM of frames, resampled as `fidelity` does."""
    measured = fidelity(reconstruction, swap, pairs, seed)
    return Similarity(measured.reconstruction_psnr, measured.swap_psnr)
