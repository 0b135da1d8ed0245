"""A model that recognises its own swaps is told from one that does not."""

import numpy as np
import pytest
from rich.progress import Progress

from training.metrics.consistency import consistency, recognised
from training.metrics.swaps import circle, decode_pairs, encode, held_out_clips


def again(model, data, count=40):
    with Progress(disable=True) as progress:
        clips, pairs = held_out_clips(data, count, seed=3), circle(count, 2)
        themselves = np.stack([np.arange(count)] * 2, axis=1)
        codes = encode(model, clips.frames, progress)
        swaps, own = (decode_pairs(model, codes, which, "raw", progress) for which in (pairs, themselves))
        return consistency(model, codes, swaps, pairs, own, progress)


def test_perfect_codes_come_back_as_they_were(stripes, by_hand):
    found = again(by_hand(), stripes)
    for part in (found.swaps, found.reconstructions):
        assert part.static_distance.value == pytest.approx(0, abs=1e-4)
        assert part.dynamic_distance.value == pytest.approx(0, abs=1e-4)
        assert part.dynamic_found.value > 0.95  # a lean of two frames can be the same by chance
    assert found.swaps.static_found.value < 1  # many of 40 share one of 12 looks, and ties are shared out
    assert found.swaps.static_found.value == pytest.approx(found.reconstructions.static_found.value)


def test_a_hat_in_the_dynamic_code_overrules_the_static_code(stripes, by_hand):
    found = again(by_hand("leak"), stripes)
    assert found.swaps.static_distance.low > 0.3
    assert found.swaps.static_found.value < 0.7 * found.reconstructions.static_found.value
    assert found.reconstructions.static_distance.value == pytest.approx(0, abs=1e-4)


def test_a_remembered_motion_that_nothing_paints_is_not_recognised(stripes, by_hand):
    found = again(by_hand("memory"), stripes)
    assert found.swaps.static_distance.low > found.reconstructions.static_distance.high
    assert found.swaps.dynamic_distance.value == pytest.approx(0, abs=1e-4)


def test_constant_codes_are_found_by_chance_alone(stripes, by_hand):
    found = again(by_hand("grey"), stripes)
    for part in (found.swaps, found.reconstructions):
        assert part.static_distance.value == part.dynamic_distance.value == 1
        assert part.static_found.value == pytest.approx(1 / 40)
        assert part.dynamic_found.value == pytest.approx(1 / 8)


def test_another_s_code_is_as_far_as_two_of_them_are():
    """‖c − c'‖² of two draws is twice their variance; 1 would be the mean's."""
    rng = np.random.default_rng(0)
    static, dynamic = rng.normal(size=(300, 5)), rng.normal(size=(300, 4, 3))
    pairs = circle(300, 1)
    found = recognised(static, dynamic, static[pairs[:, 1]], dynamic[pairs[:, 0]], pairs)
    assert found.static_distance.value == pytest.approx(2, abs=0.2)
    assert found.dynamic_distance.value == pytest.approx(2, abs=0.2)
    assert found.static_found.value == 0
    assert found.dynamic_found.value == pytest.approx(1 / 4, abs=0.05)


def test_codes_that_tell_the_same_twice_come_back_like_others():
    rng = np.random.default_rng(0)
    static, dynamic = rng.normal(size=(30, 5)), rng.normal(size=(30, 4, 3))
    pairs = circle(30, 2)
    noisy = static[pairs[:, 0]] + 0.1 * rng.normal(size=(60, 5)), dynamic[pairs[:, 1]]
    once = recognised(static, dynamic, *noisy, pairs)
    twice = recognised(*(np.concatenate([part] * 2, -1) for part in (static, dynamic, *noisy)), pairs)
    assert twice.static_distance.value == pytest.approx(once.static_distance.value)
    assert twice.static_found.value == once.static_found.value == 1
