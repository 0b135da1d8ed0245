"""Classes of labelled clips are found in the code that holds them, and nowhere else."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from einops import rearrange
from rich.progress import Progress

from training.data.labels import Labels
from training.data.pool import ClipPool
from training.metrics.classes import FRAMES, labelled_codes, measure_classes
from training.sources import Source

READERS = pytest.mark.parametrize("reader", ["linear", "mlp"])
CLIPS = 200
HIDES = 0.1  # how far chance may be missed in so many


def pool_of(data, people, moves):
    return ClipPool.of_equal_clips(rearrange(data.draw(people, moves), "n t c h w -> n t h w c").contiguous())


def striped(data):
    """Clips of many movements, labelled by hat and coat, and each with a number of its own that no other clip has."""
    sides = []
    for number, split in enumerate(("train", "test")):
        people, rng = data.identities(split, CLIPS), np.random.default_rng(number)
        moves = data.motions(rng, CLIPS, 12, "scattered")
        labels = {"hat": people[:, 0], "coat": people[:, 1], "clip": CLIPS * number + np.arange(CLIPS)}
        sides.append((pool_of(data, people, moves), Labels(labels)))
    (training, known), (held_out, unknown) = sides
    return Source(training, held_out, {}, labels=(known, unknown))


def measure(model, source, most=None):
    with Progress(disable=True) as progress:
        return measure_classes(model, source, most, progress)


@READERS
def test_a_class_in_the_static_code_is_read_there_and_dynamic_codes_tell_nothing_of_it(stripes, by_hand, reader):
    found = measure(by_hand(), striped(stripes))[reader]
    assert found["static"]["hat"]["score"] == 1
    for code in ("dynamic", "movement"):
        assert found[code]["hat"]["score"] == pytest.approx(found[code]["hat"]["chance"], abs=HIDES)
    assert found["static"]["hat"]["chance"] == pytest.approx(1 / 3, abs=HIDES)


@READERS
def test_a_class_that_leaks_into_the_dynamic_code_is_found_there(stripes, by_hand, reader):
    found = measure(by_hand("leak"), striped(stripes))[reader]
    assert found["dynamic"]["hat"]["score"] > 0.95
    assert found["movement"]["hat"]["score"] > 0.95
    assert found["dynamic"]["coat"]["score"] == pytest.approx(found["dynamic"]["coat"]["chance"], abs=HIDES)


@READERS
def test_who_moves_is_told_by_all_frames_of_a_clip_and_not_by_one(stripes, by_hand, reader):
    sides = []
    for number in range(2):
        rng = np.random.default_rng(number)
        people, restless = np.zeros((CLIPS, 2), np.int64), np.arange(CLIPS) % 2
        still = np.repeat(rng.uniform(-1, 1, (CLIPS, 1)), 12, axis=1)
        lean = np.where(restless[:, None] == 1, rng.uniform(-1, 1, (CLIPS, 12)), still)
        moves = np.stack([np.zeros_like(lean), lean], -1)
        sides.append((pool_of(stripes, people, moves), Labels({"restless": restless})))
    (training, known), (held_out, unknown) = sides
    found = measure(by_hand(), Source(training, held_out, {}, labels=(known, unknown)))[reader]
    assert found["movement"]["restless"]["score"] > 0.95
    assert found["dynamic"]["restless"]["score"] == pytest.approx(0.5, abs=HIDES)
    assert found["static"]["restless"]["score"] == pytest.approx(0.5, abs=HIDES)


def test_a_factor_whose_held_out_classes_are_all_new_is_not_read(stripes, by_hand):
    found = measure(by_hand(), striped(stripes))["linear"]
    assert {code: set(probes) for code, probes in found.items()} == {code: {"hat", "coat"} for code in found}


def test_a_score_lies_in_its_interval_over_clips_and_fewer_are_learnt_from_where_that_is_asked(stripes, by_hand):
    measured = measure(by_hand("leak"), striped(stripes), most=20)
    assert (measured["training_clips"], measured["clips"], measured["frames_per_clip"]) == (20, CLIPS, FRAMES)
    probe = measured["linear"]["dynamic"]["coat"]
    assert probe["low"] < probe["score"] < probe["high"]
    assert probe["high"] - probe["low"] > 0.07, "2400 frames of 200 clips are no 2400 draws"


def test_clips_of_one_person_are_no_independent_draws(stripes, by_hand):
    source = striped(stripes)
    alone = measure(by_hand("leak"), source)["linear"]
    few = replace(
        source.labels[1], clips=source.labels[1].clips | {"person": np.arange(CLIPS) // 40}, whose=("person",)
    )
    assert few.owners().tolist() == (np.arange(CLIPS) // 40).tolist()
    together = measure(by_hand("leak"), replace(source, labels=(source.labels[0], few)))["linear"]
    for code in ("static", "dynamic", "movement"):
        assert together[code]["coat"]["score"] == alone[code]["coat"]["score"]
        assert together[code]["coat"]["low"] != alone[code]["coat"]["low"]


def test_a_toy_is_told_by_its_category_and_instance_together():
    labels = Labels(
        {"category": np.array([0, 1, 0, 0]), "instance": np.array([4, 4, 4, 6])}, whose=("category", "instance")
    )
    first, second, again, third = labels.owners().tolist()
    assert first == again
    assert len({first, second, third}) == 3


def test_frames_of_clips_of_any_length_keep_their_own_class_and_their_clips(stripes, by_hand):
    lengths = torch.tensor([4, 30, 5])
    act = np.concatenate([np.arange(length) % 5 for length in lengths.tolist()])
    frames = pool_of(stripes, np.zeros((1, 2), np.int64), np.stack([act, 0 * act], -1)[None].astype(float)).frames
    pool = ClipPool(frames, lengths.cumsum(0) - lengths, lengths)
    labels = Labels({"length": lengths.numpy()}, {"act": np.arange(30) % 5})
    with Progress(disable=True) as progress:
        codes = labelled_codes(by_hand(), pool, labels, np.array([1, 2]), progress)
    assert codes.clip.tolist() == [0] * FRAMES + [1] * 5, "of a long clip so many frames are shown"
    assert codes.of_clips["length"].tolist() == [30, 5]
    assert (codes.dynamic[:, 0] * 4).round().tolist() == codes.of_frames["act"].tolist()
    assert codes.movement[1, 0] == pytest.approx(0.5, abs=0.01)
    assert codes.movement[1, 3] == pytest.approx(np.std([0, 0.25, 0.5, 0.75, 1]), abs=0.01)
