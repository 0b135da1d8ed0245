"""PSNR, gap and intervals, of models whose numbers can be worked out by hand."""

import numpy as np
import pytest
import torch
from rich.progress import Progress

from training.metrics.bootstrap import Estimate, mean_over_identities, mean_over_pairs, weights
from training.metrics.fidelity import fidelity
from training.metrics.swaps import (
    circle,
    decode_pairs,
    draw_pairs,
    encode,
    frame_psnr,
    held_out_clips,
)


def measure(model, data, how="raw"):
    with Progress(disable=True) as progress:
        clips = held_out_clips(data, 40, seed=3)
        codes = encode(model, clips.frames, progress)
        again = decode_pairs(model, codes, np.stack([np.arange(40)] * 2, 1), "raw", progress)
        swaps = decode_pairs(model, codes, circle(40, 3), how, progress)
        true = draw_pairs(data, clips, circle(40, 3), progress)
    reconstruction = frame_psnr(again, clips.frames)
    return fidelity(reconstruction, frame_psnr(swaps, true), circle(40, 3)), clips


@pytest.mark.parametrize("how", ["raw", "prior"])
def test_a_perfect_model_has_no_error_and_no_gap(stripes, by_hand, how):
    result, _ = measure(by_hand(), stripes, how)
    assert result.reconstruction_psnr.value == result.swap_psnr.value == 100
    assert (result.gap.value, result.gap.low, result.gap.high) == (0, 0, 0)


def test_a_leak_leaves_reconstructions_perfect_and_costs_swaps_what_the_wrong_hat_costs(stripes, by_hand):
    (result, clips), pairs = measure(by_hand("leak"), stripes), circle(40, 3)
    hats = np.array([0, 128, 255])[clips.static[:, 0]] / 255  # as 8-bit greys
    error = np.square(hats[pairs[:, 0]] - hats[pairs[:, 1]]) / 4  # one stripe of four
    expected = (-10 * np.log10(np.maximum(error, 1e-10))).mean()
    assert result.reconstruction_psnr.value == 100
    assert result.swap_psnr.value == pytest.approx(expected, abs=1e-6)
    assert result.gap.value == pytest.approx(100 - expected, abs=1e-6)
    assert 0 < result.gap.low < result.gap.value < result.gap.high


def test_a_model_that_paints_grey_has_the_psnr_of_grey_and_no_gap_beyond_chance(stripes, by_hand):
    result, clips = measure(by_hand("grey"), stripes)
    error = ((clips.frames.double() - 128) / 255).square().mean((2, 3, 4))
    expected = float((-10 * torch.log10(error)).mean())
    assert result.reconstruction_psnr.value == pytest.approx(expected, abs=1e-9)
    assert result.gap.low < 0 < result.gap.high


def test_psnr_of_one_grey_level_everywhere_is_48_dB():
    black = torch.zeros(1, 2, 3, 4, 4, dtype=torch.uint8)
    psnr = frame_psnr(black + 1, black)
    np.testing.assert_allclose(psnr, np.full((1, 2), 20 * np.log10(255)))


def test_every_identity_takes_part_equally_often_in_each_role_and_never_with_itself():
    pairs = circle(7, 3)
    assert len(pairs) == len(np.unique(pairs, axis=0)) == 21
    assert (pairs[:, 0] != pairs[:, 1]).all()
    for role in (0, 1):
        np.testing.assert_array_equal(np.bincount(pairs[:, role]), np.full(7, 3))


def test_an_interval_of_a_mean_is_that_of_the_normal_law():
    values = np.random.default_rng(0).normal(20, 3, size=400)
    rounds = mean_over_identities(values, weights(np.random.default_rng(1), 400, rounds=4000))
    assert rounds.std() == pytest.approx(values.std() / 20, rel=0.05)
    assert rounds.mean() == pytest.approx(values.mean(), abs=0.02)


def test_pairs_of_one_identity_do_not_count_as_independent():
    """What differs between identities only must not look surer because each is in many pairs."""
    rng, pairs = np.random.default_rng(0), circle(60, 20)
    own = rng.normal(size=60)
    drawn = weights(np.random.default_rng(1), 60, rounds=1500)
    rounds = mean_over_pairs(own[pairs[:, 0]], pairs, drawn)
    assert rounds.std() > 0.8 * own.std() / np.sqrt(60)


def test_a_resample_without_any_pair_is_left_out_of_the_interval():
    pairs, drawn = np.array([[0, 1]]), np.array([[2, 0], [1, 1], [0, 2]])
    rounds = mean_over_pairs(np.array([7.0]), pairs, drawn)
    np.testing.assert_array_equal(rounds, [np.nan, 7.0, np.nan])
    assert Estimate.of(7.0, rounds) == Estimate(7.0, 7.0, 7.0)
