"""The judge protocol tells a perfect model from a leaking one and an empty one, and scores every clip."""

from itertools import product

import numpy as np
import pytest
import torch
from rich.progress import Progress

from models.codes import StaticCode
from models.motion import Motion, MotionConfig
from training.data.actions import ActionClips
from training.metrics.clip_judge import ClipReading
from training.metrics.fixed import drawn_motion, static_fixed
from training.metrics.protocol import BATCH, protocol

HATS, COATS, ACTS, FRAMES = 3, 4, 5, 8
STRIPE = 16


@pytest.fixture
def clips(stripes) -> ActionClips:
    """Every hat and coat twice, doing every act, while leaning to and fro."""
    static = np.array(list(product(range(HATS), range(COATS))) * 2)
    act = np.tile(np.arange(ACTS), len(static))
    identity = np.repeat(np.arange(len(static)), ACTS)
    lean = np.random.default_rng(0).integers(256, size=(len(act), FRAMES)) / 127.5 - 1
    dynamic = np.stack([np.repeat(act[:, None] * 1.0, FRAMES, 1), lean], -1)
    return ActionClips(stripes.draw(static[identity], dynamic), act, static[identity], identity)


def exact_judge(frames) -> ClipReading:
    """Reads the grey of the stripes: the act that most frames show, hat and coat of the first frame."""
    grey = frames[:, :, 0, 0, ::STRIPE].double().numpy() / 255
    shares = np.stack([(np.rint(grey[..., 2] * (ACTS - 1)) == act).mean(1) for act in range(ACTS)], 1)
    hat, coat = (np.rint(grey[:, 0, slot] * (levels - 1)).astype(int) for slot, levels in ((0, HATS), (1, COATS)))
    return ClipReading(shares, {"hat": hat, "coat": coat})


def run(model, clips, seeds=5):
    with Progress(disable=True) as progress:
        return protocol(model, clips, exact_judge, seeds, progress)


def test_a_perfect_model_keeps_what_is_held_and_draws_the_rest_at_chance(clips, by_hand):
    found = run(by_hand(), clips)
    moved, stayed = found.dynamic_fixed, found.static_fixed
    assert (moved.accuracy.value, moved.accuracy.std) == (1, 0)
    assert moved.accuracy.low == pytest.approx(1)
    assert moved.inception_score.value == pytest.approx(ACTS)
    assert moved.conditional_entropy.value == 0
    assert moved.marginal_entropy.value == pytest.approx(np.log(ACTS))
    assert moved.static["hat"].value == pytest.approx(1 / HATS, abs=0.1)
    assert moved.static["coat"].value == pytest.approx(1 / COATS, abs=0.1)
    assert (stayed.static["hat"].value, stayed.static_mean.value) == (1, 1)
    assert stayed.accuracy.value == pytest.approx(1 / ACTS, abs=0.1)
    assert found.drawn_by == "prior"


def test_a_hat_in_the_dynamic_code_is_found_in_both_tests(clips, by_hand):
    found = run(by_hand("leak"), clips)
    assert found.dynamic_fixed.static["hat"].value == 1
    assert found.dynamic_fixed.static["coat"].value < 0.4
    assert found.static_fixed.static["hat"].value < 0.6
    assert found.static_fixed.static["coat"].value == 1


def test_a_duplicate_of_the_motion_that_nothing_paints_costs_nothing(clips, by_hand):
    found = run(by_hand("memory"), clips)
    assert found.dynamic_fixed.accuracy.value == found.static_fixed.static_mean.value == 1


def test_constant_codes_score_as_guesses_do(clips, by_hand):
    found = run(by_hand("grey"), clips)
    for part in (found.dynamic_fixed, found.static_fixed, found.reconstructed):
        assert part.accuracy.value == pytest.approx(1 / ACTS)
        assert part.inception_score.value == pytest.approx(1)
        assert part.static["hat"].value == pytest.approx(1 / HATS)
    assert found.true.accuracy.value == found.true.static_mean.value == 1


def test_every_clip_is_scored_the_last_batch_included(clips, by_hand):
    """Published loaders drop it."""
    assert len(clips.action) % BATCH
    last = clips.action.copy()
    last[-5:] = np.roll(last[-5:], 1)
    wrong = ActionClips(clips.frames, last, clips.static, clips.identity)
    found = run(by_hand(), wrong, seeds=1)
    assert found.clips == len(last)
    assert found.dynamic_fixed.accuracy.value == pytest.approx(1 - 5 / len(last))


def test_passes_differ_in_their_draws_and_the_deviation_tells(clips, by_hand):
    found = run(by_hand(), clips, seeds=3)
    hat = found.dynamic_fixed.static["hat"]
    assert 0 < hat.std < 0.2
    assert hat.low < hat.value < hat.high
    assert run(by_hand(), clips, seeds=3) == found
    assert run(by_hand(), clips, seeds=1).dynamic_fixed.static["hat"].std == 0


def test_drawn_motion_is_the_means_of_a_sampled_roll_out(by_hand):
    model, static = by_hand(), StaticCode(torch.rand(2, 4), torch.zeros(2, 4))
    model.motion = Motion(MotionConfig(static_dim=4, dynamic_dim=3, hidden=8, layers=1)).eval()
    drawn = drawn_motion(model, model.motion, static, 3, torch.Generator().manual_seed(4))
    prior = model.prior(static)
    torch.testing.assert_close(drawn[:, 0], prior.mean)

    generator = torch.Generator().manual_seed(4)
    first = prior.mean[:, None] + prior.std[:, None] * torch.randn(2, 1, 3, generator=generator)
    following, state = model.motion.observe(model.motion.in_range(first), static.mean)
    second = following.likeliest()
    torch.testing.assert_close(drawn[:, 1], second.mean[:, 0])
    sampled = model.motion.in_range(second.mean + second.std * torch.randn(2, 1, 3, generator=generator))
    third, _ = model.motion.observe(sampled, static.mean, state)
    torch.testing.assert_close(drawn[:, 2], third.likeliest().mean[:, 0])


def test_without_motion_frames_are_draws_of_their_own_whatever_motion_the_model_has(by_hand):
    static = StaticCode(torch.rand(1, 4), torch.zeros(1, 4))
    made = static_fixed(by_hand(), None, static, 40, torch.Generator().manual_seed(0))
    assert len(torch.unique(made[0, :, 0, -1, -1])) > 8
    model = by_hand()
    model.motion = Motion(MotionConfig(static_dim=4, dynamic_dim=3, hidden=8, layers=1)).eval()
    assert torch.equal(static_fixed(model, None, static, 40, torch.Generator().manual_seed(0)), made)
