"""Movies are drawn from the arrays alone: each cell shows its frame, in its time."""

import io

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from PIL import Image

from worker.figures import GROUND
from worker.movies import enlarge, gif, webp
from worker.moving import EDGE, beside, grid, matrix, movie, scene
from worker.sheets import AHEAD, SEEN


def colours(picture):
    return {tuple(colour) for colour in picture.reshape(-1, 3).tolist()}


def clip_of(count, shade, red=10):
    """Frames of one shade, whose number their corner tells."""
    frames = np.full((count, 16, 16, 3), shade, np.uint8)
    frames[:, :4, :4, 0] = red * np.arange(count, dtype=np.uint8)[:, None, None]
    return frames


def clips_of(count, length):
    return np.stack([clip_of(length, 100 + 10 * number) for number in range(count)])


def silent(stage, share):
    pass


def test_source_and_reconstruction_stand_side_by_side():
    frames, made = clip_of(3, 100), clip_of(3, 50)
    picture = beside(frames, made, 512)(2)
    side = picture.shape[0]
    assert side // 16 == 4
    assert_array_equal(picture[:, :side], enlarge(frames[2], 4))
    assert_array_equal(picture[:, -side:], enlarge(made[2], 4))


def test_the_moving_matrix_shows_one_time_in_all_its_cells():
    swaps = np.zeros((3, 2, 5, 16, 16, 3), np.uint8)
    for a, m, t in np.ndindex(swaps.shape[:3]):
        swaps[a, m, t] = (10 * a, 50 * m, 20 * t)
    appearances = np.stack([clip_of(1, shade)[0] for shade in (140, 180, 220)])
    motions = np.stack([clip_of(5, 200 + m) for m in range(2)])
    picture = matrix(swaps, appearances, motions, 640)
    seen = colours(picture(4))
    assert {(10 * a, 50 * m, 80) for a in range(3) for m in range(2)} <= seen
    assert (0, 0, 60) not in seen
    assert {(140, 140, 140), (180, 180, 180), (220, 220, 220), (200, 200, 200), (201, 201, 201)} <= seen
    assert picture(0).shape == picture(4).shape
    assert_array_equal(picture(4)[:64, 70:134], enlarge(motions[0, 4], 4))


def test_clips_move_side_by_side():
    clips = clips_of(3, 6)
    picture = grid(clips, lambda t: GROUND, 128)(4)
    assert {(40, shade, shade) for shade in (100, 110, 120)} <= colours(picture)
    assert (30, 100, 100) not in colours(picture)
    assert picture.shape[0] == picture.shape[1]


def test_a_moving_futures_edge_tells_the_observed_from_the_predicted():
    arrays = {"frames": clips_of(2, 14), "observed": np.array(5), "timestamps": np.arange(14) / 10}
    draw, times = scene("predict", arrays)
    picture = draw(640)
    assert tuple(picture(4)[0, 0]) == SEEN
    assert tuple(picture(5)[EDGE - 1, 0]) == AHEAD
    assert picture(0).shape == picture(13).shape
    assert len(times) == 14
    alone, _ = scene("predict", {**arrays, "frames": clips_of(1, 14)[0]})
    assert alone(640)(0).shape == (64 + 2 * EDGE, 64 + 2 * EDGE, 3)


def test_looping_pictures_keep_their_colours():
    frames = clip_of(6, 100)
    picture, times = beside(frames, frames // 2, 128), np.arange(6) / 10
    for content in (gif(picture, times), webp(picture, times)):
        looped = Image.open(io.BytesIO(content))
        assert looped.info["loop"] == 0
        looped.seek(looped.n_frames - 1)
        assert np.abs(np.asarray(looped.convert("RGB")).astype(int) - picture(5)).mean() < 4


@pytest.mark.parametrize("of", ["sample", "interpolate", "decode"])
def test_what_has_no_time_of_its_own_plays_at_the_rate_of_drawn_clips(of):
    looped = Image.open(io.BytesIO(movie(of, {"frames": clip_of(5, 100)}, "gif", silent)))
    assert looped.n_frames == 5
    assert looped.info["duration"] == 80


def test_whoever_draws_a_movie_looks_up_and_may_be_told_to_stop():
    frames = clip_of(40, 100, red=5)
    arrays = {"frames": frames, "reconstruction": frames // 2, "timestamps": np.arange(40) / 10}
    heard = []

    def stop(stage, share):
        heard.append(stage)
        if len(heard) == 2:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        movie("encode", arrays, "mp4", stop)
    assert heard == ["rendering"] * 2
