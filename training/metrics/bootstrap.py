"""How sure a mean is: 95 % intervals by resampling identities, as frames of one identity are no independent draws."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

ROUNDS = 2000


@dataclass(frozen=True, slots=True)
class Estimate:
    """A measured mean with its 95 % interval."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, value: float, rounds: Float[np.ndarray, " rounds"]) -> "Estimate":
        """The percentile interval of resampled values; a resample that held none of them is NaN and left out."""
        low, high = np.nanpercentile(rounds, [2.5, 97.5])
        return cls(float(value), float(low), float(high))

    @classmethod
    def centred(cls, value: float, rounds: Float[np.ndarray, " rounds"]) -> "Estimate":
        """The same, moved so that the resampled mean lies on the value.

        For entropies and mutual information: a resample repeats identities, which alone makes it less varied and its
        parts more dependent, so the plain interval can miss the value itself.
        """
        return cls.of(value, rounds + (value - np.nanmean(rounds)))

    def __str__(self) -> str:
        return f"{self.value:.2f} ({self.low:.2f} to {self.high:.2f})"


@dataclass(frozen=True, slots=True)
class Score:
    """A number measured in several passes."""

    value: float  # mean over passes
    std: float  # over passes; 0 of one
    low: float  # 95 % interval over identities
    high: float

    @classmethod
    def of(cls, passes: Sequence[float], interval: Estimate) -> "Score":
        """Summarise passes."""
        spread = float(np.std(passes, ddof=1)) if len(passes) > 1 else 0.0
        return cls(float(np.mean(passes)), spread, interval.low, interval.high)


def weights(rng: np.random.Generator, num: int, rounds: int = ROUNDS) -> Int[np.ndarray, "rounds num"]:
    """How often each of `num` identities occurs in each of so many resamples."""
    return rng.multinomial(num, np.full(num, 1 / num), size=rounds)


def mean_over_identities(
    values: Float[np.ndarray, " num"], drawn: Int[np.ndarray, "rounds num"]
) -> Float[np.ndarray, " rounds"]:
    """The mean in each resample, of one value an identity."""
    means: np.ndarray = drawn @ values / drawn.sum(1)
    return means


def over_clips(values: Float[np.ndarray, " num"], of: Int[np.ndarray, " num"] | None = None) -> Estimate:
    """The mean of one value a clip, or an identity, and its interval.

    `of` says which values belong together, as several cuts of one clip, or clips of one file: they are drawn together.
    """
    together = np.arange(len(values)) if of is None else numbered(of)
    drawn = weights(np.random.default_rng(0), int(together.max()) + 1)[:, together]
    return Estimate.of(values.mean(), mean_over_identities(values, drawn))


def ratio_over_clips(
    parts: Float[np.ndarray, "num k"], wholes: Float[np.ndarray, "num k"], of: Int[np.ndarray, " num"]
) -> list[Estimate]:
    """Σ parts / Σ wholes of each column, and its interval, resampled as by `over_clips`; 0 where there is no whole."""
    together = numbered(of)
    drawn = weights(np.random.default_rng(0), int(together.max()) + 1)[:, together]
    above, below = drawn @ parts, drawn @ wholes
    unseen = np.where(wholes.any(0), np.nan, 0.0) * np.ones_like(above)
    rounds = np.divide(above, below, out=unseen, where=below > 0)
    values = np.divide(parts.sum(0), wholes.sum(0), out=np.zeros(parts.shape[1]), where=wholes.any(0))
    return [Estimate.of(value, column) for value, column in zip(values, rounds.T, strict=True)]


def mean_over_pairs(
    values: Float[np.ndarray, " pairs"],
    pairs: Int[np.ndarray, "pairs 2"],
    drawn: Int[np.ndarray, "rounds num"],
) -> Float[np.ndarray, " rounds"]:
    """The mean in each resample, of one value a pair: a pair counts as often as both its identities together.

    The pair of an identity with itself counts as often as that identity.

    Source: the pigeonhole bootstrap, Owen 2007 (Annals of Applied Statistics 1(2)), for data crossed two ways.
    """
    together = occurrences(pairs, drawn)
    count = together.sum(1)
    means: np.ndarray = np.divide(together @ values, count, out=np.full(len(count), np.nan), where=count > 0)
    return means


def occurrences(
    pairs: Int[np.ndarray, "pairs 2"], drawn: Int[np.ndarray, "rounds num"]
) -> Int[np.ndarray, "rounds pairs"]:
    """How often each pair occurs in each resample of identities."""
    who, what = pairs.T
    return np.where(who == what, drawn[:, who], drawn[:, who] * drawn[:, what])


def numbered(groups: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """The same groups, counted from 0 without gaps: those of which nothing is left are resampled no more."""
    numbers: np.ndarray = np.unique(groups, return_inverse=True)[1].reshape(-1)
    return numbers
