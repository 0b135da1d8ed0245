"""Mixtures of diagonal Gaussians: what comes next where it may be one of several different things."""

from dataclasses import dataclass

import torch
from einops import rearrange, repeat
from jaxtyping import Float
from torch import Tensor

from models.gaussian import Gaussian


@dataclass(frozen=True, slots=True)
class Mixture:
    """Σ_k w_k N(mean_k, diag(exp(log_var_k))), one per element of the leading axes.

    Source: Bishop 1994, "Mixture density networks" (NCRG/94/004), eq. 22 and 23, with a variance a dimension.
    """

    log_weights: Float[Tensor, "*batch k"]  # of a sum of weights of 1
    mean: Float[Tensor, "*batch k d"]
    log_var: Float[Tensor, "*batch k d"]

    def log_prob(self, value: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch"]:
        """Log-density of `value` in nats."""
        each = Gaussian(self.mean, self.log_var).log_prob(value[..., None, :].expand_as(self.mean))
        return torch.logsumexp(self.log_weights + each, dim=-1)

    def likeliest(self) -> Gaussian:
        """The component with the largest weight: one thing that may come, where the mean of all is none."""
        return self.component(self.log_weights.argmax(-1))

    def drawn(self, generator: torch.Generator) -> Gaussian:
        """A component drawn by weight; drawn on the CPU, so that a seed means the same on every device."""
        if self.log_weights.shape[-1] == 1:
            return self.likeliest()
        weights = rearrange(self.log_weights.detach().exp().float().cpu(), "... k -> (...) k")
        which = torch.multinomial(weights, 1, generator=generator).reshape(self.log_weights.shape[:-1])
        return self.component(which.to(self.log_weights.device))

    def component(self, which: Tensor) -> Gaussian:
        """The component of that number, one per element of the leading axes ("*batch", integers)."""
        at = repeat(which, "... -> ... 1 d", d=self.mean.shape[-1])
        mean, log_var = (part.gather(-2, at).squeeze(-2) for part in (self.mean, self.log_var))
        return Gaussian(mean, log_var)
