"""The unordered VAE: a clip as a set of frames that share one static code.

Source: Helminger, Djelouah, Gross, Weber 2018, "Disentangled Dynamic Representations from Unordered
Data" (arXiv:1812.03962, AABI 2018). Their f is our static code, their zᵢ our dynamic codes:

    p(x₁..x_N, z₁..z_N, f) = p(f) ∏ᵢ p(zᵢ | f) p(xᵢ | zᵢ, f)         f ~ N(0, I), p(z | f) learnt
    q(f, z₁..z_N | x₁..x_N) = q(f | x₁..x_N) ∏ᵢ q(zᵢ | xᵢ, f)

The paper leaves open, and we chose: dim(f) = 512 (its table has one dense layer of 1024 = 2 × 512);
the mean over all ordered pairs as the way to combine comparisons; q(zᵢ) sees f; (z, f) enters the
decoder by one dense layer; 'same' padding and a slope of 0.2; one KL weight of 1 each.
"""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import torch
from einops import rearrange, repeat
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from models.bernoulli import bernoulli_log_likelihood, pixel_entropy
from models.codes import Codes, DynamicCode, StaticCode
from models.disentangler import Disentangler, FitScores, merge_frames, peak_signal_to_noise
from models.drnet_blocks import SceneDiscriminator
from models.frames import CODE_PIXELS, FrameDecoder, trunk
from models.gaussian import Gaussian, correlated_samples, kl_divergence, standard_normal_like
from models.pairs import mean_over_pairs

NARROW = -5.0  # log variance at which the posterior of a static code with a shortcut begins


@dataclass(frozen=True, kw_only=True, slots=True)
class UnorderedVAEConfig:
    """Sizes of an unordered VAE. Pictures are 64 × 64: four halvings end at 4 × 4."""

    widths: tuple[int, int, int, int]  # channels at 32, 16, 8 and 4 pixels, in the encoder
    decoder_widths: tuple[int, int, int, int]  # channels at 4, 8, 16 and 32 pixels, in the decoder
    compared_channels: int  # of the comparison of two frames
    static_hidden: int
    static_dim: int
    dynamic_hidden: int
    dynamic_dim: int
    pinned_prior: bool = False  # p(z | f) has deviations of at most 1 (see `DynamicPrior`)
    dynamic_sees_static: bool = True  # q(z | x, f); without, q(z | x) (see `DynamicPosterior`)
    static_shortcut: bool = False  # comparisons reach f past the dense layers too (see `StaticPosterior`)
    style_dim: int = 0  # of the codes' mixture that modulates every size of the decoder; 0 for none
    residual: bool = False  # a residual block after every size of trunk and decoder
    scene_hidden: int = 0  # of a discriminator of dynamic codes, which training alone uses; 0 for none
    channels: int = 3
    image_size: int = 64

    def __post_init__(self) -> None:
        if self.image_size != CODE_PIXELS * 2 ** len(self.widths):
            raise ValueError(f"image_size must be 64, four halvings to 4 pixels; got {self.image_size}")

    @classmethod
    def paper(cls, dynamic_dim: int = 2) -> "UnorderedVAEConfig":
        """The sizes of the paper's table: 21.0 million parameters at `dynamic_dim` 2."""
        return cls(
            widths=(256, 256, 256, 256),
            decoder_widths=(256, 256, 256, 256),
            compared_channels=512,
            static_hidden=512,
            static_dim=512,
            dynamic_hidden=512,
            dynamic_dim=dynamic_dim,
        )

    @classmethod
    def compact(cls, dynamic_dim: int = 8) -> "UnorderedVAEConfig":
        """Sizes that two CPU cores can train: a pyramid of widths, most of its work in the decoder.

        The paper's equal widths spend most multiplications at the finest size; a pyramid learns about
        twice as much a minute on a CPU, by one small probe. `style_dim` and `static_shortcut` are our
        additions (see `Upsampling` and `StaticPosterior`).
        """
        return cls(
            widths=(24, 48, 96, 192),
            decoder_widths=(256, 192, 96, 48),
            compared_channels=128,
            static_hidden=256,
            static_dim=256,
            dynamic_hidden=256,
            dynamic_dim=dynamic_dim,
            static_shortcut=True,
            style_dim=512,
        )

    @classmethod
    def tiny(cls, dynamic_dim: int = 2) -> "UnorderedVAEConfig":
        """Sizes for tests: a step takes milliseconds."""
        return cls(
            widths=(8, 8, 16, 16),
            decoder_widths=(16, 16, 8, 8),
            compared_channels=16,
            static_hidden=32,
            static_dim=16,
            dynamic_hidden=32,
            dynamic_dim=dynamic_dim,
        )


