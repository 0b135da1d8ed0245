"""The Bernoulli likelihood of frames, from logits: sharper than a Gaussian one (Helminger et al. 2018)."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

WORST = 50.0  # times as much as the average value the one that is drawn worst may count


def bernoulli_log_likelihood(logits: Float[Tensor, "n c h w"], frames: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
    """Σ x log σ(l) + (1 − x) log(1 − σ(l)) in nats per frame, summed over pixels and channels."""
    losses = functional.binary_cross_entropy_with_logits(logits.float(), frames.float(), reduction="none")
    return -losses.sum((1, 2, 3))


def worst_log_likelihood(logits: Float[Tensor, "n c h w"], frames: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
    """The log-likelihood with every value weighed by how far it is from its best, 1 on average and at most `WORST`.

    What a value lacks is its loss less its entropy. The weights learn nothing, so that the gradient is that of the
    squares of what values lack: a few pixels that are drawn quite wrong count beside thousands that hardly are.
    """
    losses = functional.binary_cross_entropy_with_logits(logits.float(), frames.float(), reduction="none")
    with torch.no_grad():
        lacking = (losses - entropies(frames)).clamp_min(0)
        weights = (lacking / lacking.mean().clamp_min(1e-12)).clamp_max(WORST)
    return -(weights * losses).sum((1, 2, 3))


def pixel_entropy(frames: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
    """The entropy of grey levels read as probabilities: minus the largest possible log-likelihood."""
    return entropies(frames).sum((1, 2, 3))


def entropies(frames: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
    """Of each grey level read as a probability, in nats; 0 of black and white."""
    grey = frames.float().clamp(1e-7, 1 - 1e-7)
    terms = -(grey * torch.log(grey) + (1 - grey) * torch.log1p(-grey))
    return torch.where((frames > 0) & (frames < 1), terms, torch.zeros_like(terms))
