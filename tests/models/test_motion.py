"""The motion model has the authors' layers, hears only the past, and its roll-outs are what stepping by hand gives."""

import pytest
import torch

from models.codes import Codes, DynamicCode, StaticCode
from models.compose import interpolate, path, predict, sample_motion
from models.motion import Motion, MotionConfig
from models.unordered_config import UnorderedVAEConfig
from models.unordered_vae import UnorderedVAE

SMALL = MotionConfig(static_dim=6, dynamic_dim=3, hidden=16)


def test_layers_are_the_authors_but_for_the_variance() -> None:
    motion = Motion(MotionConfig(static_dim=128, dynamic_dim=10))
    assert sum(value.numel() for value in motion.embed.parameters()) == (138 + 1) * 256
    assert sum(value.numel() for value in motion.lstm.parameters()) == 2 * 4 * 256 * (256 + 256 + 2)
    assert sum(value.numel() for value in motion.change.parameters()) == (256 + 1) * 10


def test_a_prediction_hears_the_past_and_never_the_future() -> None:
    motion, dynamic = Motion(SMALL), torch.randn(2, 7, 3, requires_grad=True)
    prediction, _ = motion.observe(dynamic, torch.randn(2, 6))
    prediction.likeliest().mean[0, 3].sum().backward()
    assert dynamic.grad is not None
    heard = dynamic.grad.abs().sum(2)
    assert (heard[0, :4] > 0).all()
    assert (heard[0, 4:] == 0).all()
    assert (heard[1] == 0).all()


def test_observing_in_two_parts_is_observing_at_once() -> None:
    motion, dynamic, static = Motion(SMALL).double(), torch.randn(2, 8, 3).double(), torch.randn(2, 6).double()
    whole, _ = motion.observe(dynamic, static)
    _, state = motion.observe(dynamic[:, :5], static)
    rest, _ = motion.observe(dynamic[:, 5:], static, state)
    torch.testing.assert_close(whole.mean[:, 5:], rest.mean)


def test_the_mean_roll_out_feeds_each_prediction_back() -> None:
    motion, dynamic, static = Motion(SMALL).double(), torch.randn(2, 4, 3).double(), torch.randn(2, 6).double()
    future = motion.roll_out(dynamic, static, 3)
    for step in range(3):
        again, _ = motion.observe(torch.cat([dynamic, future[:, :step]], dim=1), static)
        torch.testing.assert_close(future[:, step], again.likeliest().mean[:, -1])


def test_sampled_futures_spread_as_the_variance_says() -> None:
    motion = Motion(SMALL)
    torch.nn.init.zeros_(motion.log_var.weight)
    torch.nn.init.constant_(motion.log_var.bias, -2.0)
    motion.get_buffer("dynamic_std").fill_(3.0)
    dynamic, static = torch.randn(1, 4, 3).expand(4000, -1, -1), torch.randn(1, 6).expand(4000, -1)
    next_codes = motion.roll_out(dynamic, static, 1, torch.Generator().manual_seed(0))[:, 0]
    torch.testing.assert_close(next_codes.std(0), torch.full((3,), 3 * torch.tensor(-1.0).exp()), rtol=0.05, atol=0)
    torch.testing.assert_close(next_codes.mean(0), motion.roll_out(dynamic[:1], static[:1], 1)[0, 0], rtol=0, atol=0.1)


