"""A clip's fit is its place among the held-out clips of the model."""

import numpy as np
import pytest

from models.disentangler import FitScores
from models.fit import fit, percentile

QUANTILES = {
    "psnr_db": np.linspace(20, 30, 101).tolist(),
    "excess_nats": np.linspace(100, 300, 101).tolist(),
    "static_kl": np.linspace(10, 60, 101).tolist(),
}


@pytest.mark.parametrize(("value", "expected"), [(19.0, 0.0), (20.0, 0.0), (25.0, 50.0), (25.05, 50.5), (31.0, 100.0)])
def test_percentiles_are_linear_between_quantiles(value: float, expected: float) -> None:
    assert percentile(value, QUANTILES["psnr_db"]) == pytest.approx(expected)


def test_a_value_that_many_quantiles_equal_is_in_their_middle() -> None:
    assert percentile(1.0, [0.0, 1.0, 1.0, 1.0, 2.0]) == pytest.approx(2.0)


def test_a_clip_like_the_held_out_ones_is_typical_and_takes_its_worse_percentile() -> None:
    found = fit(FitScores(psnr_db=27.0, elbo_nats=-2000.0, excess_nats=200.0, static_kl=30.0), QUANTILES)
    assert found.typical
    assert found.reason is None
    assert found.percentile == pytest.approx(50.0)


@pytest.mark.parametrize(
    ("scores", "reason"),
    [
        (FitScores(12.0, -1500.0, 200.0, 30.0), "cannot redraw"),
        (FitScores(25.0, -9000.0, 900.0, 30.0), "improbable"),
        (FitScores(29.0, -1100.0, 120.0, 400.0), "far outside the identities"),
    ],
)
def test_a_foreign_clip_is_told_why(scores: FitScores, reason: str) -> None:
    found = fit(scores, QUANTILES)
    assert found.typical is False
    assert reason in (found.reason or "")


def test_a_model_without_statistics_does_not_judge() -> None:
    found = fit(FitScores(25.0, -2000.0, 200.0, 30.0), {})
    assert found.typical is None
    assert found.percentile is None


def test_a_clip_in_pastel_colours_is_not_foreign_for_the_entropy_of_its_grey_levels() -> None:
    """The bound of the same reconstruction error is far lower on mid-tones; its excess over the entropy is not."""
    pastel = fit(FitScores(psnr_db=27.0, elbo_nats=-7000.0, excess_nats=200.0, static_kl=30.0), QUANTILES)
    assert pastel.typical
