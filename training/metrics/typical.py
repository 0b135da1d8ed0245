"""Whether `fit` keeps its word: how often clips of a model's own kind are called typical, and how often others are."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from rich.progress import Progress
from torch import Tensor

from models.checkpoint import LoadedModel
from models.fit import fit
from training.data.face_clips import FaceClips
from training.data.pool import Clips
from training.metrics.bootstrap import Estimate, over_clips
from training.statistics import CUTS_OF_ONE, MAX_CLIPS, as_sent, cut_clip, scored

SEED = 12
OWN = "held-out clips"

Frames = Float[Tensor, "t c h w"]


@dataclass(frozen=True, slots=True)
class Typical:
    """The share of clips that are called typical, by kind; the model's own kind is held out."""

    shares: dict[str, Estimate]
    clips: int  # of each kind
    files: int  # that they are of


def foreign(own: Clips) -> dict[str, Callable[[Frames, torch.Generator], Frames]]:
    """Clips that the model does not know, each made in place of one of its own."""
    faces = FaceClips("test")

    def drawn(frames: Frames, generator: torch.Generator) -> Float[Tensor, "n c h w"]:
        return cut_clip(faces, int(torch.randint(len(faces), (), generator=generator)), generator)

    made: dict[str, Callable[[Frames, torch.Generator], Frames]] = {
        "upside down": lambda frames, _: frames.flip(-2),
        "in negative": lambda frames, _: 1 - frames,
        "noise": lambda frames, generator: torch.rand(frames.shape, generator=generator),
    }
    return made if isinstance(own, FaceClips) else made | {"drawn faces": drawn}


@torch.inference_mode()
def typical(
    loaded: LoadedModel,
    held_out: Clips,
    progress: Progress,
    count: int = 200,
    files: Int[np.ndarray, " clips"] | None = None,
) -> Typical:
    """Judge up to `count` held-out clips that the thresholds were not taken from, and as many of each foreign kind.

    They are other clips where there are enough, else other cuts of the same ones. Every other one has been through
    H.264. Intervals are 95 % bootstrap over clips, or over the `files` that these are of.
    """
    count = min(count, CUTS_OF_ONE * len(held_out))
    device = next(loaded.model.parameters()).device
    quantiles = loaded.statistics["fit"]
    kinds = foreign(held_out)
    called: dict[str, list[float]] = {name: [] for name in (OWN, *kinds)}
    generator = torch.Generator().manual_seed(SEED)
    for number in progress.track(range(count), description="judging what is typical"):
        own = cut_clip(held_out, MAX_CLIPS + number, generator)
        for name, change in {OWN: lambda frames, _: frames, **kinds}.items():
            score, _ = scored(loaded.model, as_sent(change(own, generator), number).to(device))
            called[name].append(float(bool(fit(score, quantiles).typical)))
    who = (MAX_CLIPS + np.arange(count)) % len(held_out)
    of = who if files is None else files[who]
    shares = {name: over_clips(np.array(values), of) for name, values in called.items()}
    return Typical(shares, count, len(set(of.tolist())))
