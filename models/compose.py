"""What codes are for, written once for all families: transfer, swap, a path, futures, motions of nobody."""

from typing import Literal

import numpy as np
import torch
from einops import repeat
from jaxtyping import Float, UInt8
from torch import Tensor

from models.codes import Codes, StaticCode
from models.disentangler import Disentangler, decode_in_chunks
from models.motion import in_range

Transfer = Literal["raw", "prior"]


def as_pictures(frames: Float[Tensor, "*n c h w"]) -> UInt8[np.ndarray, "*n h w c"]:
    """Frames in [0, 1] as 8-bit pictures, channels last."""
    rounded = (frames.clamp(0, 1) * 255).round().to(torch.uint8).cpu().numpy()
    pictures: np.ndarray = np.moveaxis(rounded, -3, -1)
    return np.ascontiguousarray(pictures)


@torch.inference_mode()
def transfer(
    model: Disentangler,
    dynamic: Float[Tensor, "t z"],
    source: StaticCode,
    target: StaticCode,
    how: Transfer,
) -> Float[Tensor, "t z"]:
    """The dynamic codes of `source` as `target` would have them; each static code is of one clip.

    "raw" moves them as they are. "prior" moves the standardised ones, since the prior of the dynamic
    code depends on who moves: e = (z − μ_p(f_source)) / σ_p(f_source), z' = μ_p(f_target) + σ_p(f_target) e.
    """
    if how == "raw":
        return dynamic
    here, there = model.prior(source), model.prior(target)
    return there.mean + there.std * (dynamic - here.mean) / here.std


@torch.inference_mode()
def swap(
    model: Disentangler, static: StaticCode, motion: Codes, how: Transfer = "raw", chunk: int = 64
) -> UInt8[np.ndarray, "t h w c"]:
    """Who `static` shows, doing what the one clip of `motion` does."""
    moved = transfer(model, motion.dynamic.mean[0], motion.static, static, how)
    return as_pictures(decode_in_chunks(model, static, moved, chunk))


Part = Literal["dynamic", "static", "both"]


@torch.inference_mode()
def interpolate(
    model: Disentangler,
    statics: tuple[StaticCode, StaticCode],
    dynamics: tuple[Float[Tensor, " z"], Float[Tensor, " z"]],
    steps: int,
    part: Part,
) -> tuple[Float[Tensor, "steps s"], Float[Tensor, "steps z"], list[StaticCode]]:
    """The path of `steps` equal steps from one pair of codes to another, both ends included.

    It goes the shortest way and not as the motion would: a motion is taught what comes next, and knows no aim to
    arrive at, while both papers show such paths as straight ones.

    `part` says which code goes; the other one stays as it is at the first end. Returns the static codes, the
    dynamic ones, and the static codes as `decode` takes them. Codes of length 1 go along the sphere, others
    straight. Maps beside a static code (DrNET's U-Net) are mixed in the same shares.
    """
    shares = torch.linspace(0, 1, steps, device=dynamics[0].device)
    stay = torch.zeros_like(shares)
    dynamic = path(*dynamics, shares if part != "static" else stay, unit=model.dynamic_range == "unit")
    who = shares if part != "dynamic" else stay
    first, second = statics
    means = path(first.mean[0], second.mean[0], who, unit=model.unit_static)
    mixed = [
        StaticCode(
            mean[None],
            torch.lerp(first.std, second.std, share),
            tuple(torch.lerp(a, b, share) for a, b in zip(first.skips, second.skips, strict=True)),
        )
        for mean, share in zip(means, who, strict=True)
    ]
    return means, dynamic, mixed


def path(
    first: Float[Tensor, " z"], second: Float[Tensor, " z"], shares: Float[Tensor, " n"], unit: bool
) -> Float[Tensor, "n z"]:
    """Codes at these shares of the way: straight, or of length 1 along the great circle (opposite ends go straight)."""
    straight = torch.lerp(first, second, shares[:, None])
    if not unit:
        return straight
    angle = torch.arccos((first @ second).clamp(-1, 1))
    if angle.sin() < 1e-4:
        return torch.nn.functional.normalize(straight, dim=-1)
    weights = torch.stack([torch.sin((1 - shares) * angle), torch.sin(shares * angle)], dim=1) / angle.sin()
    return weights @ torch.stack([first, second])


@torch.inference_mode()
def predict(
    model: Disentangler,
    observed: Codes,
    frames: int,
    samples: int = 1,
    generator: torch.Generator | None = None,
) -> Float[Tensor, "samples frames z"]:
    """The dynamic codes of the next frames of the one observed clip, by the model's motion.

    Without a generator every code is the mean given those before it, the paper's, or of a mixture that of its heaviest
    component: one future, the likeliest step by step. With one, futures are sampled.

    Raises:
        ValueError: the model has no motion, or several futures are asked for without a generator.

    """
    motion = model.taught_motion()
    if samples > 1 and generator is None:
        raise ValueError(f"the likeliest future is one; {samples} different ones are samples and need a generator")
    dynamic = repeat(observed.dynamic.mean[0], "t z -> n t z", n=samples)
    static = repeat(observed.static.mean[0], "s -> n s", n=samples)
    return motion.roll_out(dynamic, static, frames, generator)


@torch.inference_mode()
def sample_motion(
    model: Disentangler, static: StaticCode, frames: int, generator: torch.Generator
) -> Float[Tensor, "b frames z"]:
    """A motion of each identity: the first frame as movements begin, the others by the model's motion.

    A motion that keeps no beginnings starts from the model's prior. Without a motion model the frames are
    independent, as they are in the unordered VAE's generative story.
    """
    if model.motion is None:
        return sample_frames(model, static, frames, generator)
    began = model.motion.begin(len(static), generator)
    first = sample_frames(model, static, 1, generator) if began is None else began[:, None]
    if frames == 1:
        return first
    return torch.cat([first, model.motion.roll_out(first, static.mean, frames - 1, generator)], dim=1)


@torch.inference_mode()
def sample_frames(
    model: Disentangler, static: StaticCode, frames: int, generator: torch.Generator
) -> Float[Tensor, "b frames z"]:
    """Dynamic codes of each identity, every one drawn by itself from the model's prior p(z|f)."""
    prior = model.prior(static)
    noise = torch.randn(len(static), frames, model.dynamic_dim, generator=generator)
    return in_range(model.dynamic_range, prior.mean[:, None] + prior.std[:, None] * noise.to(prior.mean))
