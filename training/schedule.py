"""What changes over a run: the learning rate and the weights of the KL terms."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Anneal:
    """A weight that goes linearly from `start` to `end` over the first `share` of a run.

    A heavy dynamic KL at first leaves the dynamic code empty, so that the static code has to carry all
    of the identity; when the weight falls, the dynamic code takes the pose and only the pose. With
    weight 1 throughout, skin colour settles in the dynamic code early and never leaves it.

    A light static KL at first (Sønderby et al. 2016, arXiv:1602.02282) lets the static code carry what the
    decoder has no use for yet.
    """

    start: float = 1.0
    end: float = 1.0
    share: float = 0.45

    def __call__(self, progress: float) -> float:
        """The weight at `progress` in [0, 1] of the run."""
        gone = min(progress / self.share, 1.0)
        return self.start + (self.end - self.start) * gone


def cosine_with_warmup(step: int, steps: int, warmup: int, cycles: int = 1) -> float:
    """The share of the full learning rate at `step` of `steps`: linear rise, then half a cosine to 0.

    With `cycles` this happens so many times (warm restarts, Loshchilov & Hutter 2017, arXiv:1608.03983).
    """
    steps //= cycles
    step %= steps
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))
