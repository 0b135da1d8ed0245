"""The unordered VAE has the paper's layers, hears what it should hear, and its bound is a bound."""

from dataclasses import replace

import pytest
import torch
from einops import rearrange
from torch import nn
from torch.nn import functional

from models.bernoulli import bernoulli_log_likelihood, pixel_entropy
from models.disentangler import encode_in_chunks
from models.gaussian import Gaussian, kl_divergence, standard_normal_like
from models.posteriors import StaticPosterior
from models.unordered_config import UnorderedVAEConfig
from models.unordered_vae import UnorderedVAE

TINY = UnorderedVAEConfig.tiny()
SHORT_CUT = replace(TINY, static_shortcut=True)


def parameters(module: nn.Module) -> int:
    return sum(value.numel() for value in module.parameters())


def test_paper_sizes_have_the_published_parameter_counts() -> None:
    with torch.device("meta"):
        model = UnorderedVAE(UnorderedVAEConfig.paper())
    static, decoder = model.static_posterior, model.decoder
    assert [parameters(layer) for layer in model.trunk if isinstance(layer, nn.Conv2d)] == [
        12_544,
        1_048_832,
        1_048_832,
        1_048_832,
    ]
    assert parameters(model.trunk) == 3_159_040
    assert parameters(static.compare) == 2_359_808
    assert parameters(static.agree) == 2_359_808
    assert parameters(static.hidden) == 4_194_816
    assert parameters(static.head) == 525_312
    assert parameters(model.dynamic_posterior) == 2_624_516
    assert parameters(model.dynamic_prior) == 527_364
    assert parameters(decoder.project) == 2_109_440
    assert [parameters(step) for step in decoder.steps] == [1_048_832] * 3
    assert parameters(decoder.to_logits) == 12_291
    assert parameters(decoder) == 5_268_227
    assert parameters(model) == 21_018_891


def test_paper_layers_have_the_published_shapes() -> None:
    with torch.device("meta"):
        model = UnorderedVAE(UnorderedVAEConfig.paper())
        maps, sides = torch.empty(1, 3, 64, 64), []
        for layer in model.trunk:
            maps = layer(maps)
            sides.append(tuple(maps.shape[1:]))
        assert sides[::2] == [(256, 32, 32), (256, 16, 16), (256, 8, 8), (256, 4, 4)]
        posterior = model.static_posterior(torch.empty(1, 3, 256, 4, 4))
        assert posterior.mean.shape == (1, 512)
        logits = model.decoder(torch.empty(1, 512), torch.empty(1, 2))
        assert logits.shape == (1, 3, 64, 64)


def test_halves_of_the_pair_convolution_are_the_convolution_of_the_concatenated_pair() -> None:
    posterior = StaticPosterior(TINY).double()
    features = torch.randn(1, 2, TINY.widths[-1], 4, 4, dtype=torch.float64)
    first, second = posterior.halves(features)
    concatenated = torch.cat([features[:, 0], features[:, 1]], dim=1)
    expected = functional.conv2d(concatenated, posterior.compare.weight, posterior.compare.bias, padding=1)
    torch.testing.assert_close(first[:, 0] + second[:, 1], expected)


@pytest.mark.parametrize("config", [TINY, SHORT_CUT])
@pytest.mark.parametrize("order", [[2, 0, 1, 4, 3], [4, 3, 2, 1, 0]])
def test_static_code_ignores_the_order_of_frames(order: list[int], config: UnorderedVAEConfig) -> None:
    model = UnorderedVAE(config).double().eval()
    frames = torch.rand(2, 5, 3, 64, 64, dtype=torch.float64)
    here, there = model.encode(frames), model.encode(frames[:, order])
    torch.testing.assert_close(here.static.mean, there.static.mean)
    torch.testing.assert_close(here.dynamic.mean[:, order], there.dynamic.mean)


