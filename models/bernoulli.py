"""The Bernoulli likelihood of frames, from logits: sharper than a Gaussian one (Helminger et al. 2018)."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional


def bernoulli_log_likelihood(logits: Float[Tensor, "n c h w"], frames: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
    """Σ x log σ(l) + (1 − x) log(1 − σ(l)) in nats per frame, summed over pixels and channels."""
    losses = functional.binary_cross_entropy_with_logits(logits.float(), frames.float(), reduction="none")
    return -losses.sum((1, 2, 3))


def pixel_entropy(frames: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
    """The entropy of grey levels read as probabilities: minus the largest possible log-likelihood."""
    grey = frames.float().clamp(1e-7, 1 - 1e-7)
    terms = -(grey * torch.log(grey) + (1 - grey) * torch.log1p(-grey))
    return torch.where((frames > 0) & (frames < 1), terms, torch.zeros_like(terms)).sum((1, 2, 3))
