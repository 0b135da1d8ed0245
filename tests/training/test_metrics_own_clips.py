"""Of clips that cannot be drawn anew, a model that mixes its codes up is told from one that does not."""

from dataclasses import replace

import numpy as np
import pytest
from rich.progress import Progress

from training.data.labels import Labels
from training.data.pool import ClipPool
from training.metrics.own_clips import held_out_files, measure_clips, measure_scene, pairs_with
from training.report import Report, flat_metrics, scene_line
from training.sources import Source

QUIET = Progress(disable=True)


@pytest.fixture
def clips_of(stripes):
    """Makes a source of clips of stripes, the first ones held out."""

    def make(held_out: int, training: int, files: tuple[str, ...] = (), frames: int = 12) -> Source:
        count = held_out + training
        # Twelve looks, hat and coat, one after the other; every frame is in a pose of its own.
        static = np.stack([np.arange(count) % 3, np.arange(count) // 3 % 4], 1)
        drawn = stripes.draw(static, stripes.motions(np.random.default_rng(0), count, frames, "scattered"))
        pool = drawn.permute(0, 1, 3, 4, 2).contiguous()
        sides = (ClipPool.of_equal_clips(part) for part in (pool[held_out:], pool[:held_out]))
        return Source(*sides, {}, held_out_files=files)

    return make


def tables(results) -> str:
    return Report("mine", "sha256:0", results, {}, {"date": "", "hardware": "", "seconds": 0, "command": ""}).tables()


def test_swaps_of_own_clips_tell_a_model_that_mixes_its_codes_up(by_hand, clips_of):
    source = clips_of(6, 2)
    good, leaking = (measure_clips(by_hand(fault), source, QUIET) for fault in ("none", "leak"))
    for found in (good, leaking):
        assert found["fidelity"]["raw"]["reconstruction_psnr"]["value"] > 90, "both redraw perfectly"
        assert found["similarity"]["raw"]["reconstruction_ssim"]["value"] == pytest.approx(1, abs=1e-3)
        assert found["consistency"]["reconstructions"]["static_distance"]["value"] == pytest.approx(0, abs=1e-4)
    assert good["consistency"]["swaps"]["static_distance"]["value"] == pytest.approx(0, abs=1e-4)
    assert leaking["consistency"]["swaps"]["static_distance"]["low"] > 0.3
    assert {"reconstruction_ssim", "again_static_distance", "again_dynamic_found"} < set(flat_metrics(good))
    assert "| SSIM of the reconstruction | 1.000 (1.000 to 1.000) |" in tables(good)
    assert "its own is the nearest of 6, %" in tables(good)


def test_pictures_are_compared_as_they_are_served(by_hand, clips_of, monkeypatch):
    """With 8 bits a channel, so that what is off by less than half a grey level is equal."""
    model = by_hand()
    decode = model.decode
    monkeypatch.setattr(model, "decode", lambda static, dynamic: (decode(static, dynamic) + 0.4 / 255).clamp(max=1))
    found = measure_clips(model, clips_of(6, 2), QUIET)
    assert found["fidelity"]["raw"]["reconstruction_psnr"]["value"] == 100


def test_clips_of_toys_are_told_with_their_toys():
    told = {"fidelity": {"raw": {"reconstruction_psnr": {"value": 30.0, "low": 29.0, "high": 31.0}}}}
    assert "1350 held-out clips of 25 toys or persons |" in tables(told | {"protocol": {"clips": 1350, "owners": 25}})
    assert "30 held-out clips of 7 files |" in tables(told | {"protocol": {"clips": 30, "files": 7}})
    assert "30 held-out clips |" in tables(told | {"protocol": {"clips": 30, "files": 30}})


def test_one_held_out_clip_is_swapped_with_training_clips_and_has_no_interval(by_hand, clips_of):
    found = measure_clips(by_hand("leak"), clips_of(1, 11), QUIET)
    assert (found["consistency"]["held_out"], found["consistency"]["identities"]) == (1, 10)
    assert found["consistency"]["swaps"]["static_distance"]["value"] > 0.1
    told = tables(found)
    assert "| PSNR in dB, 1 held-out clip, too few for intervals | |" in told
    assert "encoded again, 1 held out, the others to swap with" in told
    assert " to 1" not in told.replace("to swap with", ""), "no interval at all"


def test_scenes_of_few_files_have_no_interval_however_many_they_are(by_hand, clips_of):
    few, many = clips_of(8, 2, tuple("aaaabbbb")), clips_of(8, 2, tuple("aabbccde"))
    assert held_out_files(few).tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    of_few, of_many = (measure_clips(by_hand(), source, QUIET) for source in (few, many))
    assert set(of_few["fidelity"]["raw"]["reconstruction_psnr"]) == {"value"}
    assert "8 held-out clips of 2 files, too few for intervals" in tables(of_few)
    assert set(of_many["fidelity"]["raw"]["reconstruction_psnr"]) == {"value", "low", "high"}


def test_pairs_are_of_different_files_and_each_has_a_held_out_clip():
    pairs = pairs_with(4, np.array([0, 0, 1, 1, 2, 3]))
    files = np.array([0, 0, 1, 1, 2, 3])
    assert (files[pairs[:, 0]] != files[pairs[:, 1]]).all()
    assert (pairs.min(1) < 4).all()
    assert set(pairs[:, 0].tolist()) == set(pairs[:, 1].tolist()) == set(range(6))
    assert pairs_with(2, np.array([0, 0])).tolist() == [[1, 0], [0, 1]], "of one file where there is no other"


def test_partners_of_a_files_many_clips_are_of_several_files_and_of_more_than_its_next_clips():
    files = np.repeat(np.arange(5), 12)
    pairs = pairs_with(60, files)
    assert len(pairs) == len({tuple(pair) for pair in pairs.tolist()}) == 3 * 60
    assert (files[pairs[:, 0]] != files[pairs[:, 1]]).all()
    for file in range(5):
        lent = pairs[files[pairs[:, 1]] == file, 0]
        assert len(set(lent.tolist())) == 36, "none twice"
        assert len(set(files[lent].tolist())) == 4
    assert pairs_with(3, np.arange(3)).tolist() == [[1, 0], [2, 0], [2, 1], [0, 1], [0, 2], [1, 2]]


def labelled(source: Source, toys: list[int]) -> Source:
    """The same, whose held-out clips are of these toys, two categories of some instances each."""
    held_out = Labels(
        {"category": np.array(toys) // 10, "instance": np.array(toys) % 10, "light": np.arange(len(toys))},
        whose=("category", "instance"),
    )
    return replace(source, labels=(Labels({"light": np.zeros(len(source.training), dtype=int)}), held_out))


def test_clips_of_one_toy_are_one_draw_and_are_not_swapped_with_each_other(by_hand, clips_of, monkeypatch):
    toys = [3, 3, 13, 13, 14, 14, 15, 15, 16, 16]
    many, few = labelled(clips_of(10, 2), toys), labelled(clips_of(10, 2), [min(toy, 15) for toy in toys])
    assert held_out_files(many).tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    swapped = []
    watched = lambda count, files: swapped.append((pairs_with(count, files), files)) or swapped[-1][0]  # noqa: E731
    monkeypatch.setattr("training.metrics.own_clips.pairs_with", watched)
    found, of_few, alone = (measure_clips(by_hand("grey"), source, QUIET) for source in (many, few, clips_of(10, 2)))
    pairs, files = swapped[0]
    assert (files[pairs[:, 0]] != files[pairs[:, 1]]).all()
    assert found["protocol"]["owners"] == 5
    assert "| PSNR in dB, 10 held-out clips of 5 toys or persons | |" in tables(found)
    assert set(found["fidelity"]["raw"]["reconstruction_psnr"]) == {"value", "low", "high"}
    assert set(of_few["fidelity"]["raw"]["reconstruction_psnr"]) == {"value"}
    psnr, by_itself = (part["fidelity"]["raw"]["reconstruction_psnr"] for part in (found, alone))
    assert psnr["value"] == by_itself["value"]
    assert (psnr["low"], psnr["high"]) != (by_itself["low"], by_itself["high"])


def test_a_scene_is_told_of_files_enough_among_the_clips_that_are_long_enough(by_hand, clips_of):
    source = clips_of(12, 12, tuple("aabbccddeeff"))
    assert set(measure_scene(by_hand(), source, QUIET, steps=2)["scene"]["right"]) == {"value", "low", "high"}
    lengths = source.held_out.lengths.clone()
    lengths[:4] = 7  # those of a and b, which leaves four files
    short = replace(source, held_out=replace(source.held_out, lengths=lengths))
    found = measure_scene(by_hand(), short, QUIET, steps=2)["scene"]
    assert found["clips"] == 8
    assert set(found["right"]) == {"value"}


def test_the_scene_is_probed_for_where_clips_suffice(by_hand, clips_of):
    found = measure_scene(by_hand(), clips_of(3, 12), QUIET, steps=2)["scene"]
    assert found["clips"] == 3
    assert set(found["right"]) == {"value"}
    assert f"in {100 * found['right']['value']:.1f} %; chance is 50 %." in scene_line(found)
    assert measure_scene(by_hand(), clips_of(1, 12), QUIET, steps=2) == {}
    assert measure_scene(by_hand(), clips_of(3, 12, frames=7), QUIET, steps=2) == {}