@dataclass(frozen=True, slots=True)
class Bound:
    """The terms of the evidence lower bound of each clip, in nats; larger `elbo` is better."""

    log_likelihood: Float[Tensor, " b"]  # summed over the clip's frames, pixels and channels
    static_kl: Float[Tensor, " b"]
    dynamic_kl: Float[Tensor, " b"]  # summed over the clip's frames

    @property
    def elbo(self) -> Float[Tensor, " b"]:
        """Log p(x|z,f) − KL(q(f) ‖ p(f)) − Σ KL(q(z|x,f) ‖ p(z|f)), one sample of each code."""
        return self.log_likelihood - self.static_kl - self.dynamic_kl


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


class UnorderedVAE(Disentangler):
    """The family's one model: both posteriors, the learnt prior and the decoder."""

    family = "unordered_vae"

    def __init__(self, config: UnorderedVAEConfig) -> None:
        super().__init__()
        self.config = config
        self.image_size, self.channels = config.image_size, config.channels
        self.static_dim, self.dynamic_dim = config.static_dim, config.dynamic_dim
        self.trunk = trunk(config.channels, config.widths, config.residual)
        self.static_posterior = StaticPosterior(config)
        self.dynamic_posterior = DynamicPosterior(config)
        self.dynamic_prior = DynamicPrior(config)
        self.decoder = FrameDecoder(
            code_dim=config.static_dim + config.dynamic_dim,
            style_dim=config.style_dim,
            widths=config.decoder_widths,
            channels=config.channels,
            residual=config.residual,
        )
        self.discriminator = (
            SceneDiscriminator(config.dynamic_dim, config.scene_hidden) if config.scene_hidden else None
        )
        # Of the posterior means over the training clips, filled when a run ends; until then the prior's.
        self.register_buffer("static_mean", torch.zeros(config.static_dim))
        self.register_buffer("static_factor", torch.eye(config.static_dim))  # lower Cholesky factor

    def network(self) -> dict[str, Any]:
        """The config, as JSON can hold it."""
        return asdict(self.config)

    def features(self, frames: Float[Tensor, "t c h w"]) -> Float[Tensor, "t e 4 4"]:
        """The trunk's features of each frame."""
        features: Tensor = self.trunk(frames.contiguous(memory_format=torch.channels_last))
        return features

    def codes(self, features: Float[Tensor, "t e 4 4"], frame: Callable[[int], Float[Tensor, "c h w"]]) -> Codes:
        """Posterior means and deviations of one clip; dynamic codes are read given the static mean."""
        return self._codes(features[None])

    def encode(self, frames: Float[Tensor, "b t c h w"]) -> Codes:
        """Posterior means and deviations of each clip."""
        features = self.features(merge_frames(frames))
        return self._codes(rearrange(features, "(b t) e h w -> b t e h w", b=frames.shape[0]))

    def _codes(self, features: Float[Tensor, "b t e 4 4"]) -> Codes:
        length = features.shape[1]
        static = self.static_posterior(features)
        each = repeat(static.mean, "b s -> (b t) s", t=length)
        dynamic = self.dynamic_posterior(merge_frames(features), each)
        return Codes(
            static=StaticCode(static.mean, static.std),
            dynamic=DynamicCode(
                rearrange(dynamic.mean, "(b t) z -> b t z", t=length),
                rearrange(dynamic.std, "(b t) z -> b t z", t=length),
            ),
        )

    def decode(self, static: StaticCode, dynamic: Float[Tensor, "b t z"]) -> Float[Tensor, "b t c h w"]:
        """The mean of the likelihood: pictures in [0, 1]."""
        length = dynamic.shape[1]
        each = repeat(static.mean, "b s -> (b t) s", t=length)
        logits = self.decoder(each, rearrange(dynamic, "b t z -> (b t) z"))
        return rearrange(torch.sigmoid(logits.float()), "(b t) c h w -> b t c h w", t=length)

    def prior(self, static: StaticCode) -> Gaussian:
        """p(z | f) at the mean of the static code."""
        prior: Gaussian = self.dynamic_prior(static.mean)
        return prior

    def sample_static(self, num: int, generator: torch.Generator) -> StaticCode:
        """From the Gaussian that training clips' static codes have on the whole; N(0, I) before a run has ended.

        At a light static KL these codes fill a small part of N(0, I), and most of what is drawn from the whole is
        a blend of several people. To fit the density afterwards is the remedy of Ghosh et al. 2020
        (arXiv:1903.12436), §4; the generative story of the paper, N(0, I), is what a KL weight of 1 would give.
        """
        mean = correlated_samples(self.get_buffer("static_mean"), self.get_buffer("static_factor"), num, generator)
        return StaticCode(mean, torch.zeros_like(mean))

    def bound(
        self,
        frames: Float[Tensor, "b t c h w"],
        static_from_others: bool = False,
        disguised: Float[Tensor, "b t c h w"] | None = None,
    ) -> Bound:
        """The bound of each clip by one reparameterised sample of each code.

        Source: the paper's generative story; the bound is the usual one for it (its formulas were not
        available to us). The likelihood is the relaxed Bernoulli one on grey levels in [0, 1]: its
        largest value is minus the entropy of the pixels, not 0.

        With `static_from_others` (t ≥ 3) each frame is explained with the static code of the clip's
        other frames, which cannot hold that frame's pose; the static KL is then the mean over frames.
        This is the paper's future work ("separate frames"), and no longer its bound.

        Dynamic codes are read from `disguised` where it is given: the same frames in other colours, say, so
        that a dynamic code cannot tell colours, nor mean another motion with every colour.
        """
        clips, length = frames.shape[:2]
        flat = merge_frames(frames)
        features = self.features(flat)
        per_clip = rearrange(features, "(b t) e h w -> b t e h w", b=clips)
        if static_from_others:
            static = self.static_posterior.of_the_others(per_clip)
            sample = static.sample()
            static_kl = kl_divergence(static, standard_normal_like(static))
            static_kl = rearrange(static_kl, "(b t) -> b t", b=clips).mean(1)
        else:
            static = self.static_posterior(per_clip)
            sample = repeat(static.sample(), "b s -> (b t) s", t=length)
            static_kl = kl_divergence(static, standard_normal_like(static))
        seen = features if disguised is None else self.features(merge_frames(disguised))
        dynamic = self.dynamic_posterior(seen, sample)
        dynamic_kl = kl_divergence(dynamic, self.dynamic_prior(sample))
        logits = self.decoder(sample, dynamic.sample())
        return Bound(
            log_likelihood=rearrange(bernoulli_log_likelihood(logits, flat), "(b t) -> b t", b=clips).sum(1),
            static_kl=static_kl,
            dynamic_kl=rearrange(dynamic_kl, "(b t) -> b t", b=clips).sum(1),
        )

    @torch.inference_mode()
    def score(
        self,
        frames: Float[Tensor, "t c h w"],
        reconstruction: Float[Tensor, "t c h w"],
        codes: Codes,
    ) -> FitScores:
        """PSNR and bound per frame at the posterior means, so that a clip has one score."""
        static_log_var, dynamic_log_var = (
            2 * torch.log(std.clamp_min(1e-12)) for std in (codes.static.std, codes.dynamic.std)
        )
        static = Gaussian(codes.static.mean, static_log_var)
        dynamic = Gaussian(codes.dynamic.mean[0], dynamic_log_var[0])
        prior = self.prior(codes.static)
        static_kl = float(kl_divergence(static, standard_normal_like(static)))
        dynamic_kl = float(kl_divergence(dynamic, prior).mean())
        logits = torch.logit(reconstruction.float(), eps=1e-6)
        log_likelihood = float(bernoulli_log_likelihood(logits, frames).mean())
        elbo = log_likelihood - dynamic_kl - static_kl / len(frames)
        return FitScores(
            psnr_db=float(peak_signal_to_noise(frames, reconstruction).mean()),
            elbo_nats=elbo,
            excess_nats=-float(pixel_entropy(frames).mean()) - elbo,
            static_kl=static_kl,
        )
