"""The judge learns from true pictures, says how well it reads, and finds out who leaks."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
from rich.progress import Progress

from training.metrics.judge import JudgeConfig, Reading, cached_judge, train_judge
from training.metrics.kept import kept
from training.metrics.reading import TOLERANCE, r_squared, r_squared_over_pairs, resampled, shares
from training.metrics.swaps import circle, decode_pairs, encode, held_out_clips, merge

SMALL = JudgeConfig(widths=(8, 8, 16, 16), hidden=32, steps=150, batch=32, learning_rate=5e-3)


def true_reading(data, static, dynamic):
    truth = data.read(dynamic)
    return Reading(
        {name: static[:, column].astype(float) for column, name in enumerate(data.static_levels)},
        {name: truth[name] for name in data.classes},
        {name: truth[name] for name in data.ranges},
    )


@pytest.fixture
def judge(stripes):
    with Progress(disable=True) as progress:
        return train_judge(stripes, SMALL, progress)


def swap_shares(judge, model, data):
    with Progress(disable=True) as progress:
        clips = held_out_clips(data, 40, seed=3)
        made = decode_pairs(model, encode(model, clips.frames, progress), circle(40, 2), "raw", progress)
    pairs = circle(40, 2)
    static = np.repeat(clips.static[pairs[:, 0]], 8, axis=0)
    return shares(judge.read(merge(made)), data, static, clips.dynamic[pairs[:, 1]].reshape(-1, 2))


def test_a_judge_reads_true_pictures_and_through_them_perfect_and_leaking_models(judge, stripes, by_hand):
    examples = stripes.examples("test", 300, np.random.default_rng(5))
    own = shares(judge.read(examples.frames), stripes, examples.static, examples.dynamic)
    assert own.static_all > 0.97
    assert own.dynamic["act"] > 0.97
    assert own.r2["lean"] > 0.95

    perfect, leaking = (swap_shares(judge, by_hand(fault), stripes) for fault in ("none", "leak"))
    assert perfect.static_all > 0.97
    assert perfect.dynamic_all > 0.9
    assert leaking.static["hat"] < 0.6  # two identities have one hat in 1 of 3 cases
    assert leaking.static["coat"] > 0.97
    assert leaking.dynamic["act"] > 0.97


def test_held_codes_are_kept_while_the_others_are_drawn_and_a_leak_shows(judge, stripes, by_hand):
    def held(model):
        with Progress(disable=True) as progress:
            clips = held_out_clips(stripes, 40, seed=3)
            return kept(model, stripes, judge, clips, encode(model, clips.frames, progress), 2, progress)

    perfect, leaking = held(by_hand()), held(by_hand("leak"))
    assert perfect.static_fixed["static_mean"].value > 0.9
    assert perfect.dynamic_fixed["act"].value > 0.85
    assert perfect.dynamic_fixed["hat"].value < 0.6
    assert perfect.static_fixed["act"].value < 0.4
    assert leaking.dynamic_fixed["hat"].value > 0.9
    assert leaking.static_fixed["hat"].value < 0.7
    hat = perfect.dynamic_fixed["hat"]
    assert hat.low < hat.value < hat.high
    assert hat.std > 0


def test_shares_of_pairs_have_intervals_and_of_oneself_those_of_identities(stripes):
    rng = np.random.default_rng(0)
    pairs = np.stack([np.arange(20)] * 2, axis=1)
    static, dynamic = np.repeat(stripes.identities("test", 20), 4, axis=0), stripes.motions(rng, 80, 1, "scattered")
    reading = true_reading(stripes, static, dynamic[:, 0])
    reading.static["hat"][:20] += 1  # the first 5 of 20 clips
    found = shares(reading, stripes, static, dynamic[:, 0], pairs).intervals
    assert found["hat"].value == 0.75
    assert (found["hat"].low, found["hat"].high) == (pytest.approx(0.55, abs=0.051), pytest.approx(0.92, abs=0.051))
    assert found["coat"].low == found["coat"].high == found["dynamic_all"].low == 1
    assert found["static_mean"].value == pytest.approx(0.875)


def test_a_reading_of_the_truth_is_right_everywhere(stripes):
    rng = np.random.default_rng(0)
    static, dynamic = stripes.identities("test", 50), stripes.motions(rng, 50, 1, "scattered")[:, 0]
    found = shares(true_reading(stripes, static, dynamic), stripes, static, dynamic)
    assert found.static_mean == found.static_all == found.dynamic_all == found.r2["lean"] == 1


def test_all_at_once_is_stricter_than_each_alone(stripes):
    rng = np.random.default_rng(0)
    static, dynamic = stripes.identities("test", 100), stripes.motions(rng, 100, 1, "scattered")[:, 0]
    reading = true_reading(stripes, static, dynamic)
    reading.static["hat"][:10] += 1
    reading.static["coat"][10:30] += 1
    found = shares(reading, stripes, static, dynamic)
    assert found.static == {"hat": 0.9, "coat": 0.8}
    assert found.static_mean == pytest.approx(0.85)
    assert found.static_all == pytest.approx(0.7)


def test_a_factor_that_cannot_be_seen_is_not_held_against_a_picture(stripes, monkeypatch):
    rng = np.random.default_rng(0)
    static, dynamic = stripes.identities("test", 20), stripes.motions(rng, 20, 1, "scattered")[:, 0]
    hidden = np.ones((20, 2), dtype=bool)
    hidden[:5, 1] = False
    monkeypatch.setattr(stripes, "legible", lambda dynamic: hidden)
    reading = true_reading(stripes, static, dynamic)
    reading.static["coat"][:5] += 1
    assert shares(reading, stripes, static, dynamic).static_all == 1


def test_pictures_of_drawn_motions_hide_what_the_judge_sees_them_hide(stripes, monkeypatch):
    """A coat shows where somebody leans to the right, and is misread wherever it does not show."""
    rng = np.random.default_rng(0)
    static, dynamic = stripes.identities("test", 40), stripes.motions(rng, 40, 1, "scattered")[:, 0]
    drawn = stripes.motions(rng, 40, 1, "scattered")[:, 0]
    monkeypatch.setattr(stripes, "legible", lambda pose: np.stack([pose["lean"] > -2, pose["lean"] > 0], -1))
    reading = true_reading(stripes, static, drawn)
    reading.static["coat"][drawn[:, 1] <= 0] += 1
    assert shares(reading, stripes, static, dynamic, posed=False).static["coat"] == 1
    assert shares(reading, stripes, static, dynamic).static["coat"] < 0.8


def test_of_a_held_static_code_those_pictures_count_that_show_it(judge, stripes, by_hand, monkeypatch):
    monkeypatch.setattr(stripes, "legible", lambda pose: np.stack([pose["lean"] > -2, pose["lean"] > 0], -1))

    read = judge.read

    def blinded(frames):
        """Take one coat for another in every picture that seems to hide it."""
        reading = read(frames)
        reading.static["coat"][reading.values["lean"] <= 0] += 1
        return reading

    monkeypatch.setattr(judge, "read", blinded)
    with Progress(disable=True) as progress:
        clips = held_out_clips(stripes, 40, seed=3)
        codes = encode(by_hand(), clips.frames, progress)
        found = kept(by_hand(), stripes, judge, clips, codes, 2, progress)
    assert found.static_fixed["coat"].value > 0.9


def test_r_squared_has_an_interval_over_identities(stripes):
    rng, pairs = np.random.default_rng(0), np.stack([np.arange(20)] * 2, axis=1)
    static, dynamic = np.repeat(stripes.identities("test", 20), 4, axis=0), stripes.motions(rng, 80, 1, "scattered")
    reading = true_reading(stripes, static, dynamic[:, 0].copy())
    exact = shares(reading, stripes, static, dynamic[:, 0], pairs)
    assert (exact.r2_intervals["lean"].low, exact.r2_intervals["lean"].high) == (1, 1)
    reading.values["lean"][:20] = 0  # the first 5 of 20 are misread
    found = shares(reading, stripes, static, dynamic[:, 0], pairs)
    assert found.r2_intervals["lean"].value == found.r2["lean"]
    assert found.r2_intervals["lean"].low < found.r2["lean"] - 0.1
    assert found.r2["lean"] + 0.1 < found.r2_intervals["lean"].high < 1


def test_r_squared_of_two_identities_lies_between_that_of_each_alone():
    """A resample holds one of them, the other, or both; each has a mean and a variance of its own."""
    true, read = np.array([0.0, 1.0, 4.0, 8.0]), np.array([0.0, 0.5, 4.0, 6.0])
    found = r_squared_over_pairs(read, true, resampled(np.array([[0, 0], [1, 1]])))
    first, second = r_squared(read[:2], true[:2]), r_squared(read[2:], true[2:])
    assert (first, second) == (0.5, 0.5)
    assert found.value == r_squared(read, true) > 0.8
    assert found.low == pytest.approx(0.5)
    assert found.high == pytest.approx(found.value)


def test_all_at_once_is_asked_only_of_pictures_that_show_all(stripes, monkeypatch):
    """Of 20 pictures 8 hide the coat and are not asked, though their hats are read right; of the other 12 three are."""
    rng, pairs = np.random.default_rng(0), np.stack([np.arange(20)] * 2, axis=1)
    static, dynamic = stripes.identities("test", 20), stripes.motions(rng, 20, 1, "scattered")[:, 0]
    shown = np.ones((20, 2), dtype=bool)
    shown[:8, 1] = False
    monkeypatch.setattr(stripes, "legible", lambda dynamic: shown)
    reading = true_reading(stripes, static, dynamic)
    reading.static["hat"][11:] += 1
    found = shares(reading, stripes, static, dynamic, pairs)
    assert found.static == {"hat": 11 / 20, "coat": 1.0}
    assert found.static_all == found.intervals["static_all"].value == 3 / 12
    assert found.intervals["static_all"].low < 3 / 12 < found.intervals["static_all"].high
    assert found.dynamic_all == found.intervals["dynamic_all"].value == 1, "these are read of every picture"


def test_guessing_gets_all_at_once_as_often_as_chance_has_it_though_factors_be_hidden(stripes, monkeypatch):
    rng = np.random.default_rng(0)
    static, dynamic = stripes.identities("test", 24_000), stripes.motions(rng, 24_000, 1, "scattered")[:, 0]
    shown = np.stack([np.ones(24_000, dtype=bool), rng.random(24_000) < 0.56], axis=1)
    monkeypatch.setattr(stripes, "legible", lambda dynamic: shown)
    guessed = {name: rng.integers(n, size=24_000).astype(float) for name, n in stripes.static_levels.items()}
    reading = replace(true_reading(stripes, static, dynamic), static=guessed)
    assert shares(reading, stripes, static, dynamic).static_all == pytest.approx(1 / (3 * 4), abs=0.01)


def test_what_no_picture_shows_is_0_and_never_nan(stripes, monkeypatch):
    rng, pairs = np.random.default_rng(0), np.stack([np.arange(20)] * 2, axis=1)
    static, dynamic = stripes.identities("test", 20), stripes.motions(rng, 20, 1, "scattered")[:, 0]
    nowhere_both = np.stack([np.arange(20) % 2 == 0, np.arange(20) % 2 == 1], axis=1)
    monkeypatch.setattr(stripes, "legible", lambda dynamic: nowhere_both)
    found = shares(true_reading(stripes, static, dynamic), stripes, static, dynamic, pairs)
    assert (found.static_mean, found.static_all) == (1, 0)
    assert asdict(found.intervals["static_all"]) == {"value": 0, "low": 0, "high": 0}
    monkeypatch.setattr(stripes, "legible", lambda dynamic: np.zeros_like(nowhere_both))
    hidden = shares(true_reading(stripes, static, dynamic), stripes, static, dynamic, pairs)
    assert set(hidden.static.values()) == {0}
    for part in (found, hidden):
        json.dumps(asdict(part), allow_nan=False)


@pytest.mark.parametrize(("off", "share"), [(0.99 * TOLERANCE, 1.0), (1.01 * TOLERANCE, 0.0)])
def test_a_number_is_right_within_a_quarter_of_half_its_range(stripes, off, share):
    dynamic = np.stack([np.zeros(9), np.linspace(-0.5, 0.5, 9)], 1)
    static = stripes.identities("test", 9)
    reading = true_reading(stripes, static, dynamic)
    moved = replace(reading, values={"lean": reading.values["lean"] + off})
    assert shares(moved, stripes, static, dynamic).dynamic["lean"] == share


def test_r_squared_is_0_for_the_mean_and_negative_for_worse():
    values = np.array([0.0, 1.0, 2.0])
    assert r_squared(np.ones(3), values) == 0
    assert r_squared(values[::-1].copy(), values) == -3


def test_a_judge_is_taught_once_and_read_from_its_file_after_that(stripes, tmp_path):
    config = replace(SMALL, steps=3)
    with Progress(disable=True) as progress:
        first = cached_judge(stripes, config, tmp_path, progress)
        (file,) = tmp_path.iterdir()
        written = file.stat().st_mtime_ns
        again = cached_judge(stripes, config, tmp_path, progress)
        assert file.stat().st_mtime_ns == written
        cached_judge(stripes, replace(config, seed=1), tmp_path, progress)
    assert len(list(tmp_path.iterdir())) == 2
    frames = stripes.examples("test", 4, np.random.default_rng(0)).frames
    np.testing.assert_array_equal(first.read(frames).values["lean"], again.read(frames).values["lean"])
