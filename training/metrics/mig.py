"""MIG, the mutual information gap: is each factor told by one number of the code, and by no second one as well?

For every factor v the mutual information with each number c_i of [static, dynamic], in single frames:

    MIG = mean over factors of (I(c_1; v) − I(c_2; v)) / H(v)

where c_1 and c_2 are the two numbers that tell most. 1: one number tells the factor, and no other does; 0: none
tells it, or two tell it equally well. A static code is one vector of many numbers that nobody asked to be aligned with
factors, so a low gap is no fault of the split into static and dynamic; it says that single numbers are no sliders.

Source: Chen et al. 2018 (arXiv:1802.04942), §4; numbers and continuous factors in 20 bins of equal width, as
disentanglement_lib (Locatello et al. 2019) has it. Intervals: 100 resamples of identities.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from training.data.drawable import Drawable
from training.metrics.bootstrap import Estimate, weights
from training.metrics.coded import CodedClips, all_factors, both_codes, clip_of_frame
from training.metrics.inception import entropy

BINS = 20
ROUNDS = 100


@dataclass(frozen=True, slots=True)
class MIG:
    """The gap of each factor, as a share of its entropy, and the mean over factors."""

    mean: Estimate
    factors: dict[str, Estimate]


def mig(held_out: CodedClips, data: Drawable) -> MIG:
    """The gaps in the codes of these clips."""
    return mutual_information_gap(
        both_codes(held_out), all_factors(data, held_out), data.ranges, clip_of_frame(held_out)
    )


def mutual_information_gap(
    codes: Float[np.ndarray, "m d"],
    factors: dict[str, Float[np.ndarray, " m"]],
    continuous: dict[str, tuple[float, float]],
    clips: Int[np.ndarray, " m"],
    seed: int = 0,
) -> MIG:
    """The gaps of factors, of which continuous ones are binned; rows of one clip are resampled together."""
    numbers = binned(codes, BINS)
    drawn = weights(np.random.default_rng(seed), int(clips.max()) + 1, ROUNDS)
    values, rounds = {}, {}
    for name, truth in factors.items():
        levels = binned(truth[:, None], BINS)[:, 0] if name in continuous else np.unique(truth, return_inverse=True)[1]
        count = int(levels.max()) + 1
        # Where each row falls in the table of number × bin × level.
        cells = (np.arange(codes.shape[1]) * BINS + numbers) * count + levels[:, None]
        values[name] = gap(cells, codes.shape[1], count, np.ones(len(codes)))
        rounds[name] = np.array([gap(cells, codes.shape[1], count, each[clips] * 1.0) for each in drawn])
    return MIG(
        Estimate.centred(float(np.mean(list(values.values()))), np.mean(list(rounds.values()), axis=0)),
        {name: Estimate.centred(value, rounds[name]) for name, value in values.items()},
    )


def binned(values: Float[np.ndarray, "m d"], bins: int) -> Int[np.ndarray, "m d"]:
    """Each column in bins of equal width over its own range; a column that does not vary is all in the first."""
    low, high = values.min(0), values.max(0)
    place = np.divide(values - low, high - low, out=np.zeros_like(values), where=high > low)
    bin_of: np.ndarray = np.minimum((place * bins).astype(np.int64), bins - 1)
    return bin_of


def gap(cells: Int[np.ndarray, "m d"], numbers: int, levels: int, counted: Float[np.ndarray, " m"]) -> float:
    """(I₁ − I₂) / H of one factor, each row counted so often; 0 where the factor does not vary."""
    table = (
        np.bincount(cells.reshape(-1), np.repeat(counted, numbers), minlength=numbers * BINS * levels).reshape(
            numbers, BINS, levels
        )
        / counted.sum()
    )
    factor = entropy(table[0].sum(0))
    if factor <= 0:
        return 0.0
    information = entropy(table.sum(2)) + factor - entropy(table.reshape(numbers, -1))
    first, second = np.sort(information)[[-1, -2]]
    return float((first - second) / factor)
