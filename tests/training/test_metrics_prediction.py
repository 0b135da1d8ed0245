"""Futures are measured as they should be: a perfect motion as the best there is, a still one as just that."""

import math

import numpy as np
import pytest
import torch
from rich.progress import Progress

from models.motion import Motion, MotionConfig
from training.data.pool import ClipPool
from training.evaluate import told_future
from training.metrics.bootstrap import over_clips, ratio_over_clips
from training.metrics.edges import edges
from training.metrics.prediction import FAR, SAMPLES, future_frames, futures, squared_error
from training.metrics.ssim import frame_ssim
from training.metrics.strip import future_strips

QUIET = Progress(disable=True)
SPREAD = 0.1  # of the codes, by which a motion measures its steps


def leaning_pool(step: float) -> ClipPool:
    """Clips of stripes whose third one brightens evenly."""
    frames = torch.zeros(4, 14, 64, 64, 3, dtype=torch.uint8)
    for clip in range(4):
        frames[clip, :, :, :32] = 60 * clip
        frames[clip, :, :, 32:48] = (40 + step * torch.arange(14)).to(torch.uint8)[:, None, None, None]
    return ClipPool.of_equal_clips(frames)


def steady(model, change: float, log_var: float = -9.0):
    """A motion that adds the same to the first dynamic dimension at every step."""
    motion = Motion(MotionConfig(static_dim=model.static_dim, dynamic_dim=model.dynamic_dim, hidden=4))
    for value in motion.parameters():
        torch.nn.init.zeros_(value)
    with torch.no_grad():
        motion.change.bias[0] = change / SPREAD
        motion.get_buffer("dynamic_mean").fill_(4 * SPREAD)
        motion.get_buffer("dynamic_std").fill_(SPREAD)
    torch.nn.init.constant_(motion.log_var.bias, log_var)
    model.motion = motion.eval()
    return model


def test_a_perfect_motion_is_as_good_as_the_true_codes_and_better_than_standing_still(by_hand):
    measured = futures(steady(by_hand(), 10 / 255), leaning_pool(10), 4, 10, 4, QUIET)
    assert measured.psnr["predicted"] == measured.psnr["own codes"]
    assert measured.ssim["predicted"] == pytest.approx([1.0] * 10, abs=1e-3)
    assert measured.squared_error["predicted"] == pytest.approx([0.0] * 10, abs=1e-9)
    stripe = 3 * 64 * 16  # values of the one stripe that moves
    expected = [stripe * (10 * ahead / 255) ** 2 for ahead in range(1, 11)]
    assert measured.squared_error["held"] == pytest.approx(expected, rel=1e-6)
    assert measured.squared_error["constant"][4] < measured.squared_error["constant"][9], "the median is in the middle"


def test_stretches_of_one_clip_are_no_surer_than_the_clip():
    values = np.repeat([0.0, 1.0], 50)
    apart, together = over_clips(values), over_clips(values, np.repeat([7, 3], 50))
    assert apart.value == together.value == 0.5
    assert 0.3 < apart.low < apart.high < 0.7
    assert (together.low, together.high) == (0, 1)


def test_many_movements_of_few_clips_are_drawn_with_their_clips(by_hand):
    model = steady(by_hand(), 5 / 255)
    few = futures(model, leaning_pool(10), 4, 6, 40, QUIET).first_error["held"]
    files = futures(model, leaning_pool(10), 4, 6, 40, QUIET, files=np.zeros(4, int)).first_error["held"]
    assert few.value == files.value
    assert files.low == files.high == pytest.approx(files.value), "one file is drawn each time"


def test_every_list_of_a_prediction_has_intervals_over_movements_and_of_one_file_none(by_hand):
    model = steady(by_hand(), 5 / 255, log_var=0.0)
    measured = futures(model, leaning_pool(10), 4, 6, 40, QUIET)
    lists = {"covered": measured.covered, "spread": measured.spread}
    every = {
        "psnr": measured.psnr,
        "ssim": measured.ssim,
        "squared_error": measured.squared_error,
        "edges": measured.edges,
        "far_edges": {"predicted": list(measured.far_edges.values())},
        "samples": lists,
    }
    assert set(measured.intervals) == set(every)
    for measure, by_name in every.items():
        assert set(measured.intervals[measure]) == set(by_name)
        for name, values in by_name.items():
            for value, (low, high) in zip(values, measured.intervals[measure][name], strict=True):
                assert low - 1e-9 <= value <= high + 1e-9, (measure, name)
    low, high = measured.intervals["edges"]["held"][-1]
    assert low < high - 0.01, "clips differ in what their edges are"
    one = futures(model, leaning_pool(10), 4, 6, 40, QUIET, files=np.zeros(4, int))
    assert one.files == 1
    for low, high in one.intervals["far_edges"]["predicted"]:
        assert low == pytest.approx(high), "one file is drawn each time"
    assert told_future(one)["intervals"] == {}
    assert told_future(one)["first_error"]["held"] == {"value": one.first_error["held"].value}


def test_a_ratio_is_of_sums_and_is_drawn_with_its_clips():
    parts, wholes = np.array([[1.0, 0.0], [2.0, 0.0], [3.0, 0.0]]), np.array([[2.0, 0.0], [4.0, 0.0], [4.0, 0.0]])
    apart, nothing = ratio_over_clips(parts, wholes, np.arange(3))
    assert apart.value == 0.6
    assert (apart.low, apart.high) == (0.5, 0.75)
    assert (nothing.value, nothing.low, nothing.high) == (0, 0, 0)
    together, _ = ratio_over_clips(parts, wholes, np.zeros(3, int))
    assert together.low == together.high == together.value == 0.6


