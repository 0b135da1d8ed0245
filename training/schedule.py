"""What changes over a run: the learning rate and the weights of the KL terms."""

import math
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Anneal:
    """A weight that goes straight from point to point: (share of the run, weight) each, the last one held to the end.

    A heavy dynamic KL at first leaves the dynamic code empty, so that the static code has to carry all
    of the identity; when the weight falls, the dynamic code is to take the pose and only the pose. It did so in
    first trials, by the gap of swaps: with weight 1 throughout, skin colour settled in the dynamic code early and
    never left it. In the short runs of docs/results.md ("What one change is worth") it had not helped by their end:
    the gap was smaller, and the dynamic code told more of the identity than with weight 1.

    A light static KL at first (Sønderby et al. 2016, arXiv:1602.02282) lets the static code carry what the
    decoder has no use for yet.
    """

    points: tuple[tuple[float, float], ...] = ((0.0, 1.0),)

    def __post_init__(self) -> None:
        shares = [share for share, _ in self.points]
        if not shares or shares[0] != 0 or any(a >= b for a, b in pairwise(shares)):
            raise ValueError(f"points begin at 0 and rise, got {self.points}")

    def __call__(self, progress: float) -> float:
        """The weight at `progress` in [0, 1] of the run."""
        for (before, old), (after, new) in pairwise(self.points):
            if progress < after:
                return old + (new - old) * (progress - before) / (after - before)
        return self.points[-1][1]


def cosine_with_warmup(step: int, steps: int, warmup: int, cycles: int = 1) -> float:
    """The share of the full learning rate at `step` of `steps`: linear rise, then half a cosine to 0.

    With `cycles` this happens so many times (warm restarts, Loshchilov & Hutter 2017, arXiv:1608.03983).
    """
    steps //= cycles
    step %= steps
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))
