"""Futures: the frames that follow the first ones of a clip, by the model's motion."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from jobs.errors import TooFewFrames
from models.checkpoint import LoadedModel
from models.codes import Codes, DynamicCode
from models.compose import predict
from worker.coding import EncodedClip, Report, average_rate, decode_motion, encode_clip, to_pictures
from worker.imagined import FPS
from worker.media import Chunk
from worker.meter import measured


@dataclass(frozen=True, slots=True)
class Future:
    """What a model was shown of a clip, and what it expects next: once, or in several samples."""

    seen: EncodedClip  # the observed frames alone
    seed: int | None  # none is the likeliest future
    frames: UInt8[np.ndarray, "n t h w 3"]  # the observed ones as the model makes them, then the predicted ones
    dynamic: Float[Tensor, "n t z"]

    @property
    def observed(self) -> int:
        """How many frames are not predicted."""
        return len(self.seen.frames)

    @property
    def fps(self) -> float:
        """The rate of the clip; where its frames tell none, that of all that has no time of its own."""
        return average_rate(self.seen.timestamps) or FPS

    @property
    def timestamps(self) -> Float[np.ndarray, " t"]:
        """The observed frames' own times, and then one frame after the other at the clip's rate."""
        ahead = np.arange(1, self.frames.shape[1] - self.observed + 1) / self.fps
        return np.concatenate([self.seen.timestamps, self.seen.timestamps[-1] + ahead])


def first_frames(loaded: LoadedModel, clip: EncodedClip, count: int, device: str, report: Report) -> EncodedClip:
    """Return the first frames of an encoded clip as a clip of their own: later ones must not tell what comes.

    Raises:
        TooFewFrames: it has not as many.

    """
    if len(clip.frames) < count:
        raise TooFewFrames(
            f"{count} frames were to be observed, and {len(clip.frames)} came: send a longer clip, or say a smaller "
            "observe"
        )
    if len(clip.frames) == count:
        return clip
    return encode_clip(loaded, [Chunk(clip.frames[:count], clip.timestamps[:count], 1.0)], device, report)


@torch.inference_mode()
def foresee(
    loaded: LoadedModel, seen: EncodedClip, frames: int, samples: int, seed: int | None, device: str, report: Report
) -> Future:
    """Continue a clip by its likeliest future, or with a seed by sampled ones."""
    there = seen.codes.dynamic.mean.to(device), seen.codes.dynamic.std.to(device)
    codes = Codes(seen.codes.static.to(device), DynamicCode(*there))
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    report("predicting", 0.6)
    with measured("forward"):
        ahead = predict(loaded.model, codes, frames, samples, generator).cpu()
    observed = len(seen.frames)
    pictures = np.empty((samples, observed + frames, *seen.frames.shape[1:]), np.uint8)
    pictures[:, :observed] = seen.reconstruction
    for number, future in enumerate(ahead):
        report("drawing", 0.6 + 0.3 * number / samples)
        pictures[number, observed:] = to_pictures(decode_motion(loaded, seen.codes.static, future, device))
    past = seen.codes.dynamic.mean.expand(samples, -1, -1)
    return Future(seen, seed, pictures, torch.cat([past, ahead], dim=1))
