"""The pictures that every measure is about: a model's reconstructions and swaps of held-out identities, and the truth.

Protocol. Each of n held-out identities gives one clip of 8 frames that show scattered poses. The clip is encoded as a
whole. Its *reconstruction* decodes its own static code with its own dynamic codes. A *swap* decodes the static code
of another identity's clip, from equally many frames in other poses, with these dynamic codes; so the two differ in
the static code's source and in nothing else. The true picture of a swap is drawn. Identity m's motion is given to the
identities m + 1, m + 2, … of a circle, so every identity takes part equally often in each role. Posterior means are
decoded, nothing is sampled. Pictures are compared as they are served: 8 bits a channel.

Where most of a picture is ground, any measure is high for a model that draws hardly more than that. So beside each
stands what one picture for all gets, in which every pixel has its median over all true ones: the ground, of digits.
"""

from dataclasses import dataclass

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, Int, UInt8
from rich.progress import Progress
from torch import Tensor

from models.codes import Codes, DynamicCode, StaticCode
from models.compose import Transfer, transfer
from models.disentangler import Disentangler
from training.data.drawable import Drawable

CLIP_FRAMES = 8
BATCH = 16  # clips


@dataclass(frozen=True, slots=True)
class HeldOutClips:
    """Clips of identities that no training saw, with their true factors."""

    frames: UInt8[Tensor, "n t c h w"]
    static: Int[np.ndarray, "n f"]
    dynamic: Float[np.ndarray, "n t d"]


def held_out_clips(data: Drawable, num: int | None, seed: int, frames: int = CLIP_FRAMES) -> HeldOutClips:
    """One clip of scattered poses of each of `num` held-out identities."""
    static = data.identities("test", num)
    dynamic = data.motions(np.random.default_rng(seed), len(static), frames, "scattered")
    return HeldOutClips(data.draw(static, dynamic), static, dynamic)


def circle(num: int, partners: int) -> Int[np.ndarray, "p 2"]:
    """Every motion m with the appearances m + 1, …, m + partners, counted around a circle of `num`."""
    partners = min(partners, num - 1)
    return np.array([((m + step) % num, m) for step in range(1, partners + 1) for m in range(num)])


def as_floats(frames: UInt8[Tensor, "*n c h w"], device: torch.device) -> Float[Tensor, "*n c h w"]:
    """8-bit pictures as a model takes them."""
    return frames.to(device).float() / 255


def as_bytes(frames: Float[Tensor, "*n c h w"]) -> UInt8[Tensor, "*n c h w"]:
    """Pictures in [0, 1] as they are served."""
    return (frames.clamp(0, 1) * 255).round().to(torch.uint8).cpu()


@torch.inference_mode()
def encode(model: Disentangler, frames: UInt8[Tensor, "n t c h w"], progress: Progress) -> Codes:
    """The codes of many clips, in batches."""
    device, batches = next(model.parameters()).device, torch.split(frames, BATCH)
    bar = progress.track(batches, description="encoding")
    parts = [model.encode(as_floats(part, device)) for part in bar]
    return Codes(
        StaticCode.cat([part.static for part in parts]),
        DynamicCode(torch.cat([part.dynamic.mean for part in parts]), torch.cat([part.dynamic.std for part in parts])),
    )


def pick(static: StaticCode, index: Int[np.ndarray, " n"]) -> StaticCode:
    """The static codes of some clips, in any order, with repetition."""
    chosen = torch.from_numpy(index).to(static.mean.device)
    return StaticCode(static.mean[chosen], static.std[chosen], tuple(skip[chosen] for skip in static.skips))


@torch.inference_mode()
def decode_pairs(
    model: Disentangler, codes: Codes, pairs: Int[np.ndarray, "p 2"], how: Transfer, progress: Progress
) -> UInt8[Tensor, "p t c h w"]:
    """Decode every pair (appearance, motion); a clip paired with itself is its reconstruction."""
    pictures = []
    for rows in progress.track(np.array_split(pairs, max(len(pairs) // BATCH, 1)), description=f"decoding, {how}"):
        who, whose = pick(codes.static, rows[:, 0]), pick(codes.static, rows[:, 1])
        chosen = torch.from_numpy(rows[:, 1]).to(codes.dynamic.mean.device)
        moved = torch.stack(
            [
                transfer(model, dynamic, whose[i : i + 1], who[i : i + 1], how)
                for i, dynamic in enumerate(codes.dynamic.mean[chosen])
            ]
        )
        pictures.append(as_bytes(model.decode(who, moved)))
    return torch.cat(pictures)


def draw_pairs(
    data: Drawable, clips: HeldOutClips, pairs: Int[np.ndarray, "p 2"], progress: Progress
) -> UInt8[Tensor, "p t c h w"]:
    """The true picture of every pair (appearance, motion)."""
    rows = progress.track(np.array_split(pairs, max(len(pairs) // BATCH, 1)), description="drawing the truth")
    return torch.cat([data.draw(clips.static[part[:, 0]], clips.dynamic[part[:, 1]]) for part in rows])


def frame_psnr(made: UInt8[Tensor, "n t c h w"], true: UInt8[Tensor, "n t c h w"]) -> Float[np.ndarray, "n t"]:
    """PSNR of each frame in dB, from the mean squared error over pixels and channels; 100 dB stands for equal."""
    error = torch.stack(
        [((a.double() - b.double()) / 255).square().mean((1, 2, 3)) for a, b in zip(made, true, strict=True)]
    )
    psnr: np.ndarray = (-10 * torch.log10(error.clamp_min(1e-10))).numpy()
    return psnr


def constant(true: UInt8[Tensor, "n t c h w"]) -> UInt8[Tensor, "n t c h w"]:
    """One picture in place of all of these, each value of it their median."""
    return merge(true).median(0).values.expand_as(true)


def merge(frames: UInt8[Tensor, "n t c h w"]) -> UInt8[Tensor, "m c h w"]:
    """All frames of all clips on one axis."""
    return rearrange(frames, "n t c h w -> (n t) c h w")
