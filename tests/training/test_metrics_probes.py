"""Probes find what a code tells, and find nothing where there is nothing."""

import numpy as np
import pytest
from rich.progress import Progress

from training.metrics.leakage import leakage
from training.metrics.probes import probe_class, probe_value


def find(model, data):
    with Progress(disable=True) as progress:
        return leakage(model, data, 120, 60, progress)


def test_codes_that_keep_to_their_own_factors_tell_nothing_of_the_others(stripes, by_hand):
    found = find(by_hand(), stripes)
    for probe in found.static_from_dynamic.values():
        assert probe.score == pytest.approx(probe.chance, abs=0.1)
    assert found.dynamic_from_static["act"].score == pytest.approx(0.2, abs=0.15)
    assert found.dynamic_from_static["lean"].score < 0.1
    assert found.static_from_static["hat"].score > 0.95
    assert found.dynamic_from_dynamic["act"].score > 0.95
    assert found.dynamic_from_dynamic["lean"].score > 0.99


def test_a_hat_in_the_dynamic_code_is_found_there_and_the_coat_is_not(stripes, by_hand):
    found = find(by_hand("leak"), stripes)
    assert found.static_from_dynamic["hat"].score > 0.95
    assert found.static_from_dynamic["coat"].score == pytest.approx(found.static_from_dynamic["coat"].chance, abs=0.1)


def test_a_static_code_that_remembers_the_movement_is_found_out(stripes, by_hand):
    found = find(by_hand("memory"), stripes)
    assert found.dynamic_from_static["lean"].score > 0.95
    assert found.dynamic_from_static["act"].score > 0.5


def test_constant_codes_tell_nothing_at_all(stripes, by_hand):
    found = find(by_hand("grey"), stripes)
    for part in (found.static_from_dynamic, found.static_from_static):
        assert all(probe.score == pytest.approx(probe.chance, abs=1e-9) for probe in part.values())
    assert found.dynamic_from_dynamic["lean"].score == pytest.approx(0, abs=0.05)


def test_chance_is_the_share_of_the_commonest_class():
    codes, levels = np.zeros((10, 1)), np.array([0.0] * 7 + [1.0] * 3)
    probe = probe_class(codes, levels, np.zeros((4, 1)), np.array([0.0, 0.0, 0.0, 1.0]))
    assert probe.score == probe.chance == 0.75


def test_a_number_is_read_from_a_linear_code_and_not_from_its_square():
    rng = np.random.default_rng(0)
    codes, held_out = rng.uniform(-1, 1, (400, 3)), rng.uniform(-1, 1, (200, 3))
    assert probe_value(codes, codes @ [1.0, -2.0, 0.5], held_out, held_out @ [1.0, -2.0, 0.5]).score > 0.99
    assert probe_value(codes, codes[:, 0] ** 2, held_out, held_out[:, 0] ** 2).score < 0.05