def test_static_code_hears_every_frame_and_each_clip_only_its_own() -> None:
    model = UnorderedVAE(TINY)
    frames = torch.rand(2, 5, 3, 64, 64, requires_grad=True)
    model.encode(frames).static.mean[0].sum().backward()
    assert frames.grad is not None
    heard = frames.grad.abs().sum((2, 3, 4))
    assert (heard[0] > 0).all()
    assert (heard[1] == 0).all()


def test_a_shortcut_tells_a_faint_comparison_as_well_as_a_loud_one() -> None:
    """What two kinds of clips differ in by a thousandth reaches f as if it were as large as all else."""
    posterior = StaticPosterior(SHORT_CUT)
    agreed = torch.randn(400, SHORT_CUT.compared_channels, 4, 4)
    agreed[:, 3, 1, 2] = 5 + torch.where(torch.arange(400) % 2 == 0, 0.001, -0.001)
    assert posterior.shortcut is not None
    mapped = posterior.shortcut(agreed.flatten(1))
    difference = (mapped[::2].mean(0) - mapped[1::2].mean(0)).norm()
    column = posterior.shortcut.linear.weight[:, 3 * 16 + 1 * 4 + 2].norm()
    assert difference > column  # 2 standard deviations apart, less what chance adds


def test_a_feature_that_hardly_ever_moves_cannot_carry_a_static_code_away() -> None:
    """It did so with 1 of 200 faces: 282 deviations of one comparison gave a code of norm 255 instead of 6."""
    posterior = StaticPosterior(SHORT_CUT)
    assert posterior.shortcut is not None
    agreed = torch.randn(400, SHORT_CUT.compared_channels * 16)
    agreed[:, 7] = 1e-3 * torch.randn(400)
    for _ in range(300):
        posterior.shortcut(agreed)
    mapped = posterior.shortcut.eval()
    moved = agreed[:1].clone()
    moved[:, 7] = 1.0
    column = posterior.shortcut.linear.weight[:, 7].norm()
    assert (mapped(moved) - mapped(agreed[:1])).norm() <= 10 * column


def test_a_static_posterior_with_a_shortcut_begins_narrow() -> None:
    features = torch.randn(4, 3, TINY.widths[-1], 4, 4)
    assert StaticPosterior(SHORT_CUT).eval()(features).std.mean() < 0.2
    assert StaticPosterior(TINY).eval()(features).std.mean() > 0.5


def test_dynamic_code_hears_its_frame_directly_and_the_others_only_through_the_static_code() -> None:
    model = UnorderedVAE(TINY)
    features = torch.randn(3, TINY.widths[-1], 4, 4, requires_grad=True)
    static = torch.randn(3, TINY.static_dim)
    model.dynamic_posterior(features, static).mean[1].sum().backward()
    assert features.grad is not None
    heard = features.grad.abs().sum((1, 2, 3))
    assert heard[1] > 0
    assert heard[0] == heard[2] == 0


def test_static_code_of_the_others_does_not_hear_the_frame_it_explains() -> None:
    model = UnorderedVAE(TINY)
    features = torch.randn(1, 4, TINY.widths[-1], 4, 4, requires_grad=True)
    posterior = model.static_posterior.of_the_others(features)
    means = rearrange(posterior.mean, "(b t) s -> b t s", b=1)
    means[0, 2].sum().backward()
    assert features.grad is not None
    heard = features.grad[0].abs().sum((1, 2, 3))
    assert heard[2] == 0
    assert (heard[[0, 1, 3]] > 0).all()


def test_the_others_of_a_frame_give_the_posterior_of_the_clip_without_it() -> None:
    posterior = StaticPosterior(TINY).double()
    features = torch.randn(1, 4, TINY.widths[-1], 4, 4, dtype=torch.float64)
    without_second = posterior(features[:, [0, 2, 3]])
    torch.testing.assert_close(posterior.of_the_others(features).mean[1], without_second.mean[0])


