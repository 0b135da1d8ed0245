"""Probes: how much a reader learns of a factor from a code that should not tell, or should.

A probe is fitted on standardised codes of training identities and scored on those of held-out ones, with a 95 %
interval over these. Classes are scored by the share that is read right, beside the share that always saying the
commonest class gets (chance); numbers by R² (chance: 0). Readers:

- "linear": logistic regression, ridge regression;
- "mlp": one hidden layer of 64, a fixed number of passes. What a linear reader misses, a decoder need not.
"""

import warnings
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Int
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from training.metrics.bootstrap import Estimate, weights
from training.metrics.reading import r_squared

Reader = Literal["linear", "mlp"]
# The penalty keeps a static code of 256 numbers from being learnt by heart; early stopping would need more clips.
MLP = {"hidden_layer_sizes": (64,), "alpha": 1.0, "learning_rate_init": 3e-3, "max_iter": 80, "random_state": 0}


@dataclass(frozen=True, slots=True)
class Probe:
    """One factor read from one code."""

    score: float  # share right, or R²
    chance: float
    low: float  # 95 % interval of the score over held-out clips
    high: float


def probe_class(
    codes: Float[np.ndarray, "n d"],
    levels: Float[np.ndarray, " n"],
    held_out_codes: Float[np.ndarray, "m d"],
    held_out_levels: Float[np.ndarray, " m"],
    reader: Reader = "linear",
    clips: Int[np.ndarray, " m"] | None = None,
) -> Probe:
    """Read a class. `clips` says which rows are of one clip (or toy, or person) and go together in the interval."""
    known, counts = np.unique(levels, return_counts=True)
    commonest = known[counts.argmax()]
    chance = float((held_out_levels == commonest).mean())
    said = np.full(len(held_out_levels), commonest)
    if len(known) > 1:
        kind = LogisticRegression(C=0.1, max_iter=200) if reader == "linear" else MLPClassifier(**MLP)
        said = fitted(kind, codes, levels).predict(held_out_codes)
    interval = share_right(said, held_out_levels, clips)
    return Probe(interval.value, chance, interval.low, interval.high)


def probe_value(
    codes: Float[np.ndarray, "n d"],
    values: Float[np.ndarray, " n"],
    held_out_codes: Float[np.ndarray, "m d"],
    held_out_values: Float[np.ndarray, " m"],
    reader: Reader = "linear",
    clips: Int[np.ndarray, " m"] | None = None,
) -> Probe:
    """Read a number. `clips` as in `probe_class`."""
    middle, spread = values.mean(), values.std() or 1.0
    kind = RidgeCV(alphas=(1.0, 10.0, 100.0, 1000.0)) if reader == "linear" else MLPRegressor(**MLP)
    said = middle + spread * fitted(kind, codes, (values - middle) / spread).predict(held_out_codes).astype(np.float64)
    interval = share_explained(said, held_out_values.astype(np.float64), clips)
    return Probe(interval.value, 0.0, interval.low, interval.high)


def share_right(
    said: Float[np.ndarray, " m"], true: Float[np.ndarray, " m"], clips: Int[np.ndarray, " m"] | None
) -> Estimate:
    """The share of rows that are right."""
    right = (said == true).astype(np.float64)
    total, size = per_clip(right, clips), per_clip(np.ones_like(right), clips)
    drawn = weights(np.random.default_rng(0), len(total))
    return Estimate.of(right.mean(), (drawn @ total) / (drawn @ size))


def share_explained(
    said: Float[np.ndarray, " m"], true: Float[np.ndarray, " m"], clips: Int[np.ndarray, " m"] | None
) -> Estimate:
    """R²; a resample in which the numbers do not differ is left out."""
    error, size = per_clip((said - true) ** 2, clips), per_clip(np.ones_like(true), clips)
    total, squares = per_clip(true, clips), per_clip(true**2, clips)
    drawn = weights(np.random.default_rng(0), len(size))
    variation = drawn @ squares - (drawn @ total) ** 2 / (drawn @ size)
    rounds = 1 - np.divide(drawn @ error, variation, out=np.full(len(drawn), np.nan), where=variation > 1e-12)
    return Estimate.of(r_squared(said, true), rounds)


def fitted(kind: Any, codes: Float[np.ndarray, "n d"], truth: Float[np.ndarray, " n"]) -> Any:
    """The reader, fitted on standardised codes."""
    pipeline = make_pipeline(StandardScaler(), kind)
    with warnings.catch_warnings():  # a probe that has not converged reads a little worse, no more
        warnings.simplefilter("ignore", ConvergenceWarning)
        return pipeline.fit(codes, truth)


def per_clip(values: Float[np.ndarray, " m"], clips: Int[np.ndarray, " m"] | None) -> Float[np.ndarray, " n"]:
    """Sums over the rows of each clip."""
    if clips is None:
        return values
    summed: np.ndarray = np.bincount(clips, values)
    return summed
