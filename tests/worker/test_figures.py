"""Pictures of results show the frames they should, where they should, and movies keep their time."""

import io

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

from models.codes import Codes, DynamicCode, StaticCode
from models.fit import Fit
from models.plane import Plane
from worker.arrays import swap_arrays
from worker.coding import DrawnPlane, EncodedClip, SwappedClips, average_rate
from worker.figures import GUTTER, key_frames, plane_png, swap_png
from worker.movies import LOOPED_FRAMES, delays, enlarge, thinned
from worker.timeline import HIGH, LEFT, LOW, RIGHT, WIDTH, nice, timeline_png


def clip_of(count, shade, code=None, typical=None):
    frames = np.full((count, 16, 16, 3), shade, np.uint8)
    frames[:, :4, :4, 0] = np.arange(count, dtype=np.uint8)[:, None, None]
    if code is None:
        code = np.stack([np.sin(np.arange(count)), np.cos(np.arange(count))], 1)
    dynamic = torch.tensor(code, dtype=torch.float32)[None]
    codes = Codes(StaticCode(torch.zeros(1, 4), torch.ones(1, 4)), DynamicCode(dynamic, torch.full_like(dynamic, 0.1)))
    fit = Fit(20.0, -1000.0, 50.0, typical, None)
    return EncodedClip(np.arange(count) / 10, frames, frames // 2, codes, fit)


def read(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def test_a_planes_pictures_lie_in_its_rows_and_columns():
    frames = np.random.default_rng(0).integers(0, 256, (3, 3, 16, 16, 3), dtype=np.uint8)
    codes = np.zeros((3, 3, 2), np.float32)
    picture = read(plane_png(DrawnPlane(frames, codes, Plane(torch.eye(2), (0, 1)), codes[0, 0])))
    side = (picture.shape[0] - 2 * GUTTER) // 3
    factor = side // 16
    for row in range(3):
        for column in range(3):
            y, x = row * (side + GUTTER), column * (side + GUTTER)
            assert_array_equal(picture[y : y + side, x : x + side], enlarge(frames[row, column], factor))


def test_key_frames_are_those_that_lie_furthest_apart():
    code = np.array([[0.0], [0.1], [5.0], [5.1], [-4.0], [0.2]], np.float32)
    assert key_frames(code, 3) == [0, 3, 4]
    assert key_frames(code, 99) == [0, 1, 2, 3, 4, 5]


def swap_of(lengths=(5, 3)):
    statics = tuple(clip_of(4, shade) for shade in (40, 80, 120))
    motions = tuple(clip_of(length, 200) for length in lengths)
    frames = np.zeros((3, len(lengths), max(lengths), 16, 16, 3), np.uint8)
    for a, m, t in np.ndindex(frames.shape[:3]):
        frames[a, m, t] = (10 * a, 50 * m, 20 * min(t, lengths[m] - 1))
    return SwappedClips(statics, motions, "raw", frames, np.array(lengths))


def colours(picture):
    return {tuple(colour) for colour in picture.reshape(-1, 3).tolist()}


def test_the_matrix_has_a_row_for_each_appearance_and_every_key_frame_of_each_motion():
    swapped = swap_of()
    seen = colours(read(swap_png(swapped)))
    for a, m in np.ndindex(3, 2):
        chosen = key_frames(swapped.motions[m].codes.dynamic.mean[0].numpy(), 6)
        assert {(10 * a, 50 * m, 20 * t) for t in chosen} <= seen
    assert {(40, 40, 40), (80, 80, 80), (120, 120, 120), (200, 200, 200)} <= seen


def test_the_arrays_of_a_swap_have_its_sources_and_hold_what_has_ended():
    swapped = swap_of()
    arrays = swap_arrays(swapped)
    assert_array_equal(arrays["appearances"], [clip.frames[2] for clip in swapped.statics])
    assert_array_equal(arrays["motions"][0], swapped.motions[0].frames)
    assert_array_equal(arrays["motions"][1], swapped.motions[1].frames[[0, 1, 2, 2, 2]])
    assert_array_equal(arrays["dynamic"][1], swapped.motions[1].codes.dynamic.mean[0][[0, 1, 2, 2, 2]])
    assert_array_equal(arrays["timestamps"], swapped.motions[0].timestamps)


def test_a_timeline_marks_the_extremes_at_their_times():
    code = np.zeros((41, 2))
    code[10, 0], code[30, 0] = 2.0, -2.0
    picture = read(timeline_png(clip_of(41, 90, code), "a clip")).astype(int)
    plot = picture[:, LEFT : WIDTH - RIGHT]
    for colour, share in ((HIGH, 10 / 40), (LOW, 30 / 40)):
        lane = plot[100:205]
        _, x = np.nonzero(np.abs(lane - colour).sum(-1) < 20)
        assert_allclose(x.mean() / (WIDTH - LEFT - RIGHT), share, atol=0.005)


def test_a_dimension_that_stays_still_has_no_extremes_to_show():
    code = np.zeros((41, 2))
    code[:, 0], code[5, 1] = np.linspace(-2, 2, 41), 0.02
    picture = read(timeline_png(clip_of(41, 90, code), "a clip")).astype(int)
    first, second = picture[130:205], picture[215:290]
    for colour in (HIGH, LOW):
        assert (np.abs(first - colour).sum(-1) < 20).any()
        assert not (np.abs(second - colour).sum(-1) < 20).any()


@pytest.mark.parametrize("count", [1, 2, 2000])
def test_a_timeline_is_drawn_of_any_length(count):
    assert read(timeline_png(clip_of(count, 90, typical=False), "a clip")).shape[1] == WIDTH


def test_round_numbers_hold_what_they_must():
    for value in (0.013, 0.99, 1.0, 1.2, 2.6, 7.4, 99.0):
        assert value <= nice(value) < 2 * value
    assert nice(0.0) == nice(float("nan")) == 1.0


def test_delays_add_up_to_the_clips_own_time():
    times = np.arange(100) / 29.97
    for grain in (1, 10):
        assert sum(delays(times, thinned(100), grain)) == pytest.approx(1000 * 100 / 29.97, abs=grain)
    kept = thinned(3000)
    assert len(kept) == LOOPED_FRAMES
    assert (kept[0], kept[-1]) == (0, 2999)
    assert sum(delays(np.arange(3000) / 25, kept, 10)) == pytest.approx(120_000, abs=10)


def test_a_rate_is_told_where_there_is_one():
    assert average_rate(np.arange(5) / 25) == 25.0
    assert average_rate(np.zeros(1)) is None
    assert average_rate(np.zeros(4)) is None
