"""Which factors of a held code are kept while the other code is drawn from the model, read picture by picture.

The two tests of `training.metrics.fixed`, on the held-out clips of any data set that has a judge of pictures: with the
dynamic codes held, dynamic factors should be read as the clip's and static ones no more often than chance allows;
with the static code held, the other way round.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import UInt8
from rich.progress import Progress
from torch import Tensor

from models.codes import Codes
from models.disentangler import Disentangler
from training.data.drawable import Drawable
from training.loop import seed_of
from training.metrics.bootstrap import Score
from training.metrics.fixed import dynamic_fixed, static_fixed
from training.metrics.judge import Judge, Reading
from training.metrics.reading import Shares, shares
from training.metrics.swaps import BATCH, HeldOutClips, merge


@dataclass(frozen=True, slots=True)
class Kept:
    """By factor the share of pictures read as the clip that was encoded."""

    seeds: int
    drawn_by: str  # what draws dynamic codes: "motion", or the "prior" of single frames
    dynamic_fixed: dict[str, Score]
    static_fixed: dict[str, Score]


def kept(
    model: Disentangler,
    data: Drawable,
    judge: Judge,
    clips: HeldOutClips,
    codes: Codes,
    seeds: int,
    progress: Progress,
    seed: int = 22,
) -> Kept:
    """Draw the other code once a seed for every clip.

    Raises:
        ValueError: the family cannot draw static codes (DrNET with a U-Net).

    """
    count, length = clips.frames.shape[:2]
    made: dict[str, list[UInt8[Tensor, "n t c h w"]]] = {"dynamic": [], "static": []}
    for number in progress.track(range(seeds), description="drawing the other code"):
        who, what = (torch.Generator().manual_seed(seed_of(seed, 2 * number + part)) for part in (0, 1))
        parts = [slice(first, min(first + BATCH, count)) for first in range(0, count, BATCH)]
        made["dynamic"].append(torch.cat([dynamic_fixed(model, codes.dynamic.mean[part], who) for part in parts]))
        made["static"].append(
            torch.cat([static_fixed(model, model.motion, codes.static[part], length, what) for part in parts])
        )
    return Kept(
        seeds,
        "prior" if model.motion is None else "motion",
        *(scores(judge, data, clips, passes, held == "dynamic") for held, passes in made.items()),
    )


def scores(
    judge: Judge, data: Drawable, clips: HeldOutClips, passes: list[UInt8[Tensor, "n t c h w"]], posed: bool
) -> dict[str, Score]:
    """Shares over all passes, their deviation over passes, and intervals over identities.

    Pictures are `posed` where they show the clips' own motions; what drawn ones hide is read in the pictures.
    """
    count, length = clips.frames.shape[:2]
    themselves = np.stack([np.arange(count)] * 2, axis=1)

    def told(frames: UInt8[Tensor, "n t c h w"]) -> Shares:
        times = frames.shape[1] // length
        static = np.repeat(clips.static, frames.shape[1], axis=0)
        dynamic = np.tile(clips.dynamic, (1, times, 1)).reshape(len(static), -1)
        reading: Reading = judge.read(merge(frames))
        return shares(reading, data, static, dynamic, themselves, posed)

    each = [told(part).intervals for part in passes]
    together = told(torch.cat(passes, dim=1)).intervals
    return {name: Score.of([one[name].value for one in each], interval) for name, interval in together.items()}
