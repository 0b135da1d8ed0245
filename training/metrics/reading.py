"""What a judge reads in pictures against what it should read: shares right, R², shares within a tolerance."""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float, Int

from training.data.drawable import Drawable
from training.metrics.bootstrap import Estimate, occurrences, weights
from training.metrics.judge import Reading

TOLERANCE = 0.25  # of half a continuous factor's range: ±0.25 for smile and turn, ±0.125 for surprise


@dataclass(frozen=True, slots=True)
class Shares:
    """Shares of pictures read as they should be, in [0, 1]; 0 where no picture shows what is asked."""

    static: dict[str, float]  # by factor, over pictures where the factor can be seen
    static_mean: float  # over factors
    static_all: float  # every static factor of a picture right at once, over pictures where all can be seen
    dynamic: dict[str, float]  # by factor; a continuous one is right within TOLERANCE
    dynamic_all: float  # every dynamic factor of a picture right at once
    r2: dict[str, float]  # of continuous factors
    intervals: dict[str, Estimate] = field(default_factory=dict)  # of shares, by factor and name, over identities
    r2_intervals: dict[str, Estimate] = field(default_factory=dict)


def shares(
    reading: Reading,
    data: Drawable,
    static: Int[np.ndarray, "n f"],
    dynamic: Float[np.ndarray, "n d"],
    pairs: Int[np.ndarray, "p 2"] | None = None,
    posed: bool = True,
) -> Shares:
    """Compare a reading with the factors that the pictures should show.

    `pairs` says whose appearance and motion a clip shows, of n / p pictures each, and gives intervals. Pictures that
    are not `posed` were drawn in poses of the model's own choice: these hide what the judge's reading of them says.
    """
    truth = data.read(dynamic)
    legible = data.legible(truth if posed else {**reading.classes, **reading.values})
    right: list[Bool[np.ndarray, " n"]] = []
    by_factor = {}
    for column, name in enumerate(data.static_levels):
        correct = reading.static[name] == static[:, column]
        by_factor[name] = share(correct, legible[:, column])
        right.append(correct)
    moved: dict[str, Bool[np.ndarray, " n"]] = {}
    for name in data.classes:
        moved[name] = reading.classes[name] == truth[name]
    for name, (low, high) in data.ranges.items():
        moved[name] = np.abs(reading.values[name] - truth[name]) <= TOLERANCE * (high - low) / 2
    # A picture that hides a factor would be easier to read right than one that shows it.
    whole, always = np.all(legible, axis=1), np.ones(len(legible), dtype=bool)
    everything, moves = np.all(right, axis=0), np.all(list(moved.values()), axis=0)
    together = None if pairs is None else resampled(pairs)
    return Shares(
        static=by_factor,
        static_mean=float(np.mean(list(by_factor.values()))),
        static_all=share(everything, whole),
        dynamic={name: float(correct.mean()) for name, correct in moved.items()},
        dynamic_all=float(moves.mean()),
        r2={name: r_squared(reading.values[name], truth[name]) for name in data.ranges},
        intervals={}
        if together is None
        else intervals(
            {name: (right[column], legible[:, column]) for column, name in enumerate(data.static_levels)},
            {name: (correct, always) for name, correct in {**moved, "dynamic_all": moves}.items()}
            | {"static_all": (everything, whole)},
            together,
        ),
        r2_intervals={}
        if together is None
        else {name: r_squared_over_pairs(reading.values[name], truth[name], together) for name in data.ranges},
    )


def resampled(pairs: Int[np.ndarray, "p 2"], seed: int = 0) -> Int[np.ndarray, "rounds p"]:
    """How often each pair occurs in each resample, as `bootstrap.mean_over_pairs` draws them."""
    return occurrences(pairs, weights(np.random.default_rng(seed), int(pairs.max()) + 1))


def share(right: Bool[np.ndarray, " n"], counted: Bool[np.ndarray, " n"]) -> float:
    """Of the pictures that count how many are right; 0 where none counts, as JSON has no NaN."""
    return float((right & counted).sum() / max(1, counted.sum()))


def intervals(
    static: dict[str, tuple[Bool[np.ndarray, " n"], Bool[np.ndarray, " n"]]],
    others: dict[str, tuple[Bool[np.ndarray, " n"], Bool[np.ndarray, " n"]]],
    together: Int[np.ndarray, "rounds p"],
) -> dict[str, Estimate]:
    """The shares of right pictures among those that count, of pairs that occur so often in each resample.

    Each is given as (right, counted), `static` ones for their mean too; where none counts it is 0, from 0 to 0.
    """
    found, of_static = {}, []
    for name, (right, counted) in {**static, **others}.items():
        hits, size = ((part & counted).reshape(together.shape[1], -1).sum(1) for part in (right, counted))
        asked = together @ size
        unseen = np.full(len(together), np.nan if counted.any() else 0.0)
        rounds = np.divide(together @ hits, asked, out=unseen, where=asked > 0)
        found[name] = Estimate.of(share(right, counted), rounds)
        if name in static:
            of_static.append(rounds)
    mean = float(np.mean([found[name].value for name in static]))
    return {"static_mean": Estimate.of(mean, np.mean(of_static, axis=0)), **found}


def r_squared_over_pairs(
    predicted: Float[np.ndarray, " n"],
    true: Float[np.ndarray, " n"],
    together: Int[np.ndarray, "rounds p"],
) -> Estimate:
    """R² with its interval, of pairs that occur so often in each resample, which has a variance of its own."""
    centred = true - true.mean()
    parts = (np.ones_like(true), centred, centred**2, (predicted - true) ** 2)
    count, total, squares, error = (together @ part.reshape(together.shape[1], -1).sum(1) for part in parts)
    varied = squares - total**2 / np.maximum(count, 1)
    missing = np.full(len(together), np.nan)
    return Estimate.of(r_squared(predicted, true), 1 - np.divide(error, varied, out=missing, where=varied > 0))


def r_squared(predicted: Float[np.ndarray, " n"], true: Float[np.ndarray, " n"]) -> float:
    """1 − squared error / variance: 1 is perfect, 0 is no better than the mean, below 0 is worse."""
    return float(1 - ((predicted - true) ** 2).sum() / ((true - true.mean()) ** 2).sum())