def test_long_clips_have_the_same_codes_in_chunks() -> None:
    model = UnorderedVAE(TINY).double()
    frames = torch.rand(50, 3, 64, 64, dtype=torch.float64)
    whole, chunked = model.encode(frames[None]), encode_in_chunks(model, frames, chunk=7)
    torch.testing.assert_close(whole.static.mean, chunked.static.mean)
    torch.testing.assert_close(whole.dynamic.std, chunked.dynamic.std)


def test_one_frame_is_a_clip() -> None:
    codes = UnorderedVAE(TINY).encode(torch.rand(1, 1, 3, 64, 64))
    assert codes.static.mean.shape == (1, TINY.static_dim)
    assert codes.dynamic.mean.shape == (1, 1, TINY.dynamic_dim)


def test_likelihood_is_that_of_bernoulli_variables() -> None:
    logits, frames = torch.randn(2, 3, 8, 8), torch.rand(2, 3, 8, 8).round()
    expected = torch.distributions.Bernoulli(logits=logits).log_prob(frames).sum((1, 2, 3))
    torch.testing.assert_close(bernoulli_log_likelihood(logits, frames), expected)


def test_likelihood_of_grey_levels_is_largest_at_the_levels_and_then_minus_their_entropy() -> None:
    frames = torch.rand(1, 3, 8, 8) * 0.9 + 0.05
    best = bernoulli_log_likelihood(torch.logit(frames), frames)
    torch.testing.assert_close(best, -pixel_entropy(frames))
    other = bernoulli_log_likelihood(torch.logit(frames) + 0.3, frames)
    assert (other < best).all()


def test_bound_is_its_three_terms_and_never_counts_the_static_code_once_a_frame() -> None:
    model = UnorderedVAE(TINY)
    frames = torch.rand(2, 3, 3, 64, 64)
    torch.manual_seed(0)
    bound = model.bound(frames)
    torch.testing.assert_close(bound.elbo, bound.log_likelihood - bound.static_kl - bound.dynamic_kl)
    features = rearrange(model.features(rearrange(frames, "b t c h w -> (b t) c h w")), "(b t) e h w -> b t e h w", b=2)
    static = model.static_posterior(features)
    torch.testing.assert_close(bound.static_kl, kl_divergence(static, standard_normal_like(static)))


def test_bound_lies_below_the_importance_sampled_likelihood() -> None:
    """E[bound] ≤ log p(x) ≈ log mean exp(bound of many samples), whatever the weights are."""
    torch.manual_seed(0)
    model = UnorderedVAE(TINY).eval()
    frames = torch.rand(1, 3, 3, 64, 64)
    with torch.no_grad():
        codes = model.encode(frames)
        static = Gaussian(codes.static.mean, 2 * codes.static.std.log())
        log_weights = []
        bounds = torch.stack([model.bound(frames).elbo[0] for _ in range(64)])
        for _ in range(64):
            f = static.sample()
            each = f.expand(3, -1)
            features = model.features(frames[0])
            q, p = model.dynamic_posterior(features, each), model.dynamic_prior(each)
            z = q.sample()
            log_weights.append(
                bernoulli_log_likelihood(model.decoder(each, z), frames[0]).sum()
                + (p.log_prob(z) - q.log_prob(z)).sum()
                + (standard_normal_like(static).log_prob(f) - static.log_prob(f)).sum()
            )
    likelihood = torch.logsumexp(torch.stack(log_weights), 0) - torch.tensor(64.0).log()
    assert bounds.mean() <= likelihood


