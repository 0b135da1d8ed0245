"""Scaling is the mean of exactly the area that a pixel covers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from worker.area import AreaScaler, Box, centered_square, named_box
from worker.order import Refusal


def scale(picture, box, size, aspect=1.0):
    return AreaScaler(picture.shape[0], picture.shape[1], box, size, aspect)(picture)


def whole(picture):
    return Box(0.0, 0.0, float(picture.shape[1]), float(picture.shape[0]))


def exact_mean(picture, size):
    """The definition, by fine sampling: every pixel is cut into as many parts as there are output pixels."""
    fine = picture.astype(np.float64)
    fine = fine.repeat(size, 0).repeat(size, 1)
    cells = fine.reshape(size, fine.shape[0] // size, size, fine.shape[1] // size, 3)
    return np.floor(cells.mean((1, 3)) + 0.5)


@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 16))
def test_any_factor_gives_the_mean_of_the_covered_area(seed, side, size):
    picture = np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)
    means = exact_mean(picture, size)
    # float64's own last digit decides halves that are not exactly halves.
    assert np.abs(scale(picture, whole(picture), size).astype(int) - means).max() <= (0 if side % size == 0 else 1)


def test_whole_factors_are_exact_with_halves_rounded_up():
    picture = np.array([[[0, 1, 254], [1, 1, 255]], [[1, 2, 255], [0, 2, 255]]], np.uint8)
    assert scale(picture, whole(picture), 1).tolist() == [[[1, 2, 255]]]  # means 0.5, 1.5, 254.75


def test_three_pixels_to_two_share_the_middle_one():
    row = np.array([[[0, 0, 0], [90, 90, 90], [240, 240, 240]]], np.uint8).repeat(3, 0)
    assert scale(row, whole(row), 2)[0, :, 0].tolist() == [30, 190]


def test_enlarging_by_a_whole_factor_repeats_pixels():
    picture = np.random.default_rng(1).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    assert_array_equal(scale(picture, whole(picture), 64), picture.repeat(8, 0).repeat(8, 1))


def test_the_same_size_is_the_same_picture():
    picture = np.random.default_rng(2).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    assert_array_equal(scale(picture, whole(picture), 64), picture)


def test_what_is_not_square_is_fitted_between_black_bars():
    picture = np.full((32, 64, 3), 200, np.uint8)
    scaled = scale(picture, whole(picture), 64)
    assert (scaled[16:48] == 200).all()
    assert not scaled[:16].any()
    assert not scaled[48:].any()


def test_the_largest_centred_square_lies_between_pixels_where_it_must():
    assert centered_square(91, 161) == Box(35.0, 0.0, 91.0, 91.0)
    assert centered_square(91, 160) == Box(34.5, 0.0, 91.0, 91.0)


def test_a_square_of_wide_pixels_has_fewer_of_them():
    assert centered_square(100, 100, aspect=2.0) == Box(25.0, 0.0, 50.0, 100.0)


def test_a_part_must_lie_inside_the_picture():
    assert named_box("8,4,56,28", 32, 64) == Box(8.0, 4.0, 56.0, 28.0)
    for crop in ("9,4,56,28", "8,5,56,28", "0,0,0,5", "0,0,65,1"):
        with pytest.raises(Refusal, match="outside the picture, which is 64x32 pixels") as caught:
            named_box(crop, 32, 64)
        assert caught.value.slug == "wrong-value"
