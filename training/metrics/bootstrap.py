"""How sure a mean is: 95 % intervals by resampling identities, as frames of one identity are no independent draws."""

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

    def __str__(self) -> str:
        return f"{self.value:.2f} ({self.low:.2f} to {self.high:.2f})"


def weights(rng: np.random.Generator, num: int, rounds: int = ROUNDS) -> Int[np.ndarray, "rounds num"]:
    """How often each of `num` identities occurs in each of so many resamples."""
    return rng.multinomial(num, np.full(num, 1 / num), size=rounds)


def mean_over_identities(
    values: Float[np.ndarray, " num"], drawn: Int[np.ndarray, "rounds num"]
) -> Float[np.ndarray, " rounds"]:
    """The mean in each resample, of one value an identity."""
    means: np.ndarray = drawn @ values / drawn.sum(1)
    return means


def mean_over_pairs(
    values: Float[np.ndarray, " pairs"],
    pairs: Int[np.ndarray, "pairs 2"],
    drawn: Int[np.ndarray, "rounds num"],
) -> Float[np.ndarray, " rounds"]:
    """The mean in each resample, of one value a pair: a pair counts as often as both its identities together.

    Source: the pigeonhole bootstrap, Owen 2007 (Annals of Applied Statistics 1(2)), for data crossed two ways.
    """
    together = drawn[:, pairs[:, 0]] * drawn[:, pairs[:, 1]]
    count = together.sum(1)
    means: np.ndarray = np.divide(together @ values, count, out=np.full(len(count), np.nan), where=count > 0)
    return means
