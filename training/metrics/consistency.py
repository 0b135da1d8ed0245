"""Whether a model recognises its own swaps: encode the swap again, and compare the codes with those it was made of.

A swap of A's static code f and B's dynamic codes z is decoded, rounded to 8 bits, and encoded again as f', z'. No true
factor is needed, so this is said of any model and any data. Two measures a code, each beside that of the clip's own
reconstruction, whose decoding and encoding cost something too:

    distance  = Σ‖c' − c‖² / Σ‖c − mean of c‖²   0: the same code; 1: as far as the average clip's (or frame's)
    found     = how often c is the nearest to c' of all clips' static codes, or of the frames of its clip

A code that is constant recognises nothing: its distance counts as 1, and ties are shared out, so that it is found as
often as by chance. Reconstructions alone cannot tell a code that leaks; swaps can: what of B's looks travels in z
contradicts f, and one of the two changes on the way.

Source: the idea is the cycle consistency of Zhu et al. 2017 (arXiv:1703.10593), here measured, not trained for; the
two measures are our own.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, UInt8
from rich.progress import Progress
from torch import Tensor

from models.codes import Codes
from models.disentangler import Disentangler
from training.metrics.bootstrap import Estimate, mean_over_pairs, weights
from training.metrics.swaps import encode

TIE = 1e-12  # of the squared length of codes: distances that differ by rounding alone are equal


@dataclass(frozen=True, slots=True)
class Recognised:
    """How one kind of picture is encoded again; means over pairs, 95 % intervals over identities."""

    static_distance: Estimate
    static_found: Estimate  # chance: 1 / identities
    dynamic_distance: Estimate
    dynamic_found: Estimate  # chance: 1 / frames of a clip


@dataclass(frozen=True, slots=True)
class Consistency:
    """Swaps, beside reconstructions."""

    swaps: Recognised
    reconstructions: Recognised
    identities: int
    frames: int  # of a clip


def consistency(
    model: Disentangler,
    codes: Codes,
    swaps: UInt8[Tensor, "p t c h w"],
    pairs: Int[np.ndarray, "p 2"],
    reconstructions: UInt8[Tensor, "r t c h w"],
    progress: Progress,
    themselves: Int[np.ndarray, "r 2"] | None = None,
    groups: Int[np.ndarray, " n"] | None = None,
) -> Consistency:
    """Encode the pictures of each pair (appearance, motion), and those of each clip itself, again.

    Reconstructions are of all clips, or of those that `themselves` pairs with themselves. `groups` are as in
    `recognised`.
    """
    static, dynamic = codes.static.mean, codes.dynamic.mean
    known = static.double().cpu().numpy(), dynamic.double().cpu().numpy()
    count, frames = dynamic.shape[:2]
    if themselves is None:
        themselves = np.stack([np.arange(count)] * 2, axis=1)

    def again(made: UInt8[Tensor, "p t c h w"], whose: Int[np.ndarray, "p 2"]) -> Recognised:
        found = encode(model, made, progress)
        return recognised(
            *known,
            found.static.mean.double().cpu().numpy(),
            found.dynamic.mean.double().cpu().numpy(),
            whose,
            groups=groups,
        )

    return Consistency(again(swaps, pairs), again(reconstructions, themselves), count, frames)


def recognised(
    static: Float[np.ndarray, "n s"],
    dynamic: Float[np.ndarray, "n t z"],
    static_again: Float[np.ndarray, "p s"],
    dynamic_again: Float[np.ndarray, "p t z"],
    pairs: Int[np.ndarray, "p 2"],
    seed: int = 0,
    groups: Int[np.ndarray, " n"] | None = None,
) -> Recognised:
    """Compare the codes of pairs (appearance, motion) with those they were made of.

    Clips of one of the `groups` (numbered from 0) are resampled together; without groups each is of its own.
    """
    who, what = pairs.T
    groups = np.arange(len(static)) if groups is None else groups
    drawn = weights(np.random.default_rng(seed), int(groups.max()) + 1)[:, groups]

    def mean(values: Float[np.ndarray, " p"]) -> Estimate:
        return Estimate.of(values.mean(), mean_over_pairs(values, pairs, drawn))

    every = np.tile(np.arange(dynamic.shape[1]), (len(pairs), 1))
    moves = dynamic.reshape(-1, dynamic.shape[-1])
    return Recognised(
        static_distance=mean(relative(((static_again - static[who]) ** 2).sum(1), static)),
        static_found=mean(found(static_again[:, None], static[None], who[:, None])[:, 0]),
        dynamic_distance=mean(relative(((dynamic_again - dynamic[what]) ** 2).sum(2).mean(1), moves)),
        dynamic_found=mean(found(dynamic_again, dynamic[what], every).mean(1)),
    )


def relative(error: Float[np.ndarray, " p"], codes: Float[np.ndarray, "m d"]) -> Float[np.ndarray, " p"]:
    """Squared errors in units of the codes' mean squared distance from their mean; 1 where codes do not differ."""
    spread = float(codes.var(0).sum())
    return error / spread if spread > 0 else np.ones_like(error)


def found(
    again: Float[np.ndarray, "p t d"], candidates: Float[np.ndarray, "q m d"], right: Int[np.ndarray, "p t"]
) -> Float[np.ndarray, "p t"]:
    """Whether the nearest of m candidates is the right one: 1 or 0, a k-th of 1 where k are equally near.

    `candidates` are a pair's own (q = p), or everybody's (q = 1).
    """
    lengths = (candidates**2).sum(-1)
    distance = (again**2).sum(-1)[..., None] - 2 * again @ candidates.swapaxes(1, 2) + lengths[:, None]
    nearest = distance <= distance.min(-1, keepdims=True) + TIE * (1 + lengths.max())
    hit = np.take_along_axis(nearest, right[..., None], axis=-1)[..., 0]
    shared: np.ndarray = hit / nearest.sum(-1)
    return shared