def test_edges_tell_how_crisp_a_future_is_near_and_far(by_hand):
    """The one stripe that moves brightens with every frame, until its code is as far out as any may be."""
    pool = leaning_pool(10)
    model = steady(by_hand(), 1 / 255)
    measured = futures(model, pool, 4, 10, 4, QUIET)
    assert measured.edges["own codes"] == pytest.approx([1.0] * 10), "drawn exactly"
    clips = torch.stack([pool.clip(number) for number in range(4)])
    true = edges((255 * clips).round().to(torch.uint8))
    assert measured.edges["held"] == pytest.approx((true[:, 3].mean() / true[:, 4:].mean(0)).tolist())
    far = edges(future_frames(model, clips[:, :4], 4, FAR)).mean(0) / true[:, 4:].mean()
    assert measured.far_edges == pytest.approx(dict(zip(FAR, far.tolist(), strict=True)))
    assert measured.far_edges[100] != pytest.approx(measured.far_edges[200], rel=0.1)


def test_frames_of_one_colour_have_no_edges_to_compare(by_hand):
    flat = ClipPool.of_equal_clips(torch.full((4, 14, 64, 64, 3), 80, dtype=torch.uint8))
    measured = futures(steady(by_hand(), 0.0), flat, 4, 10, 4, QUIET)
    told = [*measured.far_edges.values(), *(value for values in measured.edges.values() for value in values)]
    assert all(map(math.isfinite, told))


def test_a_motion_that_stands_still_is_the_last_code_held(by_hand):
    measured = futures(steady(by_hand(), 0.0), leaning_pool(10), 4, 6, 4, QUIET)
    assert measured.squared_error["predicted"] == measured.squared_error["held"]


def test_the_truth_is_covered_where_samples_spread_enough_and_not_where_they_are_sure_and_wrong(by_hand):
    sure = futures(steady(by_hand(), -20 / 255), leaning_pool(10), 4, 6, 4, QUIET)
    wide = futures(steady(by_hand(), 10 / 255, log_var=0.0), leaning_pool(10), 4, 6, 4, QUIET)
    assert sure.covered[-1] == 0
    assert wide.covered[-1] == 1
    assert wide.spread[0] == pytest.approx(1.0, abs=3 / np.sqrt(SAMPLES))
    assert wide.spread[-1] > wide.spread[0], "what adds up spreads"


def test_a_model_without_motion_predicts_nothing(by_hand):
    with pytest.raises(ValueError, match="no motion model"):
        futures(by_hand(), leaning_pool(10), 4, 6, 4, QUIET)


def test_the_future_is_shown_at_the_frames_that_are_asked_for(by_hand):
    pool, model = leaning_pool(10), steady(by_hand(), 1 / 255)
    runs = torch.stack([pool.clip(0)[:4], pool.clip(1)[5:9]])  # of other shades by then
    pictures = future_frames(model, runs, 4, (1, 2, 30, 60))
    assert pictures.shape == (2, 4, 3, 64, 64)
    for shown, run in zip(pictures, runs, strict=True):
        assert shown[:, 0, 0, 32].int().diff().tolist() == [1, 28, 30]
        assert shown[0, 0, 0, 32] == round(255 * float(run[3, 0, 0, 32])) + 1
        assert torch.equal(shown, future_frames(model, run[None], 4, (1, 2, 30, 60))[0]), "each goes on by itself"
    with pytest.raises(ValueError, match="no motion model"):
        future_frames(by_hand(), runs, 4, (1,))


def test_squared_error_is_summed_over_a_frame():
    black, white = torch.zeros(1, 2, 3, 8, 8, dtype=torch.uint8), torch.full((1, 2, 3, 8, 8), 255, dtype=torch.uint8)
    assert squared_error(black, white).tolist() == [[192.0, 192.0]]


def test_ssim_is_1_for_equal_frames_and_less_for_what_is_blurred_than_for_what_is_only_brighter():
    frames = (255 * torch.rand(2, 3, 3, 64, 64)).to(torch.uint8)
    assert frame_ssim(frames, frames) == pytest.approx(np.ones((2, 3)))
    brighter = (frames.int() + 12).clamp(max=255).to(torch.uint8)
    blurred = (
        torch.nn.functional.avg_pool2d(frames.flatten(0, 1).float(), 5, 1, 2).reshape(frames.shape).to(torch.uint8)
    )
    assert (frame_ssim(blurred, frames) < frame_ssim(brighter, frames)).all()


@pytest.mark.parametrize("channels", [1, 3])
def test_ssim_is_that_of_a_library_of_metrics(channels):
    from torchmetrics.functional.image import structural_similarity_index_measure  # which takes seconds to load

    frames = (255 * torch.rand(3, 40, channels, 32, 24)).to(torch.uint8)
    made = (0.8 * frames + 30 * torch.rand(frames.shape)).to(torch.uint8)
    made[0, 0], frames[0, :2] = 0, 0  # black and black, and something where there is to be nothing
    expected = structural_similarity_index_measure(
        made.flatten(0, 1).double() / 255, frames.flatten(0, 1).double() / 255, data_range=1.0, reduction="none"
    )
    np.testing.assert_allclose(frame_ssim(made, frames), expected.reshape(3, 40), rtol=0, atol=1e-6)


def test_strips_show_every_movement_in_the_models_size(by_hand):
    picture = future_strips(steady(by_hand(), 10 / 255), leaning_pool(10), 4, QUIET)
    assert picture.startswith(b"\x89PNG")
