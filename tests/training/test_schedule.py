"""What changes over a run changes as stated."""

from itertools import pairwise

import pytest

from training.schedule import Anneal, cosine_with_warmup


@pytest.mark.parametrize(("progress", "weight"), [(0.0, 41.0), (0.225, 21.0), (0.45, 1.0), (0.46, 1.0), (1.0, 1.0)])
def test_the_weight_falls_linearly_over_its_share_and_then_stays(progress: float, weight: float) -> None:
    assert Anneal(((0.0, 41.0), (0.45, 1.0)))(progress) == pytest.approx(weight)


def test_a_weight_may_go_through_several_points() -> None:
    weight = Anneal(((0.0, 4.0), (0.1, 2.0), (0.5, 2.0), (0.6, 1.0)))
    assert [weight(at) for at in (0.0, 0.05, 0.1, 0.3, 0.55, 0.6, 1.0)] == pytest.approx([4, 3, 2, 2, 1.5, 1, 1])


@pytest.mark.parametrize("points", [(), ((0.1, 1.0),), ((0.0, 1.0), (0.5, 2.0), (0.5, 3.0))])
def test_points_begin_at_0_and_rise(points: tuple[tuple[float, float], ...]) -> None:
    with pytest.raises(ValueError, match="begin at 0 and rise"):
        Anneal(points)


def test_without_a_start_the_weight_is_the_papers_throughout() -> None:
    assert {Anneal()(progress / 10) for progress in range(11)} == {1.0}


def test_the_learning_rate_rises_then_falls_to_zero_and_never_jumps() -> None:
    rates = [cosine_with_warmup(step, 1000, 100) for step in range(1000)]
    assert rates[99] == 1
    assert rates[0] == pytest.approx(0.01)
    assert rates[-1] < 1e-4
    assert max(abs(a - b) for a, b in pairwise(rates)) <= 0.011


def test_every_cycle_is_the_first_one_again() -> None:
    once = [cosine_with_warmup(step, 500, 50) for step in range(500)]
    twice = [cosine_with_warmup(step, 1000, 50, cycles=2) for step in range(1000)]
    assert twice == once + once
