"""A fresh probe finds a code that names its clip and no other; drift sees shapes, wherever they are."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.progress import Progress

from training.data.digits import MovingDigits
from training.data.pool import ClipPool
from training.metrics.drift import best_places, compared, elsewhere, floors
from training.metrics.edges import edges
from training.metrics.scene import clip_codes, pairs_of, scene_probe, told_right
from training.metrics.ssim import frame_ssim
from training.report import scene_line

QUIET = Progress(disable=True)


def grey_clips(named: bool, seed: int = 0, clips: int = 200) -> ClipPool:
    """Clips of stripes; the two that a dynamic code reads are random, or the same in all frames of a clip."""
    generator = torch.Generator().manual_seed(seed)
    greys = torch.randint(256, (clips, 12, 2), generator=generator, dtype=torch.uint8)
    if named:
        greys[:] = greys[:, :1]
    frames = torch.zeros(clips, 12, 64, 64, 3, dtype=torch.uint8)
    frames[:, :, :, 32:48] = greys[:, :, :1, None, None]
    frames[:, :, :, 48:] = greys[:, :, 1:, None, None]
    return ClipPool.of_equal_clips(frames)


@pytest.mark.parametrize(("named", "low", "high"), [(True, 0.85, 1.0), (False, 0.47, 0.53)])
def test_a_probe_tells_pairs_of_codes_that_name_their_clip_and_is_at_chance_otherwise(by_hand, named, low, high):
    found = scene_probe(
        by_hand(), grey_clips(named), grey_clips(named, 1), QUIET, num_training=200, num_held_out=100, steps=250
    )
    assert low <= found.right.value <= high
    assert found.right.low <= found.right.value <= found.right.high


def test_few_clips_are_each_taken_once_so_that_none_is_paired_with_itself_as_another(by_hand):
    codes = clip_codes(by_hand(), grey_clips(True, clips=7), 500, seed=3)
    assert len(codes.flatten(1).unique(dim=0)) == len(codes) == 7
    few = grey_clips(named=True, clips=7)
    assert scene_probe(by_hand(), few, few, QUIET, num_training=9, num_held_out=9, steps=2).clips == 7


def white_squares() -> MovingDigits:
    return MovingDigits(torch.full((1, 32, 32), 255, dtype=torch.uint8), torch.zeros(1, dtype=torch.int64))


def test_true_places_tell_clips_apart_as_digits_that_do_not_move_along_a_side_keep_to_it(by_hand):
    clips = white_squares()
    found = scene_probe(by_hand(), clips, clips, QUIET, num_training=1000, num_held_out=300, steps=300)
    assert found.places is not None
    # Of clips, 1 − (7/8)⁴ = 41 % have such a digit: a pair that shares a side is of one clip, the others are guessed.
    assert 0.57 < found.places.value < 0.75
    assert "of the true places alone tells it in" in scene_line(asdict(found))
    grey = grey_clips(named=False, clips=60)
    without = scene_probe(by_hand(), grey, grey, QUIET, num_training=60, num_held_out=30, steps=5)
    assert without.places is None
    assert "places" not in scene_line(asdict(without))


def test_places_are_those_of_the_digits_that_the_same_draw_shows():
    clips = white_squares()
    frames = clips.draw(20, 3, torch.Generator().manual_seed(5))
    places = clips.places(20, 3, torch.Generator().manual_seed(5))
    for number, channel in ((0, 0), (1, 1)):
        rows, columns = frames[:, :, channel].amax(3) > 0, frames[:, :, channel].amax(2) > 0
        whole = (rows.sum(2) == 32) & (columns.sum(2) == 32)  # else the other digit hides a part
        assert whole.sum() > 20
        assert torch.equal(rows.int().argmax(2)[whole], places[..., 2 * number][whole].long())
        assert torch.equal(columns.int().argmax(2)[whole], places[..., 2 * number + 1][whole].long())


def test_pairs_of_one_clip_are_of_different_frames_and_other_pairs_of_different_clips():
    codes = torch.stack(torch.meshgrid(torch.arange(9.0), torch.arange(5.0), indexing="ij"), -1)
    pairs = pairs_of(codes, 400, torch.Generator().manual_seed(0))
    assert pairs.apart.mean() == 0.5
    assert torch.equal(torch.stack([pairs.first[:, 0], pairs.second[:, 0]], 1), pairs.clips.float())
    assert (pairs.first[:, 1] != pairs.second[:, 1]).all()


def test_the_interval_of_a_probe_is_over_clips_and_not_over_their_many_pairs(by_hand):
    """Some clips stand still and are told, others are not: how many of each came is what is not sure."""
    still, moving = grey_clips(True, 3, 40), grey_clips(False, 4, 40)
    mixed = ClipPool.of_equal_clips(torch.stack([still.frames, moving.frames], 1).reshape(80, 12, 64, 64, 3))
    found = scene_probe(by_hand(), grey_clips(True), mixed, QUIET, num_training=200, num_held_out=80, steps=150)
    width = found.right.high - found.right.low
    assert width > 1.3 * 4 * 0.5 / np.sqrt(20 * 512), "that of so many independent pairs, at its widest"


def test_the_interval_of_a_probe_is_over_files_where_clips_are_of_the_same():
    """Of ten files eight clips each, all of which stand still or none does: they are ten draws and not eighty."""
    generator = torch.Generator().manual_seed(0)

    def codes(clips: int, still: torch.Tensor) -> torch.Tensor:
        drawn = torch.randn(clips, 6, 2, generator=generator)
        drawn[still] = drawn[still][:, :1]
        return drawn

    files = np.repeat(np.arange(10), 8)
    known, unknown = codes(200, torch.ones(200, dtype=torch.bool)), codes(80, torch.from_numpy(files % 2 == 0))
    apart, together, one = (told_right(known, unknown, QUIET, 150, 3, of) for of in (None, files, 0 * files))
    assert apart.value == together.value == one.value
    assert together.high - together.low > 1.5 * (apart.high - apart.low)
    assert one.low == one.high == pytest.approx(one.value), "one file is drawn each time"


def test_a_probe_is_told_the_files_of_those_clips_that_it_is_shown(by_hand, monkeypatch):
    """Each clip is as bright as its file's number says, so that its codes say it too."""
    shown = []

    def watched(known, unknown, progress, steps, seed, files=None):
        shown.append((unknown, files))
        return told_right(known, unknown, progress, steps, seed, files)

    monkeypatch.setattr("training.metrics.scene.told_right", watched)
    files = np.repeat(np.arange(10), 6)
    frames = torch.zeros(60, 12, 64, 64, 3, dtype=torch.uint8)
    frames[:, :, :, 32:48] = torch.from_numpy(20 * files).to(torch.uint8)[:, None, None, None, None]
    scene_probe(by_hand(), grey_clips(True), ClipPool.of_equal_clips(frames), QUIET, 9, 40, steps=1, files=files)
    codes, of = shown[0]
    assert len(of) == 40
    assert (codes[:, 0, 0] * 255 / 20).round().tolist() == of.tolist()
    clips = white_squares()
    scene_probe(by_hand(), clips, clips, QUIET, 9, 9, steps=1, files=np.zeros(10_000, int))
    assert [of for _, of in shown[1:]] == [None, None], "of no file, as they are new ones, nor are their places"


