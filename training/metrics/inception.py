"""What a judge's probabilities say of clips as a whole: accuracy, Inception Score and the two entropies behind it.

With p(y|x) the judge's probabilities for clip x, and p(y) their mean over a class-balanced set of clips:

    H(y|x) = mean of −Σ_y p(y|x) ln p(y|x)      the judge is sure: low is good   (papers: inter-entropy)
    H(y)   = −Σ_y p(y) ln p(y)                  all classes are made: high is good (papers: intra-entropy)
    IS     = exp(mean of KL(p(y|x) ‖ p(y))) = exp(H(y) − H(y|x))

Natural logarithms, so with k classes H(y) is at most ln k and IS at most k.

Source: Salimans et al. 2016 (arXiv:1606.03498), §4, for IS; the four together as the field reports them since
Bai et al. 2021 (C-DSVAE).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from training.metrics.bootstrap import Estimate, mean_over_identities, weights


@dataclass(frozen=True, slots=True)
class Scores:
    """The four numbers of one set of judged clips."""

    accuracy: float  # share of clips whose most likely class is the true one
    inception_score: float
    conditional_entropy: float  # H(y|x), nats
    marginal_entropy: float  # H(y), nats


def entropy(p: Float[np.ndarray, "*n k"]) -> Float[np.ndarray, "*n"]:
    """−Σ p ln p over the last axis, in nats; 0 ln 0 is 0."""
    logs = np.log(np.where(p > 0, p, 1.0))
    return np.asarray(-(p * logs).sum(-1))


def scores(probabilities: Float[np.ndarray, "n k"], truth: Int[np.ndarray, " n"]) -> Scores:
    """The scores of clips whose true classes are balanced.

    Raises:
        ValueError: the classes of `truth` do not occur equally often, so p(y) would not be what papers report.

    """
    counts = np.bincount(truth, minlength=probabilities.shape[1])
    if counts.min() != counts.max():
        raise ValueError(f"the clips of each class must be equally many, got {counts.tolist()}")
    conditional, marginal = float(entropy(probabilities).mean()), float(entropy(probabilities.mean(0)))
    right = float((probabilities.argmax(1) == truth).mean())
    return Scores(right, float(np.exp(marginal - conditional)), conditional, marginal)


def intervals(
    probabilities: Float[np.ndarray, "passes n k"],
    truth: Int[np.ndarray, " n"],
    identity: Int[np.ndarray, " n"],
    seed: int = 0,
) -> dict[str, Estimate]:
    """Each score's mean over passes with a 95 % interval over identities, of which all clips and passes go together."""
    found = [scores(each, truth) for each in probabilities]
    members = np.eye(identity.max() + 1)[identity].T / np.bincount(identity)[:, None]
    right = members @ (probabilities.argmax(2) == truth).mean(0)
    conditional = members @ entropy(probabilities).mean(0)
    drawn = weights(np.random.default_rng(seed), len(members))
    marginal = np.mean([entropy(drawn @ (members @ each) / len(members)) for each in probabilities], axis=0)
    unsure = mean_over_identities(conditional, drawn)

    def mean(name: str) -> float:
        return float(np.mean([getattr(each, name) for each in found]))

    return {
        "accuracy": Estimate.of(mean("accuracy"), mean_over_identities(right, drawn)),
        "inception_score": Estimate.centred(mean("inception_score"), np.exp(marginal - unsure)),
        "conditional_entropy": Estimate.of(mean("conditional_entropy"), unsure),
        "marginal_entropy": Estimate.centred(mean("marginal_entropy"), marginal),
    }
