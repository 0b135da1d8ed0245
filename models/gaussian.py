"""Diagonal Gaussians: what every posterior and prior of this house returns."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Gaussian:
    """N(mean, diag(exp(log_var))), one per element of the leading axes."""

    mean: Float[Tensor, "*batch d"]
    log_var: Float[Tensor, "*batch d"]

    @property
    def std(self) -> Float[Tensor, "*batch d"]:
        """Standard deviation σ = exp(log_var / 2)."""
        return torch.exp(0.5 * self.log_var)

    def sample(self, generator: torch.Generator | None = None) -> Float[Tensor, "*batch d"]:
        """Draw mean + σ·ε, so that gradients reach both parameters (Kingma & Welling 2014, §2.4)."""
        noise = torch.randn(self.mean.shape, generator=generator, device=self.mean.device, dtype=self.mean.dtype)
        return self.mean + noise * self.std

    def log_prob(self, value: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch"]:
        """Log-density of `value` in nats, summed over the last axis."""
        squared = (value - self.mean) ** 2 * torch.exp(-self.log_var)
        return -0.5 * (squared + self.log_var + math.log(2 * math.pi)).sum(-1)


def correlated_samples(
    mean: Float[Tensor, " d"], factor: Float[Tensor, "d d"], num: int, generator: torch.Generator
) -> Float[Tensor, "num d"]:
    """Draw from N(mean, factor factorᵀ); noise is drawn on the CPU, so that a seed means the same everywhere."""
    noise = torch.randn(num, len(mean), generator=generator).to(mean)
    return mean + noise @ factor.T


def standard_normal_like(q: Gaussian) -> Gaussian:
    """N(0, I) of the shape of `q`."""
    return Gaussian(torch.zeros_like(q.mean), torch.zeros_like(q.log_var))


def kl_divergence(q: Gaussian, p: Gaussian) -> Float[Tensor, "*batch"]:
    """KL(q ‖ p) in nats, summed over latents; averaging over clips is the caller's.

    Source: Kingma & Welling 2014 (arXiv:1312.6114), appendix B, with p not necessarily standard.
    """
    log_ratio = q.log_var - p.log_var
    squared_shift = (q.mean - p.mean) ** 2 * torch.exp(-p.log_var)
    return 0.5 * (torch.exp(log_ratio) + squared_shift - 1 - log_ratio).sum(-1)
