"""The four numbers of the judge protocol, on probabilities whose answer is known."""

import numpy as np
import pytest

from training.metrics.inception import entropy, intervals, scores

TRUTH = np.tile(np.arange(9), 20)
IDENTITY = np.repeat(np.arange(20), 9)
SURE = np.eye(9)[TRUTH]


def test_a_judge_that_is_sure_and_right_gives_the_largest_scores():
    found = scores(SURE, TRUTH)
    assert found.accuracy == 1
    assert found.inception_score == pytest.approx(9)
    assert found.conditional_entropy == 0
    assert found.marginal_entropy == pytest.approx(np.log(9))


def test_sure_and_wrong_costs_accuracy_alone():
    found = scores(np.roll(SURE, 1, axis=1), TRUTH)
    assert found.accuracy == 0
    assert found.inception_score == pytest.approx(9)


def test_always_the_same_class_has_no_diversity():
    found = scores(np.eye(9)[np.zeros_like(TRUTH)], TRUTH)
    assert found.accuracy == pytest.approx(1 / 9)
    assert found.inception_score == pytest.approx(1)
    assert found.marginal_entropy == 0


def test_knowing_nothing_is_as_unsure_as_can_be():
    found = scores(np.full((180, 9), 1 / 9), TRUTH)
    assert found.inception_score == pytest.approx(1)
    assert found.conditional_entropy == pytest.approx(np.log(9))


def test_the_score_is_the_mean_divergence_from_the_marginal():
    p = np.random.default_rng(0).dirichlet(np.ones(9), size=180)
    divergence = (p * np.log(p / p.mean(0))).sum(1).mean()
    assert scores(p, TRUTH).inception_score == pytest.approx(np.exp(divergence))
    assert entropy(p) == pytest.approx(-(p * np.log(p)).sum(1))


def test_unbalanced_classes_are_refused():
    with pytest.raises(ValueError, match="equally many"):
        scores(SURE[1:], TRUTH[1:])


def test_intervals_hold_the_value_and_know_of_identities():
    """All clips of 5 of 20 identities are read wrong: the interval is that of 20 draws, not of 180."""
    p = np.where(IDENTITY[:, None] < 5, np.roll(SURE, 1, axis=1), SURE)
    found = intervals(np.stack([p, p]), TRUTH, IDENTITY)
    accuracy = found["accuracy"]
    assert accuracy.value == pytest.approx(0.75)
    assert accuracy.low == pytest.approx(0.55, abs=0.051)
    assert accuracy.high == pytest.approx(0.92, abs=0.051)
    assert found["inception_score"].low == pytest.approx(9)


def test_the_interval_of_the_score_is_around_it():
    p = np.random.default_rng(0).dirichlet(np.full(9, 0.3), size=180)
    for name, estimate in intervals(p[None], TRUTH, IDENTITY).items():
        assert estimate.low <= estimate.value <= estimate.high, name
