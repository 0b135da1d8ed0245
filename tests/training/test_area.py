"""A scaled picture is made of means of exact areas."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from training.data.area import area_average


def by_counting(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    """The same with whole numbers alone: blow the picture up, then average whole blocks."""
    large = picture.repeat(height, 0).repeat(width, 1).astype(np.int64)
    blocks = large.reshape(height, picture.shape[0], width, picture.shape[1])
    return blocks.mean((1, 3))


@given(st.integers(0, 2**31), *[st.integers(1, 12)] * 4)
def test_every_pixel_is_the_mean_of_the_area_it_covers(seed: int, h: int, w: int, height: int, width: int) -> None:
    picture = np.random.default_rng(seed).integers(0, 256, (h, w)).astype(np.uint8)
    scaled = area_average(picture, height, width)
    assert np.abs(scaled - by_counting(picture, height, width)).max() <= 0.5 + 1e-3


def test_factors_that_are_not_whole_share_the_pixels_between() -> None:
    picture = np.array([[0, 60, 240]], np.uint8)
    assert area_average(picture, 1, 2).tolist() == [[20, 180]]
