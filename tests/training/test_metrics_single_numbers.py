"""DCI and MIG on codes whose answer is known: each number a factor, none, every number twice, all mixed."""

import numpy as np
import pytest
from rich.progress import Progress

from training.metrics.coded import CodedClips, coded_splits
from training.metrics.dci import completeness, dci, disentanglement
from training.metrics.mig import mig, mutual_information_gap

LEVELS = np.random.default_rng(0).integers(5, size=(4000, 3)) * 1.0
CLIPS = np.arange(4000) // 4


def gaps(codes, factors=LEVELS, continuous=()):
    named = {f"factor {column}": factors[:, column] for column in range(factors.shape[1])}
    return mutual_information_gap(codes, named, {name: (0.0, 1.0) for name in continuous}, CLIPS)


def test_the_gap_of_a_code_that_is_the_factors_is_one():
    found = gaps(LEVELS[:, [2, 0, 1]] * 3 - 1)
    assert found.mean.value > 0.95
    assert all(part.low <= part.value <= part.high for part in found.factors.values())


def test_the_gap_of_a_constant_code_is_zero():
    assert gaps(np.ones((4000, 3))).mean.value == pytest.approx(0, abs=1e-9)


def test_the_gap_of_a_code_said_twice_is_zero():
    assert gaps(np.concatenate([LEVELS, -2 * LEVELS], 1)).mean.value == pytest.approx(0, abs=1e-9)


def test_the_gap_of_noise_is_near_zero():
    assert gaps(np.random.default_rng(1).normal(size=(4000, 4))).mean.value < 0.02


def test_a_mirrored_code_of_which_two_numbers_tell_each_factor_has_a_small_gap():
    noise = 0.2 * np.random.default_rng(2).normal(size=LEVELS.shape)  # so that no value lies on a bin's edge
    mirror = np.eye(3) - 2 / 3
    assert gaps(LEVELS @ mirror + noise).mean.value < 0.05


def test_continuous_factors_are_binned():
    values = np.random.default_rng(3).uniform(size=(4000, 2))
    assert gaps(values, values, ("factor 0", "factor 1")).mean.value > 0.9


def test_importances_of_one_to_one_codes_have_full_marks_and_spread_ones_none():
    assert disentanglement(np.eye(4)) == completeness(np.eye(4)) == pytest.approx(1)
    assert disentanglement(np.ones((4, 4))) == pytest.approx(0, abs=1e-12)
    assert completeness(np.ones((4, 4))) == pytest.approx(0, abs=1e-12)
    assert disentanglement(np.zeros((4, 3))) == completeness(np.zeros((4, 3))) == 0


def test_a_factor_told_by_two_numbers_costs_completeness_alone():
    importance = np.concatenate([np.eye(4), np.eye(4)]) / 2
    assert disentanglement(importance) == pytest.approx(1)
    assert completeness(importance) == pytest.approx(1 - np.log(2) / np.log(8))


def test_numbers_that_tell_more_weigh_more():
    importance = np.array([[0.9, 0.0], [0.05, 0.05]])
    assert disentanglement(importance) == pytest.approx(0.9)


def codes_of(clips, transform):
    """Clips whose codes are their factors, transformed."""
    static, dynamic = transform(clips.static_factors * 1.0, clips.dynamic_factors)
    return CodedClips(clips.static_factors, clips.dynamic_factors, static, dynamic)


def grow(stripes, by_hand, transform):
    with Progress(disable=True) as progress:
        coded = coded_splits(by_hand(), stripes, 150, 60, progress)
        fit, test = (codes_of(part, transform) for part in (coded.scattered, coded.scattered_held_out))
        return dci(fit, test, stripes, progress), mig(test, stripes)


def test_clips_that_readers_are_fitted_on_move_in_other_ways_than_those_they_are_scored_on(stripes, by_hand):
    with Progress(disable=True) as progress:
        coded = coded_splits(by_hand(), stripes, 60, 60, progress)
    parts = (coded.scattered, coded.scattered_held_out, coded.movement, coded.movement_held_out)
    for number, one in enumerate(parts):
        for other in parts[number + 1 :]:
            assert (one.dynamic_factors == other.dynamic_factors).all((1, 2)).mean() < 0.05


def test_forests_find_perfect_codes_perfect(stripes, by_hand):
    found, gap = grow(stripes, by_hand, lambda static, dynamic: (static, dynamic))
    assert found.disentanglement.value > 0.9
    assert found.completeness.value > 0.9
    assert found.static_in_static.value > 0.95
    assert found.dynamic_in_dynamic.value > 0.95
    assert min(part.value for part in found.informativeness.values()) > 0.95
    assert set(found.informativeness) == set(gap.factors) == {"hat", "coat", "act", "lean"}
    assert gap.mean.value > 0.8


def test_forests_find_nothing_in_constant_codes(stripes, by_hand):
    found, gap = grow(stripes, by_hand, lambda static, dynamic: (static * 0, dynamic * 0))
    assert found.disentanglement.value == found.completeness.value == found.static_in_static.value == 0
    assert found.informativeness["hat"].value < 0.6
    assert gap.mean.value == pytest.approx(0, abs=1e-9)


def test_forests_find_codes_said_twice_disentangled_and_incomplete(stripes, by_hand):
    def twice(static, dynamic):
        return np.concatenate([static, static], 1), np.concatenate([dynamic, dynamic], 2)

    (once, _), (found, gap) = (grow(stripes, by_hand, how) for how in (lambda *codes: codes, twice))
    assert found.disentanglement.value > 0.9
    assert found.completeness.value < once.completeness.value - 0.1
    assert gap.mean.value < 0.05


def test_a_hat_in_the_dynamic_code_is_where_importance_lies(stripes, by_hand):
    def leaking(static, dynamic):
        hat = np.repeat(static[:, None, :1], dynamic.shape[1], 1)
        return static * [0, 1], np.concatenate([dynamic, hat], 2)

    found, _ = grow(stripes, by_hand, leaking)
    assert found.static_in_static.value == pytest.approx(0.5, abs=0.1)
    assert found.dynamic_in_dynamic.value > 0.95