@pytest.fixture(scope="module")
def moving(shared_data: Path) -> MovingDigits:
    return MovingDigits.load(shared_data / "mnist", "test")


def test_digits_are_found_where_they_are(moving: MovingDigits) -> None:
    generator = torch.Generator().manual_seed(4)
    actors, paths = moving.cast(12, generator), moving.paths(12, 1, generator)
    frames = moving.draw_clips(actors, paths)[:, 0].permute(0, 3, 1, 2)
    found = best_places(frames, moving.images[actors.digits])
    front = actors.front[:, -1]
    rows = torch.arange(12)
    assert torch.equal(found[rows, front], paths[rows, 0, front]), "the whole one exactly"


def test_true_digits_anywhere_have_no_drift_and_blurred_or_other_ones_have(moving: MovingDigits) -> None:
    generator = torch.Generator().manual_seed(4)
    actors, paths = moving.cast(8, generator), moving.paths(8, 3, generator)
    frames = moving.draw_clips(actors, paths).permute(0, 1, 4, 2, 3).contiguous()
    whole, true = compared(frames, actors, moving)
    assert np.median(whole) > 0.99
    assert float(edges(true).mean()) == pytest.approx(float(edges(frames).mean()), rel=0.05)
    blurred = torch.nn.functional.avg_pool2d(frames.flatten(0, 1).float(), 7, 1, 3).reshape(frames.shape)
    assert compared(blurred.to(torch.uint8), actors, moving)[0].mean() < 0.95
    assert edges(blurred.to(torch.uint8)).mean() < 0.3 * edges(true).mean()
    assert compared(frames, elsewhere(actors), moving)[0].mean() < 0.95


def test_quite_other_digits_and_black_frames_are_told_beside_what_a_model_shows(moving: MovingDigits) -> None:
    """SSIM with the true digits is high for both, as most of a frame is black: hence the floors."""
    generator = torch.Generator().manual_seed(4)
    actors, paths = moving.cast(8, generator), moving.paths(8, 3, generator)
    frames = moving.draw_clips(actors, paths).permute(0, 1, 4, 2, 3).contiguous()
    others, nothing = floors(frames, actors, moving)
    assert 0.85 < others < 0.95
    assert 0.85 < nothing < 0.95


def test_a_black_frame_is_held_against_digits_where_they_are_and_not_against_both_on_one_corner(
    moving: MovingDigits,
) -> None:
    generator = torch.Generator().manual_seed(4)
    actors, paths = moving.cast(8, generator), moving.paths(8, 3, generator)
    frames = moving.draw_clips(actors, paths).permute(0, 1, 4, 2, 3).contiguous()
    black = torch.zeros_like(frames)
    _, nothing = floors(frames, actors, moving)
    assert nothing == pytest.approx(frame_ssim(frames, black).mean())
    on_the_corner, degenerate = compared(black, actors, moving)
    assert degenerate[..., 32:, :].max() == degenerate[..., :, 32:].max() == 0
    assert nothing < on_the_corner.mean(), "two digits have more ink than one that hides the other"
