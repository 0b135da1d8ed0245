"""Clips that nobody filmed: identities and motions from the prior, paths between codes, pictures of given codes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from jobs.errors import WrongValue
from models.checkpoint import LoadedModel
from models.codes import StaticCode
from models.compose import Part, interpolate, sample_motion
from worker.coding import EncodedClip, Report, decode_motion, draw_identities, in_parts, to_pictures

FPS = 12.5  # frames a second of what has no time of its own: the rate that the drawn training clips have


@dataclass(frozen=True, slots=True)
class Imagined:
    """Clips of equal length and the codes they were made of."""

    frames: UInt8[np.ndarray, "n t h w 3"]
    static: Float[Tensor, "who s"]  # of each clip, or, on a path, of each frame
    dynamic: Float[Tensor, "n t z"]


@torch.inference_mode()
def sample_clips(
    loaded: LoadedModel,
    static: StaticCode | None,
    seed: int,
    identities: int,
    frames: int,
    device: str,
    report: Report,
) -> Imagined:
    """Draw identities and a motion of each; or, where `static` is given, as many motions of that one.

    Raises:
        WrongValue: this model's static codes cannot be sampled.

    """
    generator = torch.Generator().manual_seed(seed)
    who = StaticCode.cat([static] * identities) if static else draw_identities(loaded, identities, generator)
    dynamic = sample_motion(loaded.model, who.to(device), frames, generator).cpu()
    pictures = []
    for number, motion in enumerate(dynamic):
        report("drawing", 0.1 + 0.8 * number / identities)
        pictures.append(to_pictures(decode_motion(loaded, who[number : number + 1], motion, device)))
    return Imagined(np.stack(pictures), who.mean, dynamic)


@torch.inference_mode()
def walk(
    loaded: LoadedModel, ends: Sequence[tuple[EncodedClip, int]], steps: int, part: Part, device: str, report: Report
) -> Imagined:
    """Go from the codes of one frame to those of another in equal steps.

    Raises:
        WrongValue: a clip has not the frame that its end names.

    """
    for place, (clip, frame) in enumerate(ends):
        if frame >= len(clip.frames):
            has = len(clip.frames)
            raise WrongValue.for_field(
                f"ends.{place}.frame", f"expected 0 to {has - 1}, got {frame}: the clip has {has} frames"
            )
    (first, here), (last, there) = ends
    static, dynamic, who = interpolate(
        loaded.model,
        (first.codes.static.to(device), last.codes.static.to(device)),
        (first.codes.dynamic.mean[0, here].to(device), last.codes.dynamic.mean[0, there].to(device)),
        steps,
        part,
    )
    report("drawing", 0.3)

    def drawn(rows: Tensor) -> Tensor:
        at = slice(int(rows[0]), int(rows[-1]) + 1)
        return loaded.model.decode(StaticCode.cat(who[at]), dynamic[at, None])[:, 0]

    pictures = to_pictures(in_parts(drawn, torch.arange(steps)).cpu())
    return Imagined(pictures[None], static.cpu(), dynamic.cpu()[None])


@torch.inference_mode()
def draw_codes(
    loaded: LoadedModel,
    static: StaticCode | Sequence[float],
    dynamic: Sequence[Sequence[float]],
    device: str,
    report: Report,
) -> Imagined:
    """Make the pictures of one identity, an encode's or a vector, doing each of the dynamic codes.

    Raises:
        WrongValue: the decoder needs more of an identity than a vector.

    """
    if not isinstance(static, StaticCode):
        if loaded.model.needs_maps:
            raise WrongValue.for_field(
                "static",
                f"the decoder of {loaded.name} needs maps of a real frame beside the vector; name a finished encode as "
                "static_job, whose identity has them",
            )
        vector = torch.tensor([static], dtype=torch.float32)
        static = StaticCode(vector, torch.zeros_like(vector))
    codes = torch.tensor(dynamic, dtype=torch.float32)
    report("drawing", 0.1)
    pictures = to_pictures(decode_motion(loaded, static, codes, device))
    return Imagined(pictures[None], static.mean, codes[None])
