"""The judge protocol by which the field compares models on Sprites, with every test clip scored.

A test clip is encoded; with its dynamic codes fixed and the static code drawn, a judge should still read its action
(Acc, and from the judge's probabilities H(y|x), H(y) and IS: `training.metrics.inception`); with its static code
fixed and the dynamic codes drawn, its skin, legs, shirt and hair. The other way round chance is what should be
read: static attributes of the clip in the first test, or its action in the second, are leaks.

As published, but for these things. What draws dynamic codes is a motion taught on these nine actions, as the prior of
every method that is compared was; a model's own motion has all movements of the sheets, of which the judge is taught
nine. Published loaders drop the last batch, so that 2560 or 2600 of the 2664 test clips are scored; here all are. The
static code is drawn as the model draws identities (`Disentangler.sample_static`), of a VAE from the Gaussian of its
training codes and not from N(0, I); roll-outs begin with codes that training clips begin with; and of the LPC sheets
one pair of trousers and one shirt are others than the published set's (`training.data.actions`). Each seed is one
pass with its own draws; the standard deviation over seeds is of this model's draws, not of trainings. And beside it
stand intervals over characters, which passes do not tell.

Source: C-DSVAE (Bai et al. 2021), its scripts for Sprites; SPYL (2023) and DBSE (2024) use the same. SKD draws
nothing but swaps clips of a batch, so its numbers do not compare.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from rich.progress import Progress
from torch import Tensor

from models.disentangler import Disentangler
from models.motion import Motion
from training.data.actions import ActionClips
from training.loop import seed_of
from training.metrics.bootstrap import Estimate, Score, mean_over_identities, weights
from training.metrics.clip_judge import ClipReading, ReadClips
from training.metrics.fixed import dynamic_fixed, pictures, static_fixed
from training.metrics.inception import intervals, scores
from training.metrics.swaps import encode

BATCH = 64  # clips made and read at once


@dataclass(frozen=True, slots=True)
class Judged:
    """What the judge reads in one kind of picture, held against the clip that was encoded."""

    accuracy: Score  # of the action, a share
    inception_score: Score
    conditional_entropy: Score  # H(y|x), nats
    marginal_entropy: Score  # H(y), nats
    static: dict[str, Score]  # share of clips by attribute
    static_mean: Score  # over attributes


@dataclass(frozen=True, slots=True)
class Protocol:
    """The protocol's two tests, and the judge's own reading of true clips and of reconstructions."""

    clips: int
    seeds: int
    drawn_by: str  # what draws dynamic codes: a "motion" of the clips' actions, or the "prior" of single frames
    dynamic_fixed: Judged
    static_fixed: Judged
    reconstructed: Judged
    true: Judged


def protocol(
    model: Disentangler,
    clips: ActionClips,
    read: ReadClips,
    seeds: int,
    progress: Progress,
    motion: Motion | None = None,
    seed: int = 21,
) -> Protocol:
    """Run both tests once a seed; dynamic codes are drawn by `motion`, or without one by the model's prior.

    Raises:
        ValueError: the family cannot draw static codes, or clips of the actions are not equally many.

    """
    codes, count = encode(model, clips.frames, progress), len(clips.action)
    dynamic, length = codes.dynamic.mean, clips.frames.shape[1]
    steps = -(-count // BATCH)
    task = progress.add_task("judging clips", total=(2 * seeds + 2) * steps)

    def reading(make: Callable[[slice], UInt8[Tensor, "n t c h w"]]) -> ClipReading:
        parts = []
        for first in range(0, count, BATCH):
            parts.append(read(make(slice(first, min(first + BATCH, count)))))
            progress.advance(task)
        return joined(parts)

    def done_by_others(who: torch.Generator, part: slice) -> UInt8[Tensor, "n t c h w"]:
        return dynamic_fixed(model, dynamic[part], who)

    def doing_else(what: torch.Generator, part: slice) -> UInt8[Tensor, "n t c h w"]:
        return static_fixed(model, motion, codes.static[part], length, what)

    passes: dict[str, list[ClipReading]] = {"dynamic_fixed": [], "static_fixed": []}
    for number in range(seeds):
        who, what = (torch.Generator().manual_seed(seed_of(seed, 2 * number + part)) for part in (0, 1))
        passes["dynamic_fixed"].append(reading(partial(done_by_others, who)))
        passes["static_fixed"].append(reading(partial(doing_else, what)))
    with torch.inference_mode():
        again = reading(lambda part: pictures(model, codes.static[part], dynamic[part]))
    return Protocol(
        count,
        seeds,
        "prior" if motion is None else "motion of the nine actions",
        judged(passes["dynamic_fixed"], clips),
        judged(passes["static_fixed"], clips),
        judged([again], clips),
        judged([reading(lambda part: clips.frames[part])], clips),
    )


def joined(parts: Sequence[ClipReading]) -> ClipReading:
    """The readings of several batches as one."""
    return ClipReading(
        np.concatenate([part.action for part in parts]),
        {name: np.concatenate([part.static[name] for part in parts]) for name in parts[0].static},
    )


def judged(passes: Sequence[ClipReading], clips: ActionClips) -> Judged:
    """Summarise what was read in each pass over the same clips."""
    probabilities = np.stack([part.action for part in passes])
    each = [asdict(scores(part, clips.action)) for part in probabilities]
    over = intervals(probabilities, clips.action, clips.identity)
    right = {
        name: np.stack([part.static[name] == clips.static[:, column] for part in passes])
        for column, name in enumerate(passes[0].static)
    }
    score = {name: Score.of([one[name] for one in each], estimate) for name, estimate in over.items()}
    return Judged(
        score["accuracy"],
        score["inception_score"],
        score["conditional_entropy"],
        score["marginal_entropy"],
        {name: share(part, clips) for name, part in right.items()},
        share(np.mean(list(right.values()), axis=0), clips),
    )


def share(right: Bool[np.ndarray, "passes n"] | Float[np.ndarray, "passes n"], clips: ActionClips) -> Score:
    """The share of clips that are read right."""
    each = np.bincount(clips.identity, right.mean(0)) / np.bincount(clips.identity)
    drawn = weights(np.random.default_rng(0), len(each))
    return Score.of(right.mean(1).tolist(), Estimate.of(each.mean(), mean_over_identities(each, drawn)))