def test_a_seed_is_one_future() -> None:
    motion, dynamic, static = Motion(SMALL), torch.randn(1, 4, 3), torch.randn(1, 6)
    futures = [motion.roll_out(dynamic, static, 5, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    assert torch.equal(futures[0], futures[1])
    assert not torch.equal(futures[0], futures[2])


def test_with_several_components_a_future_is_one_of_them_and_never_their_mean() -> None:
    """Two equally good steps, up or down by one: whoever takes the mean stands still."""
    motion = Motion(MotionConfig(static_dim=6, dynamic_dim=1, hidden=16, components=2))
    for layer in (motion.change, motion.log_var, motion.weight):
        torch.nn.init.zeros_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
    motion.change.bias.data.copy_(torch.tensor([-1.0, 1.0]))
    torch.nn.init.constant_(motion.log_var.bias, -9.0)
    dynamic, static = torch.zeros(200, 3, 1), torch.zeros(200, 6)
    drawn = motion.roll_out(dynamic, static, 1, torch.Generator().manual_seed(0))[:, 0, 0]
    assert ((drawn.abs() - 1).abs() < 0.1).all()
    assert 70 < int((drawn > 0).sum()) < 130
    assert (motion.roll_out(dynamic, static, 2).abs()[:, 0] == 1).all(), "the likeliest is one of them too"


def test_movements_begin_with_codes_that_were_kept_where_there_are_any() -> None:
    model = UnorderedVAE(UnorderedVAEConfig.tiny())
    static = StaticCode(torch.randn(40, model.static_dim), torch.zeros(40, model.static_dim))
    motion = Motion(MotionConfig(static_dim=model.static_dim, dynamic_dim=model.dynamic_dim, hidden=16, starts=2))
    motion.get_buffer("starts")[1] += 1
    model.motion = motion
    first = sample_motion(model, static, 5, torch.Generator().manual_seed(0))[:, 0]
    assert {tuple(row) for row in first.tolist()} == {(0.0,) * model.dynamic_dim, (1.0,) * model.dynamic_dim}
    assert Motion(SMALL).begin(3, torch.Generator()) is None


@pytest.mark.parametrize("codes", ["unit", "tanh"])
def test_roll_outs_stay_in_the_range_of_their_family(codes: str) -> None:
    motion = Motion(MotionConfig(static_dim=6, dynamic_dim=3, hidden=16, codes=codes))
    torch.nn.init.constant_(motion.change.bias, 0.4)
    future = motion.roll_out(torch.rand(2, 4, 3), torch.randn(2, 6), 50, torch.Generator().manual_seed(0))
    if codes == "unit":
        torch.testing.assert_close(future.norm(dim=-1), torch.ones(2, 50))
    else:
        assert future.abs().max() <= 1


def codes_of(model: UnorderedVAE, length: int) -> Codes:
    static = StaticCode(torch.randn(1, model.static_dim), torch.zeros(1, model.static_dim))
    dynamic = torch.randn(1, length, model.dynamic_dim)
    return Codes(static, DynamicCode(dynamic, torch.zeros_like(dynamic)))


def test_predicting_needs_a_motion_model_and_samples_a_generator() -> None:
    model = UnorderedVAE(UnorderedVAEConfig.tiny())
    with pytest.raises(ValueError, match="no motion model"):
        predict(model, codes_of(model, 5), 4)
    model.motion = Motion(MotionConfig(static_dim=model.static_dim, dynamic_dim=model.dynamic_dim, hidden=8))
    assert predict(model, codes_of(model, 5), 4).shape == (1, 4, model.dynamic_dim)
    with pytest.raises(ValueError, match="need a generator"):
        predict(model, codes_of(model, 5), 4, samples=3)
    several = predict(model, codes_of(model, 5), 4, samples=3, generator=torch.Generator().manual_seed(0))
    assert several.shape == (3, 4, model.dynamic_dim)
    assert not torch.equal(several[0], several[1])


def test_sampled_motion_begins_with_the_prior_and_is_independent_only_without_a_motion_model() -> None:
    model = UnorderedVAE(UnorderedVAEConfig.tiny())
    static = model.sample_static(2, torch.Generator().manual_seed(1))
    prior = model.prior(static)
    alone = sample_motion(model, static, 3000, torch.Generator().manual_seed(2))
    torch.testing.assert_close(alone.mean(1), prior.mean, rtol=0, atol=0.1)
    torch.testing.assert_close(alone.std(1), prior.std, rtol=0.06, atol=0)
    model.motion = Motion(MotionConfig(static_dim=model.static_dim, dynamic_dim=model.dynamic_dim, hidden=8))
    torch.nn.init.constant_(model.motion.log_var.bias, -9.0)
    moving = sample_motion(model, static, 20, torch.Generator().manual_seed(2))
    assert moving.shape == (2, 20, model.dynamic_dim)
    steps, spread = moving.diff(dim=1).abs().mean(), alone.diff(dim=1).abs().mean()
    assert steps < spread / 2, "with a motion model a frame follows from the one before it"


def test_a_path_on_the_sphere_has_length_1_and_equal_steps() -> None:
    first, second = (torch.nn.functional.normalize(torch.randn(5), dim=0) for _ in range(2))
    way = path(first, second, torch.linspace(0, 1, 9), unit=True)
    torch.testing.assert_close(way.norm(dim=1), torch.ones(9))
    torch.testing.assert_close(way[[0, -1]], torch.stack([first, second]))
    steps = (way[1:] * way[:-1]).sum(1)
    torch.testing.assert_close(steps, steps[:1].expand(8))


@pytest.mark.parametrize(
    ("part", "goes"), [("dynamic", (False, True)), ("static", (True, False)), ("both", (True, True))]
)
def test_interpolation_moves_the_part_that_is_asked_and_keeps_the_other(part: str, goes: tuple[bool, bool]) -> None:
    model = UnorderedVAE(UnorderedVAEConfig.tiny())
    first, second = codes_of(model, 1), codes_of(model, 1)
    static, dynamic, _ = interpolate(
        model, (first.static, second.static), (first.dynamic.mean[0, 0], second.dynamic.mean[0, 0]), 5, part
    )
    for code, ends, moves in zip(
        (static, dynamic),
        ((first.static.mean[0], second.static.mean[0]), (first.dynamic.mean[0, 0], second.dynamic.mean[0, 0])),
        goes,
        strict=True,
    ):
        torch.testing.assert_close(code[0], ends[0])
        torch.testing.assert_close(code[-1], ends[1] if moves else ends[0])
        torch.testing.assert_close(code[2], (ends[0] + ends[1]) / 2 if moves else ends[0])


def test_a_roll_out_never_leaves_what_training_clips_do() -> None:
    motion = Motion(SMALL)
    torch.nn.init.constant_(motion.change.bias, 0.5)
    motion.get_buffer("dynamic_mean").fill_(2.0)
    motion.get_buffer("dynamic_std").fill_(0.5)
    future = motion.roll_out(2 + torch.rand(2, 4, 3), 50 * torch.randn(2, 6), 100, torch.Generator().manual_seed(0))
    assert future.max() <= 2 + 4 * 0.5
    assert future.min() >= 2 - 4 * 0.5
