"""Codes are as large as the clips ask for."""

import numpy as np
import pytest
import torch

from training.data.pool import ClipPool
from training.sizing import axes_within, dynamic_size, static_size


def moving_in(directions: int, clips: int = 3, frames: int = 60) -> ClipPool:
    """Clips of different grounds on which so many patterns come and go, each at its own times."""
    rng = np.random.default_rng(0)
    patterns = np.linalg.qr(rng.normal(size=(16 * 16 * 3, directions)))[0].T.reshape(directions, 16, 16, 3)
    ground = rng.uniform(100, 150, (clips, 1, 16, 16, 3))
    weights = rng.uniform(-300, 300, (clips, frames, directions))
    pictures = (ground + np.einsum("ctd,dyxk->ctyxk", weights, patterns)).clip(0, 255).round().astype(np.uint8)
    return ClipPool.of_equal_clips(torch.from_numpy(pictures.repeat(4, 2).repeat(4, 3)))


@pytest.mark.parametrize("directions", [2, 5, 9])
def test_a_dynamic_code_has_as_many_numbers_as_there_are_ways_to_change(directions):
    found = dynamic_size(moving_in(directions))
    assert directions - 1 <= found <= directions, "nine tenths of the variance may need one axis less"


def test_what_tells_clips_apart_is_no_motion():
    still = moving_in(1).frames.reshape(3, 60, 64, 64, 3)[:, :1].repeat(1, 60, 1, 1, 1)
    assert axes_within(ClipPool.of_equal_clips(still)).max() < 1e-12
    assert dynamic_size(ClipPool.of_equal_clips(still)) == 2


def test_many_short_clips_ask_for_as_many_numbers_as_fewer_of_them():
    noise = np.random.default_rng(0).integers(0, 256, (2500, 20, 16, 16, 3), np.uint8)
    few, many = (dynamic_size(ClipPool.of_equal_clips(torch.from_numpy(noise[:count]))) for count in (500, 2500))
    assert few == many == 16


def test_a_static_code_grows_with_the_clips_within_bounds():
    def of(count: int) -> ClipPool:
        return ClipPool.of_equal_clips(torch.zeros(count, 2, 16, 16, 3, dtype=torch.uint8))

    assert [static_size(of(count)) for count in (1, 8, 9, 100, 1000)] == [16, 16, 32, 256, 256]
