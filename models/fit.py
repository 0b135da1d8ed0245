"""How typical a clip is of what a model learnt from, so that nobody trusts a code for a cat from a face model.

A model's `config.json` keeps 101 quantiles (0 %, 1 %, …, 100 %) of each score over held-out clips. A new
clip is placed among them: it is foreign when a score lies outside nearly all of the held-out ones.

The bound itself is not compared: most of it is the entropy of the clip's own grey levels, so that a clip
in pastel colours scores worse than one in black and white, however well the model knows it. What is
compared is the excess over that entropy, in nats per frame.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from models.disentangler import FitScores

TAIL = 1.0  # percent of held-out clips that may score as badly as a typical clip does


@dataclass(frozen=True, slots=True)
class Fit:
    """The scores of a clip and what they say; `percentile` is None for a model without statistics."""

    psnr_db: float
    elbo_nats: float | None  # per frame; None for a family without a likelihood
    percentile: float | None  # the worse of PSNR's and the bound's among held-out clips
    typical: bool | None
    reason: str | None  # one sentence when not typical


def fit(scores: FitScores, quantiles: Mapping[str, Sequence[float]]) -> Fit:
    """Place the scores of one clip among the model's held-out ones.

    `quantiles` has 101 values for each of "psnr_db", "excess_nats" and "static_kl", of which a family
    without a likelihood has the first alone; or it is empty.
    """
    if not quantiles:
        return Fit(scores.psnr_db, scores.elbo_nats, None, None, None)
    psnr = percentile(scores.psnr_db, quantiles["psnr_db"])
    bound, surprise, known = psnr, 0.0, 0.0
    if scores.excess_nats is not None and scores.static_kl is not None:
        bound = 100 - percentile(scores.excess_nats, quantiles["excess_nats"])
        surprise, known = percentile(scores.static_kl, quantiles["static_kl"]), quantiles["static_kl"][-1]
    reason = None
    if psnr <= TAIL:
        typical_psnr = quantiles["psnr_db"][50]
        reason = (
            f"the model cannot redraw this clip: {scores.psnr_db:.1f} dB, where its own kind of clip "
            f"has {typical_psnr:.1f} dB"
        )
    elif bound <= TAIL:
        reason = (
            f"the model finds this clip improbable: {scores.excess_nats:.0f} nats a frame too many, where its own "
            f"kind of clip has {quantiles['excess_nats'][50]:.0f}"
        )
    elif surprise >= 100 - TAIL and scores.static_kl is not None and scores.static_kl > known:
        reason = (
            "the static code lies far outside the identities the model knows: "
            f"{scores.static_kl:.0f} nats from the prior, at most {known:.0f} held out"
        )
    return Fit(scores.psnr_db, scores.elbo_nats, min(psnr, bound), reason is None, reason)


def percentile(value: float, quantiles: Sequence[float]) -> float:
    """Where `value` lies among 101 rising quantiles, in [0, 100], linear between neighbours."""
    low, high = bisect_left(quantiles, value), bisect_right(quantiles, value)
    if low == 0 and high == 0:
        return 0.0
    if low == len(quantiles):
        return 100.0
    if low < high:  # equal to one or more quantiles: the middle of them
        return (low + high - 1) / 2
    below, above = quantiles[low - 1], quantiles[low]
    return low - 1 + (value - below) / (above - below)
