"""Probes find what a code tells, and find nothing where there is nothing."""

import io
from dataclasses import asdict

import numpy as np
import pytest
from PIL import Image
from rich.progress import Progress

from training.code_tables import probe_table
from training.metrics.coded import coded_splits
from training.metrics.leakage import leakage
from training.metrics.probe_chart import probe_chart
from training.metrics.probes import probe_class, probe_value

READERS = pytest.mark.parametrize("reader", ["linear", "mlp"])


def find(model, data, reader="linear"):
    with Progress(disable=True) as progress:
        return leakage(coded_splits(model, data, 120, 60, progress), data, reader, progress)


@READERS
def test_codes_that_keep_to_their_own_factors_tell_nothing_of_the_others(stripes, by_hand, reader):
    found = find(by_hand(), stripes, reader)
    for probe in found.static_from_dynamic.values():
        assert probe.score == pytest.approx(probe.chance, abs=0.1)
    assert found.dynamic_from_static["act"].score == pytest.approx(0.2, abs=0.15)
    assert found.dynamic_from_static["lean"].score < 0.1
    assert found.static_from_static["hat"].score > 0.95
    assert found.dynamic_from_dynamic["act"].score > 0.95
    assert found.dynamic_from_dynamic["lean"].score > 0.99


@READERS
def test_a_hat_in_the_dynamic_code_is_found_there_and_the_coat_is_not(stripes, by_hand, reader):
    found = find(by_hand("leak"), stripes, reader)
    assert found.static_from_dynamic["hat"].score > 0.95
    assert found.static_from_dynamic["coat"].score == pytest.approx(found.static_from_dynamic["coat"].chance, abs=0.1)


def test_a_static_code_that_remembers_the_movement_is_found_out(stripes, by_hand):
    found = find(by_hand("memory"), stripes)
    assert found.dynamic_from_static["lean"].score > 0.95
    assert found.dynamic_from_static["act"].score > 0.5


@READERS
def test_constant_codes_tell_nothing_at_all(stripes, by_hand, reader):
    found = find(by_hand("grey"), stripes, reader)
    for part in (found.static_from_dynamic, found.static_from_static):
        assert all(probe.score == pytest.approx(probe.chance, abs=1e-9) for probe in part.values())
    assert found.dynamic_from_dynamic["lean"].score == pytest.approx(0, abs=0.05)


def test_chance_is_the_share_of_the_commonest_class():
    codes, levels = np.zeros((10, 1)), np.array([0.0] * 7 + [1.0] * 3)
    probe = probe_class(codes, levels, np.zeros((4, 1)), np.array([0.0, 0.0, 0.0, 1.0]))
    assert probe.score == probe.chance == 0.75


def test_a_table_of_probes_says_the_chance_of_each_code_where_they_differ():
    """Dynamic factors are read from the dynamic codes of some clips and from the static codes of others."""

    def probe(score: float, chance: float) -> dict[str, dict[str, float]]:
        return {"act": {"score": score, "chance": chance, "low": score, "high": score}}

    told = {
        "static_from_static": {"hat": probe(0.9, 0.3)["act"]},
        "static_from_dynamic": {"hat": probe(0.4, 0.3)["act"]},
        "dynamic_from_static": probe(0.5, 0.2),
        "dynamic_from_dynamic": probe(0.8, 0.25),
    }
    table = probe_table(told, told)
    assert "| hat (static) | 40.0 | 40.0 | 90.0 | 90.0 | 30.0 |" in table
    assert "| act (dynamic) | 80.0 | 80.0 | 50.0 | 50.0 | 25.0 of the dynamic code, 20.0 of the static code |" in table


def test_a_number_is_read_from_a_linear_code_and_not_from_its_square():
    rng = np.random.default_rng(0)
    codes, held_out = rng.uniform(-1, 1, (400, 3)), rng.uniform(-1, 1, (200, 3))
    assert probe_value(codes, codes @ [1.0, -2.0, 0.5], held_out, held_out @ [1.0, -2.0, 0.5]).score > 0.99
    assert probe_value(codes, codes[:, 0] ** 2, held_out, held_out[:, 0] ** 2).score < 0.05


def test_a_network_reads_what_is_not_linear():
    rng = np.random.default_rng(0)
    codes, held_out = rng.uniform(-1, 1, (2000, 3)), rng.uniform(-1, 1, (500, 3))
    square, held_out_square = codes[:, 0] ** 2, held_out[:, 0] ** 2
    assert probe_value(codes, square, held_out, held_out_square, "mlp").score > 0.8
    signs, held_out_signs = ((part[:, 0] * part[:, 1] > 0) * 1.0 for part in (codes, held_out))
    assert probe_class(codes, signs, held_out, held_out_signs).score < 0.6
    assert probe_class(codes, signs, held_out, held_out_signs, "mlp").score > 0.85


@pytest.mark.parametrize("probe", [probe_class, probe_value])
def test_intervals_hold_the_score_and_are_wider_where_rows_belong_together(probe):
    rng = np.random.default_rng(0)
    codes, held_out = rng.normal(size=(400, 2)), rng.normal(size=(400, 2))
    truth, held_out_truth = (np.rint(np.tanh(part.sum(1))) for part in (codes, held_out))
    codes, held_out = codes[:, :1], held_out[:, :1]  # which tell half of it
    held_out, held_out_truth = np.repeat(held_out[:50], 8, 0), np.repeat(held_out_truth[:50], 8)
    apart = probe(codes, truth, held_out, held_out_truth)
    together = probe(codes, truth, held_out, held_out_truth, clips=np.repeat(np.arange(50), 8))
    assert apart.score == together.score
    assert together.low <= together.score <= together.high
    assert together.high - together.low > 1.5 * (apart.high - apart.low) > 0


def test_the_chart_is_a_small_picture(stripes, by_hand):
    found = asdict(find(by_hand(), stripes))
    picture = Image.open(io.BytesIO(probe_chart(found, found)))
    assert picture.size[0] == 900
    assert len(picture.convert("RGB").getcolors(100_000)) > 10
