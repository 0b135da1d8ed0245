"""Linear probes: how much a linear reader learns of a factor from a code that should not tell, or should.

A probe is fitted on standardised codes of training identities and scored on those of held-out ones. Classes are read by
logistic regression and scored by the share that is right, beside the share that always saying the commonest
class gets (chance); numbers by ridge regression, scored by R² (chance: 0).
"""

import warnings
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from training.metrics.reading import r_squared


@dataclass(frozen=True, slots=True)
class Probe:
    """One factor read from one code."""

    score: float  # share right, or R²
    chance: float


def probe_class(
    codes: Float[np.ndarray, "n d"],
    levels: Float[np.ndarray, " n"],
    held_out_codes: Float[np.ndarray, "m d"],
    held_out_levels: Float[np.ndarray, " m"],
) -> Probe:
    """Read a class."""
    found, counts = np.unique(levels, return_counts=True)
    chance = float((held_out_levels == found[counts.argmax()]).mean())
    if len(found) == 1:
        return Probe(chance, chance)
    reader = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=200))
    with warnings.catch_warnings():  # a probe that has not converged reads a little worse, no more
        warnings.simplefilter("ignore", ConvergenceWarning)
        reader.fit(codes, levels)
    return Probe(float(reader.score(held_out_codes, held_out_levels)), chance)


def probe_value(
    codes: Float[np.ndarray, "n d"],
    values: Float[np.ndarray, " n"],
    held_out_codes: Float[np.ndarray, "m d"],
    held_out_values: Float[np.ndarray, " m"],
) -> Probe:
    """Read a number."""
    reader = make_pipeline(StandardScaler(), RidgeCV(alphas=(1.0, 10.0, 100.0, 1000.0)))
    predicted = reader.fit(codes, values).predict(held_out_codes)
    return Probe(r_squared(predicted.astype(np.float64), held_out_values.astype(np.float64)), 0.0)
