"""What the unordered VAE infers: q(f | x₁..x_N), q(zᵢ | xᵢ, f), and the learnt prior p(z | f) that z is held to.

Source: Helminger et al. 2018 (arXiv:1812.03962); `models.unordered_vae` says what the paper leaves open.
"""

import math

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from models.disentangler import merge_frames
from models.frames import CODE_PIXELS
from models.gaussian import Gaussian
from models.pairs import mean_over_pairs
from models.unordered_config import UnorderedVAEConfig

NARROW = -5.0  # log variance at which the posterior of a static code with a shortcut begins


def mlp(num_in: int, num_hidden: int, num_out: int) -> nn.Sequential:
    """Two hidden layers with ReLU, as the paper's dense stacks have."""
    return nn.Sequential(
        nn.Linear(num_in, num_hidden),
        nn.ReLU(),
        nn.Linear(num_hidden, num_hidden),
        nn.ReLU(),
        nn.Linear(num_hidden, num_out),
    )


class StandardisedLinear(nn.Module):
    """A linear map of features that each have mean 0 and variance 1 over the training clips.

    A feature that hardly ever moves has a tiny deviation, and a clip that does move it is then hundreds of
    deviations out: one such feature among 2048 once made a whole static code forty times too long. No
    feature counts for more than `LIMIT` deviations.
    """

    SCALE = 0.3  # of what it gives at first
    LIMIT = 5.0

    def __init__(self, num_in: int, num_out: int) -> None:
        super().__init__()
        self.standardise = nn.BatchNorm1d(num_in, affine=False, momentum=0.02)
        self.linear = nn.Linear(num_in, num_out, bias=False)
        nn.init.normal_(self.linear.weight, std=self.SCALE / math.sqrt(num_in))

    def forward(self, features: Float[Tensor, "n k"]) -> Float[Tensor, "n s"]:
        """The map, of the batch's own standardised features while training, of the kept statistics' afterwards."""
        standardised = self.standardise(features.to(self.linear.weight.dtype))
        mapped: Tensor = self.linear(standardised.clamp(-self.LIMIT, self.LIMIT))
        return mapped


