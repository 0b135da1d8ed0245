"""A contact sheet shows frames crisply, in order, and what was observed apart from what was predicted."""

import io

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from PIL import Image

from models.codes import Codes, DynamicCode, StaticCode
from models.fit import Fit
from worker.coding import EncodedClip
from worker.futures import Future
from worker.movies import enlarge
from worker.sheets import (
    AHEAD,
    COLUMNS,
    HEADING,
    LINE,
    MARGIN,
    SEEN,
    clips_png,
    future_png,
    spread_out,
)


def read(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def told(picture):
    return {tuple(colour) for colour in picture.reshape(-1, 3).tolist()}


def clips_of(count, length):
    """Clips whose every frame has a colour of its own: that of its clip and its number."""
    clips = np.zeros((count, length, 16, 16, 3), np.uint8)
    clips[..., 0] = (10 + np.arange(length) % 200)[None, :, None, None]
    clips[..., 1] = 7 * np.arange(1, count + 1)[:, None, None, None]
    clips[..., 2] = 55 + (np.arange(length) // 200)[None, :, None, None]
    return clips


def colour_of(clip, frame):
    return (10 + frame % 200, 7 * (clip + 1), 55 + frame // 200)


def future_of(count, observed=5, length=14):
    clips = clips_of(count, length)
    clips[:, :observed] = clips[:1, :observed]
    dynamic = torch.zeros(count, length, 2)
    codes = Codes(
        StaticCode(torch.zeros(1, 4), torch.ones(1, 4)), DynamicCode(dynamic[:1, :observed], dynamic[:1, :observed])
    )
    seen = clips[0, :observed]
    clip = EncodedClip(np.arange(observed) / 10, seen, seen, codes, Fit(20.0, None, None, None, None))
    return Future(clip, 0 if count > 1 else None, clips, dynamic)


def test_a_short_clip_is_shown_whole_in_order_and_with_its_own_pixels():
    frames = np.random.default_rng(0).integers(0, 256, (1, 4, 16, 16, 3), dtype=np.uint8)
    picture = read(clips_png("a model", frames))
    side = 16 * 3
    for place in range(4):
        x = MARGIN + place * (side + 2)
        assert_array_equal(picture[HEADING : HEADING + side, x : x + side], enlarge(frames[0, place], 3))


@pytest.mark.parametrize("length", [1, 2, 13, 120, 1000])
def test_a_long_clip_is_thinned_evenly_and_keeps_its_ends(length):
    clips = clips_of(1, length)
    shown = {colour for colour in told(read(clips_png("a model", clips))) if colour[1] == 7}
    chosen = spread_out(length, 120)
    assert {colour_of(0, frame) for frame in chosen} <= shown
    assert (chosen[0], chosen[-1]) == (0, length - 1)
    assert len(chosen) == min(length, 120)


def test_each_of_several_clips_is_a_row_and_a_column_is_one_time():
    picture = read(clips_png("a model", clips_of(3, 30)))
    chosen = spread_out(30, COLUMNS)
    side = 16 * 3
    for clip in range(3):
        for column, frame in enumerate(chosen):
            y, x = HEADING + LINE + clip * (side + 2) + side // 2, MARGIN + column * (side + 2) + side // 2
            assert tuple(picture[y, x]) == colour_of(clip, frame)


@pytest.mark.parametrize("count", [1, 4])
def test_observed_frames_lie_above_a_rule_and_predicted_ones_below_another(count):
    picture = read(future_png(future_of(count), "a model"))
    rows = {
        colour: np.flatnonzero((picture == colour).all(-1).sum(1) > picture.shape[1] / 2) for colour in (SEEN, AHEAD)
    }
    first, second = rows[SEEN].min(), rows[AHEAD].min()
    assert first < second
    above, below = told(picture[first:second]), told(picture[second:])
    assert {colour_of(0, frame) for frame in range(5)} <= above
    assert not {colour_of(0, frame) for frame in range(5, 14)} & above
    assert {colour_of(clip, frame) for clip in range(count) for frame in range(5, 14)} <= below
