"""Digits whose factors are known are drawn as the moving clips are, and say only what can be seen."""

from pathlib import Path

import numpy as np
import pytest
import torch

from training.data.drawn_digits import HIDDEN, DrawnDigits
from training.data.idx import read_idx


@pytest.fixture(scope="module")
def digits(shared_data: Path) -> DrawnDigits:
    return DrawnDigits(shared_data / "mnist", held_out=40, training=50)


def test_held_out_pairs_are_of_the_test_digits_and_training_pairs_are_not(
    digits: DrawnDigits, shared_data: Path
) -> None:
    test, train = digits.identities("test"), digits.identities("train")
    assert len(test) == 40
    assert test[:, 3:].min() >= 60_000
    assert train[:, 3:].max() < 60_000
    labels = read_idx(shared_data / "mnist" / "t10k-labels-idx1-ubyte.gz")
    assert np.array_equal(labels[test[:, 3:] - 60_000], test[:, :2])


def test_red_is_the_first_digit_and_the_front_one_hides_the_other(digits: DrawnDigits) -> None:
    people = digits.identities("test", 12)
    apart = np.broadcast_to(np.array([0.0, 0.0, 32.0, 32.0]), (12, 1, 4))
    picture = digits.draw(people, apart)[:, 0]
    assert (picture[:, 0, :32, :32].amax((1, 2)) > 200).all()
    assert (picture[:, 1, 32:, 32:].amax((1, 2)) > 200).all()
    assert picture[:, 2].max() == 0
    assert picture[:, 1, :32, :32].max() == 0
    upon = digits.draw(people, np.full((12, 1, 4), 10.0))[:, 0]
    for number, front in enumerate(people[:, 2]):
        mine, other = upon[number, front], upon[number, 1 - front]
        assert not ((mine > 0) & (other > 0)).any(), "where the front digit is, the other one is not seen"
        assert mine.float().sum() == picture[number, front].float().sum(), "and the front digit is whole"


def test_a_swap_is_one_pair_of_digits_on_anothers_path(digits: DrawnDigits) -> None:
    people, motion = digits.identities("test", 2), digits.motions(np.random.default_rng(0), 2, 5, "movement")
    swapped = digits.draw(people[:1], motion[1:])
    moved = digits.draw(people[:1], motion[:1])
    assert not torch.equal(swapped, moved)
    first = motion[1, 0].astype(int)
    assert swapped[0, 0, people[0, 2], first[2 * people[0, 2]] :, first[2 * people[0, 2] + 1] :].max() > 200


def test_what_is_hidden_is_not_asked_for(digits: DrawnDigits) -> None:
    places = np.array([[0.0, 0.0, HIDDEN, 0.0], [0.0, 0.0, 5.0, 5.0], [0.0, 0.0, 32.0, 0.0]])
    legible = digits.legible(digits.read(places))
    assert legible.tolist() == [[True, True, True], [False, False, True], [True, True, False]]


def test_movement_is_in_order_and_scattered_frames_are_anywhere(digits: DrawnDigits) -> None:
    movement = digits.motions(np.random.default_rng(0), 20, 8, "movement")
    scattered = digits.motions(np.random.default_rng(0), 20, 8, "scattered")
    assert np.abs(np.diff(movement, axis=1)).max() <= 4
    assert np.abs(np.diff(scattered, axis=1)).max() > 4
    assert movement.min() >= 0
    assert movement.max() <= 32
