"""The unordered VAE: a clip as a set of frames that share one static code.

Source: Helminger, Djelouah, Gross, Weber 2018, "Disentangled Dynamic Representations from Unordered
Data" (arXiv:1812.03962, AABI 2018). Their f is our static code, their zᵢ our dynamic codes:

    p(x₁..x_N, z₁..z_N, f) = p(f) ∏ᵢ p(zᵢ | f) p(xᵢ | zᵢ, f)         f ~ N(0, I), p(z | f) learnt
    q(f, z₁..z_N | x₁..x_N) = q(f | x₁..x_N) ∏ᵢ q(zᵢ | xᵢ, f)

The paper leaves open, and we chose: dim(f) = 512 (its table has one dense layer of 1024 = 2 × 512);
the mean over all ordered pairs as the way to combine comparisons; q(zᵢ) sees f; (z, f) enters the
decoder by one dense layer; 'same' padding and a slope of 0.2; one KL weight of 1 each.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import torch
from einops import rearrange, repeat
from jaxtyping import Float
from torch import Tensor

from models.bernoulli import bernoulli_log_likelihood, pixel_entropy
from models.codes import Codes, DynamicCode, StaticCode
from models.disentangler import Disentangler, FitScores, merge_frames, peak_signal_to_noise
from models.drnet_blocks import SceneDiscriminator
from models.frames import FrameDecoder, trunk
from models.gaussian import Gaussian, correlated_samples, kl_divergence, standard_normal_like
from models.posteriors import DynamicPosterior, DynamicPrior, StaticPosterior
from models.unordered_config import UnorderedVAEConfig


@dataclass(frozen=True, slots=True)
class Bound:
    """The terms of the evidence lower bound of each clip, in nats; larger `elbo` is better."""

    log_likelihood: Float[Tensor, " b"]  # summed over the clip's frames, pixels and channels
    static_kl: Float[Tensor, " b"]
    dynamic_kl: Float[Tensor, " b"]  # summed over the clip's frames
    logits: Float[Tensor, "bt c h w"]  # of the frames as they were redrawn; no term, for losses that look at pixels

    @property
    def elbo(self) -> Float[Tensor, " b"]:
        """Log p(x|z,f) − KL(q(f) ‖ p(f)) − Σ KL(q(z|x,f) ‖ p(z|f)), one sample of each code."""
        return self.log_likelihood - self.static_kl - self.dynamic_kl


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
            logits=logits,
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