def test_model_overfits_eight_clips_in_seconds() -> None:
    torch.manual_seed(0)
    shade = torch.linspace(0.1, 0.9, 8).reshape(8, 1, 1, 1, 1)
    frames = shade.expand(8, 3, 3, 64, 64).clone()
    for index in range(3):
        frames[:, index, :, 8 + 16 * index : 20 + 16 * index] = 1 - frames[:, index, :, :12]
    model = UnorderedVAE(UnorderedVAEConfig.tiny(dynamic_dim=4))
    optimizer = torch.optim.Adam(model.parameters(), 5e-3)
    first = float(-model.bound(frames).elbo.mean().detach())
    for _ in range(200):
        loss = -model.bound(frames).elbo.mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    floor = float(pixel_entropy(rearrange(frames, "b t c h w -> (b t) c h w")).mean()) * 3
    assert float(loss.detach()) - floor < 0.35 * (first - floor)


def test_a_picture_of_another_size_is_refused_by_the_config() -> None:
    with pytest.raises(ValueError, match="image_size must be 64"):
        UnorderedVAEConfig(
            widths=(8, 8, 8, 8),
            decoder_widths=(8, 8, 8, 8),
            compared_channels=8,
            static_hidden=8,
            static_dim=4,
            dynamic_hidden=8,
            dynamic_dim=2,
            image_size=32,
        )


def test_identities_are_drawn_from_n_0_i_until_the_spread_of_training_codes_is_known() -> None:
    model = UnorderedVAE(UnorderedVAEConfig.tiny())
    drawn = model.sample_static(4000, torch.Generator().manual_seed(0)).mean
    torch.testing.assert_close(drawn.T.cov(), torch.eye(model.static_dim), atol=0.1, rtol=0)
    model.get_buffer("static_mean").fill_(2.0)
    factor = torch.zeros(model.static_dim, model.static_dim)
    factor[0, 0], factor[1, 0] = 0.5, 0.3  # the second number follows the first; no other varies
    model.get_buffer("static_factor").copy_(factor)
    drawn = model.sample_static(4000, torch.Generator().manual_seed(0)).mean
    torch.testing.assert_close(drawn.mean(0), torch.full((model.static_dim,), 2.0), atol=0.05, rtol=0)
    torch.testing.assert_close(drawn.T.cov(), factor @ factor.T, atol=0.03, rtol=0)


def test_a_pinned_prior_never_grows_and_a_free_one_may() -> None:
    static = 30 * torch.randn(64, TINY.static_dim)
    torch.manual_seed(1)
    free = UnorderedVAE(TINY).dynamic_prior(static)
    torch.manual_seed(1)
    pinned = UnorderedVAE(replace(TINY, pinned_prior=True)).dynamic_prior(static)
    assert (free.log_var > 0).any()
    assert (pinned.log_var < 0).all()
    torch.testing.assert_close(pinned.mean, free.mean)


def test_a_dynamic_posterior_without_f_has_the_published_size_and_does_not_hear_f() -> None:
    with torch.device("meta"):
        paper = UnorderedVAE(replace(UnorderedVAEConfig.paper(), dynamic_sees_static=False))
    assert parameters(paper.dynamic_posterior) == 2_362_372
    assert parameters(paper) == 20_756_747
    posterior = UnorderedVAE(replace(TINY, dynamic_sees_static=False)).dynamic_posterior
    features = torch.randn(5, TINY.widths[-1], 4, 4)
    codes = [posterior(features, 9 * torch.randn(5, TINY.static_dim)).mean for _ in range(2)]
    torch.testing.assert_close(*codes)


def test_disguised_frames_reach_the_dynamic_codes_and_nothing_else() -> None:
    model = UnorderedVAE(TINY)
    frames, others = torch.rand(2, 3, 3, 64, 64), torch.rand(2, 3, 3, 64, 64)
    bounds = []
    for seen in (None, frames, others):
        torch.manual_seed(3)
        bounds.append(model.bound(frames, disguised=seen))
    plain, same, other = bounds
    torch.testing.assert_close(same.elbo, plain.elbo)
    torch.testing.assert_close(other.static_kl, plain.static_kl)
    assert not torch.allclose(other.dynamic_kl, plain.dynamic_kl)