class StaticPosterior(nn.Module):
    """q(f | x₁..x_N): what the frames of a clip agree on, found by comparing them in pairs.

    One 3 × 3 convolution is applied to every concatenated ordered pair of frame features; the mean over
    pairs goes on, so that neither the order nor the number of frames changes what is computed.

    The paper's dense layers alone can lose what moves few pixels, such as the colour of the eyes in a face: the
    trunk tells it, the dense layers do not pass it on, and a decoder is not taught to use what does not reach
    it (docs/results.md compares models without and with it). `static_shortcut` adds a linear map of the
    comparisons, each standardised so that faint ones count as much as loud ones, and a posterior that
    begins narrow (σ = e^−2.5), so that what comes through is not lost in noise either. It is our addition.
    """

    def __init__(self, config: UnorderedVAEConfig) -> None:
        super().__init__()
        width, compared = config.widths[-1], config.compared_channels
        self.compare = nn.Conv2d(2 * width, compared, 3, padding=1)
        self.agree = nn.Conv2d(compared, compared, 3, padding=1)
        self.hidden = nn.Linear(compared * CODE_PIXELS**2, config.static_hidden)
        self.head = nn.Linear(config.static_hidden, 2 * config.static_dim)
        self.shortcut = (
            StandardisedLinear(compared * CODE_PIXELS**2, config.static_dim) if config.static_shortcut else None
        )
        if self.shortcut is not None:
            nn.init.constant_(self.head.bias[config.static_dim :], NARROW)

    def halves(
        self, features: Float[Tensor, "b t e h w"]
    ) -> tuple[Float[Tensor, "b t k h w"], Float[Tensor, "b t k h w"]]:
        """What each frame adds to a pair as its first and as its second member.

        A convolution of [hᵢ; hⱼ] is A∗hᵢ + B∗hⱼ + bias, so N frames need 2N convolutions for N(N−1) pairs.
        """
        clips = features.shape[0]
        flat = merge_frames(features)
        first_weight, second_weight = self.compare.weight.chunk(2, dim=1)
        first = functional.conv2d(flat, first_weight, self.compare.bias, padding=1)
        second = functional.conv2d(flat, second_weight, padding=1)
        return (
            rearrange(first, "(b t) k h w -> b t k h w", b=clips),
            rearrange(second, "(b t) k h w -> b t k h w", b=clips),
        )

    def conclude(self, agreed: Float[Tensor, "n k h w"]) -> Gaussian:
        """The posterior from the mean comparison."""
        flat = rearrange(functional.relu(self.agree(agreed)), "n k h w -> n (k h w)")
        mean, log_var = self.head(functional.relu(self.hidden(flat))).float().chunk(2, dim=-1)
        if self.shortcut is not None:
            mean = mean + self.shortcut(rearrange(agreed, "n k h w -> n (k h w)"))
        return Gaussian(mean, log_var)

    def forward(self, features: Float[Tensor, "b t e h w"]) -> Gaussian:
        """The posterior of each clip; a single frame is compared with itself."""
        return self.conclude(mean_over_pairs(*self.halves(features)))

    def of_the_others(self, features: Float[Tensor, "b t e h w"]) -> Gaussian:
        """For each frame the posterior from the clip's other frames, b·t of them; needs t ≥ 3."""
        first, second = self.halves(features)
        length = features.shape[1]
        others = [
            mean_over_pairs(first[:, kept], second[:, kept])
            for kept in ([j for j in range(length) if j != i] for i in range(length))
        ]
        return self.conclude(rearrange(others, "t b k h w -> (b t) k h w"))


class DynamicPosterior(nn.Module):
    """q(zᵢ | xᵢ, f): what this frame does, knowing who is shown; or q(zᵢ | xᵢ), not knowing it.

    The paper does not say which. A posterior that sees f can write one motion in another way for every
    identity, and then a motion moved to somebody else comes out as another one.
    """

    def __init__(self, config: UnorderedVAEConfig) -> None:
        super().__init__()
        self.sees_static = config.dynamic_sees_static
        num_in = config.widths[-1] * CODE_PIXELS**2 + (config.static_dim if self.sees_static else 0)
        self.layers = mlp(num_in, config.dynamic_hidden, 2 * config.dynamic_dim)

    def forward(self, features: Float[Tensor, "n e h w"], static: Float[Tensor, "n s"]) -> Gaussian:
        """The posterior of each frame, given the static code of its clip."""
        flat = rearrange(features, "n e h w -> n (e h w)")
        if self.sees_static:
            flat = torch.cat([flat, static], dim=-1)
        mean, log_var = self.layers(flat).float().chunk(2, dim=-1)
        return Gaussian(mean, log_var)


class DynamicPrior(nn.Module):
    """p(z | f): which dynamic codes this static code can have.

    Nothing in the bound fixes the scale of z: prior and posterior can grow together, and then a few
    dimensions take all motion at ever finer steps while the others stay empty. A pinned prior has
    deviations below 1, which should make another dimension cheaper than a longer one; that it does is not
    measured yet (docs/results.md). The paper does not say.
    """

    def __init__(self, config: UnorderedVAEConfig) -> None:
        super().__init__()
        self.layers = mlp(config.static_dim, config.dynamic_hidden, 2 * config.dynamic_dim)
        self.pinned = config.pinned_prior

    def forward(self, static: Float[Tensor, "n s"]) -> Gaussian:
        """The prior of one frame's dynamic code."""
        mean, log_var = self.layers(static).float().chunk(2, dim=-1)
        return Gaussian(mean, -functional.softplus(-log_var) if self.pinned else log_var)
