"""What a judge reads in pictures against what it should read: shares right, R², shares within a tolerance."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from training.data.drawable import Drawable
from training.metrics.judge import Reading

TOLERANCE = 0.25  # of half a continuous factor's range: ±0.25 for smile and turn, ±0.125 for surprise


@dataclass(frozen=True, slots=True)
class Shares:
    """Shares of pictures read as they should be, in [0, 1]."""

    static: dict[str, float]  # by factor, over pictures where the factor can be seen
    static_mean: float  # over factors
    static_all: float  # every visible static factor of a picture right at once
    dynamic: dict[str, float]  # by factor; a continuous one is right within TOLERANCE
    dynamic_all: float  # every dynamic factor of a picture right at once
    r2: dict[str, float]  # of continuous factors


def shares(
    reading: Reading, data: Drawable, static: Int[np.ndarray, "n f"], dynamic: Float[np.ndarray, "n d"]
) -> Shares:
    """Compare a reading with the factors that the pictures should show."""
    legible, truth = data.legible(dynamic), data.read(dynamic)
    right: list[Bool[np.ndarray, " n"]] = []
    by_factor = {}
    for column, name in enumerate(data.static_levels):
        correct = reading.static[name] == static[:, column]
        by_factor[name] = float(correct[legible[:, column]].mean())
        right.append(correct | ~legible[:, column])
    moved: dict[str, Bool[np.ndarray, " n"]] = {}
    for name in data.classes:
        moved[name] = reading.classes[name] == truth[name]
    for name, (low, high) in data.ranges.items():
        moved[name] = np.abs(reading.values[name] - truth[name]) <= TOLERANCE * (high - low) / 2
    return Shares(
        static=by_factor,
        static_mean=float(np.mean(list(by_factor.values()))),
        static_all=float(np.all(right, axis=0).mean()),
        dynamic={name: float(correct.mean()) for name, correct in moved.items()},
        dynamic_all=float(np.all(list(moved.values()), axis=0).mean()),
        r2={name: r_squared(reading.values[name], truth[name]) for name in data.ranges},
    )


def r_squared(predicted: Float[np.ndarray, " n"], true: Float[np.ndarray, " n"]) -> float:
    """1 − squared error / variance: 1 is perfect, 0 is no better than the mean, below 0 is worse."""
    return float(1 - ((predicted - true) ** 2).sum() / ((true - true.mean()) ** 2).sum())
