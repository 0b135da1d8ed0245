"""DCI: does each number of the code tell one factor (disentanglement), is each factor told by one (completeness)?

For every factor a random forest is fitted on the numbers of both codes; its importances are a matrix R of numbers ×
factors. With P a row of R divided by its sum, P̃ a column divided by its sum, k factors and d numbers:

    D = Σ_i ρ_i (1 − H_k(P_i)),  ρ_i = Σ_j R_ij / Σ R     1: each number tells one factor
    C = mean over factors of 1 − H_d(P̃_j)                  1: each factor is told by one number
    I = how well held-out identities are read, by factor

with entropies in base k and d. A code that tells nothing has D = C = 0.

The paper takes lasso and random forests, and tunes them. Here forests, as they read classes and what is not linear:
10 trees, every number a candidate at every split (a random share of them would credit a code for how many numbers it
has), leaves of at least 3 frames, nothing tuned. Factors are read in single frames, from [static, dynamic]; beside the
scores stands the share of static factors' importance that lies in the static code, and of dynamic ones' in the
dynamic code. Of numbers that tell the same a forest picks either. Intervals of D, C and the two shares are over the
forest's trees, so they tell its own chance; those of I are over held-out identities.

Source: Eastwood & Williams 2018 (ICLR), §2 and appendix; R of a factor sums to 1, as importances of a forest do.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from rich.progress import Progress
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from training.data.drawable import Drawable
from training.metrics.bootstrap import Estimate, weights
from training.metrics.coded import CodedClips, all_factors, both_codes, clip_of_frame
from training.metrics.inception import entropy
from training.metrics.probes import share_explained, share_right

TREES = 10
LEAF = 3
ROUNDS = 200  # bootstrap
FRAMES = 2  # of each training clip: more of one identity add little to its static factors


@dataclass(frozen=True, slots=True)
class DCI:
    """The three scores over all numbers of both codes, and where importance lies."""

    disentanglement: Estimate
    completeness: Estimate
    informativeness: dict[str, Estimate]  # by factor: share right, or R²
    static_in_static: Estimate  # share of static factors' importance that the static code has
    dynamic_in_dynamic: Estimate


def dci(fit: CodedClips, held_out: CodedClips, data: Drawable, progress: Progress) -> DCI:
    """Fit a forest a factor on training identities, and score it on held-out ones."""
    few = CodedClips(fit.static_factors, fit.dynamic_factors[:, :FRAMES], fit.static, fit.dynamic[:, :FRAMES])
    codes, held_out_codes, clips = both_codes(few), both_codes(held_out), clip_of_frame(held_out)
    factors, held_out_factors = all_factors(data, few), all_factors(data, held_out)
    grown, read = [], {}
    for name in progress.track(list(factors), description="growing forests"):
        known, true = factors[name], held_out_factors[name]
        settings = {"n_estimators": TREES, "max_features": None, "min_samples_leaf": LEAF, "random_state": 0}
        if name in data.ranges:
            forest = RandomForestRegressor(**settings).fit(codes, known)
            read[name] = share_explained(forest.predict(held_out_codes).astype(np.float64), true, clips)
        else:
            forest = RandomForestClassifier(**settings).fit(codes, known)
            read[name] = share_right(forest.predict(held_out_codes), true, clips)
        grown.append([tree.feature_importances_ for tree in forest.estimators_])
    trees = np.array(grown).transpose(1, 2, 0)  # tree, number, factor
    drawn = weights(np.random.default_rng(0), TREES, ROUNDS) / TREES
    static, numbers = len(data.static_levels), fit.static.shape[1]

    def estimate(score: Callable[[Float[np.ndarray, "d k"]], float]) -> Estimate:
        return Estimate.centred(score(trees.mean(0)), np.array([score(np.tensordot(each, trees, 1)) for each in drawn]))

    return DCI(
        estimate(disentanglement),
        estimate(completeness),
        read,
        estimate(lambda part: share(part[:numbers, :static], part[:, :static])),
        estimate(lambda part: share(part[numbers:, static:], part[:, static:])),
    )


def disentanglement(importance: Float[np.ndarray, "d k"]) -> float:
    """D: how far each number keeps to one factor, weighted by how much it tells at all."""
    told = importance.sum(1)
    if told.sum() == 0:
        return 0.0
    kept = importance[told > 0] / told[told > 0, None]
    each = 1 - entropy(kept) / np.log(importance.shape[1])
    return float(told[told > 0] @ each / told.sum())


def completeness(importance: Float[np.ndarray, "d k"]) -> float:
    """C: how far each factor keeps to one number; 0 for a factor that no number tells."""
    told = importance.sum(0)
    each = np.zeros(len(told))
    kept = importance[:, told > 0] / told[told > 0]
    each[told > 0] = 1 - entropy(kept.T) / np.log(importance.shape[0])
    return float(each.mean())


def share(part: Float[np.ndarray, "part k"], whole: Float[np.ndarray, "d k"]) -> float:
    """How much of an importance lies in a part of the numbers; 0 where there is none at all."""
    return float(part.sum() / whole.sum()) if whole.sum() > 0 else 0.0
