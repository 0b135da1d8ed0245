"""Drawn faces: every factor shows, nothing else does, and nobody held out is ever drawn for training."""

from dataclasses import asdict, replace
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pytest

from training.data.faces import (
    DYNAMIC,
    FACTORS,
    NUM_IDENTITIES,
    FacesPool,
    Identity,
    cached_pool,
    draw,
    identities,
    motion_path,
    numbers,
    render_pool,
)

NEUTRAL = (0.0, 0.0, 0.0)
SOMEONE = Identity(skin=1, face_shape=1, hair_style=0, hair_colour=1, eyes=1, brows=2, glasses=0, beard=0, background=0)


def difference(first: np.ndarray, second: np.ndarray) -> float:
    """Mean absolute difference in grey levels of 255."""
    return float(np.abs(first.astype(int) - second.astype(int)).mean())


def test_the_same_face_is_drawn_twice_alike():
    np.testing.assert_array_equal(draw(SOMEONE, (0.3, 0.4, -0.5)), draw(SOMEONE, (0.3, 0.4, -0.5)))


@pytest.mark.parametrize("size", [32, 64, 97, 256])
def test_a_face_is_drawn_at_any_size(size):
    picture = draw(SOMEONE, NEUTRAL, size)
    assert picture.shape == (size, size, 3)
    assert picture.dtype == np.uint8
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 50  # smooth edges mix the flat colours


@pytest.mark.parametrize("pose", [NEUTRAL, (1.0, 0.0, 1.0), (-1.0, 1.0, -1.0)])
@pytest.mark.parametrize("factor", list(FACTORS))
def test_every_two_levels_of_a_static_factor_look_different_in_every_pose(factor, pose):
    pictures = [draw(replace(SOMEONE, **{factor: level}), pose) for level in range(FACTORS[factor])]
    assert min(difference(*pair) for pair in combinations(pictures, 2)) > 0.2


@pytest.mark.parametrize("glasses", range(3))
@pytest.mark.parametrize("name", list(DYNAMIC))
def test_every_step_of_a_dynamic_factor_moves_the_picture(name, glasses):
    low, high = DYNAMIC[name]
    column = list(DYNAMIC).index(name)
    pictures = []
    for value in np.linspace(low, high, 7):
        pose = list(NEUTRAL)
        pose[column] = float(value)
        pictures.append(draw(replace(SOMEONE, glasses=glasses), tuple(pose)))
    assert min(difference(*pair) for pair in pairwise(pictures)) > 0.1


def test_a_pose_leaves_the_background_alone():
    first, second = draw(SOMEONE, (1.0, 0.0, 1.0)), draw(SOMEONE, (-1.0, 1.0, -1.0))
    for corner in (np.s_[:8, :8], np.s_[:8, -8:]):
        np.testing.assert_array_equal(first[corner], second[corner])


def test_eyes_move_more_than_ears_when_the_head_turns():
    """Parallax: what lies in front of the axis moves with the turn, what lies behind moves against it."""
    bun = replace(SOMEONE, hair_style=5)
    eyes, buns = [], []
    for turn in (-1.0, 1.0):
        picture = draw(bun, (0.0, 0.0, turn)).astype(int)
        white = picture[24:34].min(-1) > 240
        hair = np.abs(picture[2:9] - picture[6, 32 + round(-turn * 3)]).sum(-1) < 30
        eyes.append(np.nonzero(white)[1].mean())
        buns.append(np.nonzero(hair)[1].mean())
    assert eyes[1] - eyes[0] > 5
    assert buns[1] - buns[0] < -2


def test_a_turn_to_the_left_mirrors_a_turn_to_the_right_of_a_symmetric_face():
    left, right = draw(SOMEONE, (0.5, 0.0, -0.7), 128), draw(SOMEONE, (0.5, 0.0, 0.7), 128)
    assert difference(left[:, ::-1], right) < 3.0
    assert difference(left, right) > 10.0


def test_a_pose_out_of_range_is_refused_by_name():
    with pytest.raises(ValueError, match=r"surprise lies in \[0, 1\], got -0.5"):
        draw(SOMEONE, (0.0, -0.5, 0.0))


def test_numbers_and_identities_correspond_one_to_one():
    rng = np.random.default_rng(0)
    for number in [0, NUM_IDENTITIES - 1, *rng.integers(NUM_IDENTITIES, size=50).tolist()]:
        assert Identity.from_number(number).number == number
    assert len({Identity.from_number(n) for n in range(2000)}) == 2000
    assert tuple(asdict(SOMEONE)) == tuple(FACTORS)
    with pytest.raises(ValueError, match="glasses has levels 0 to 2, got 3"):
        replace(SOMEONE, glasses=3)


def test_nobody_is_in_both_splits():
    train, test = set(numbers("train").tolist()), set(numbers("test").tolist())
    assert len(train) + len(test) == NUM_IDENTITIES
    assert not train & test
    assert {person.number for person in identities("train", 2000)} <= train
    assert {person.number for person in identities("test", 2000)} <= test


def test_a_larger_request_begins_with_the_smaller_one():
    assert identities("test", 50)[:20] == identities("test", 20)


def test_every_level_of_every_factor_occurs_about_equally_often():
    levels = np.array([person.levels for person in identities("train", 3000)])
    for column, count in enumerate(FACTORS.values()):
        shares = np.bincount(levels[:, column], minlength=count) / len(levels)
        np.testing.assert_allclose(shares, 1 / count, atol=0.04)


def test_a_split_that_is_too_small_is_refused():
    with pytest.raises(ValueError, match="got a count of 900000"):
        identities("train", 900_000)


def test_motion_is_smooth_stays_in_range_and_reaches_the_extremes():
    paths = np.stack([motion_path(np.random.default_rng(seed), 40) for seed in range(200)])
    for column, (low, high) in enumerate(DYNAMIC.values()):
        values, span = paths[..., column], high - low
        assert low <= values.min() <= low + 0.01 * span
        assert high - 0.01 * span <= values.max() <= high
        assert np.abs(np.diff(values, axis=1)).max() < 0.32 * span  # 15/8 of the mean speed of 6 frames
        assert 0.25 < values.std() / span < 0.45
    assert np.abs(np.corrcoef(paths.reshape(-1, 3).T) - np.eye(3)).max() < 0.05


def test_a_pool_is_what_its_factors_say_whatever_the_number_of_processes():
    pool = render_pool("test", 3, 4, seed=5, progress=False)
    again = render_pool("test", 3, 4, seed=5, processes=2, progress=False)
    np.testing.assert_array_equal(pool.images, again.images)
    person = Identity(*(int(level) for level in pool.static[1]))
    assert person == identities("test", 3)[1]
    smile, surprise, turn = (float(value) for value in pool.dynamic[1, 2])
    np.testing.assert_array_equal(pool.images[1, 2], draw(person, (smile, surprise, turn)))


def test_a_saved_pool_is_drawn_once_and_a_smaller_one_is_its_beginning(tmp_path: Path):
    drawn = cached_pool(tmp_path, "faces_test", "test", 3, 4)
    written = (tmp_path / "faces_test_images.npy").stat().st_mtime_ns
    fewer = cached_pool(tmp_path, "faces_test", "test", 2, 4)
    assert (tmp_path / "faces_test_images.npy").stat().st_mtime_ns == written
    np.testing.assert_array_equal(fewer.images, drawn.images[:2])
    np.testing.assert_array_equal(FacesPool.open(tmp_path, "faces_test").static, drawn.static)
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".npy"] * 3
