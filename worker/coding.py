"""From clips to codes and back: what each kind of job computes, without queue, store or file.

The same functions serve the worker and `twofold --local`; `report(stage, share)` is called between steps and may raise
to stop.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from einops import rearrange, reduce, repeat
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from jobs.errors import GpuOutOfMemory, TooManyFrames, WrongValue
from models.checkpoint import LoadedModel
from models.codes import Codes, DynamicCode, StaticCode
from models.compose import Transfer, as_pictures, transfer
from models.disentangler import Disentangler
from models.fit import Fit, fit
from models.plane import Plane, Spacing, active_dims, latent_grid
from worker.media import Chunk
from worker.meter import measured, measured_each

CHUNK = 64  # frames through the network at a time

Report = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class EncodedClip:
    """A clip and its codes, both ways; tensors are on the CPU and the batch axis is 1."""

    timestamps: Float[np.ndarray, " t"]
    frames: UInt8[np.ndarray, "t h w 3"]
    reconstruction: UInt8[np.ndarray, "t h w 3"]
    codes: Codes
    fit: Fit

    @property
    def fps(self) -> float | None:
        """Frames per second, on average; None for a single frame."""
        return average_rate(self.timestamps)

    @property
    def middle(self) -> UInt8[np.ndarray, "h w 3"]:
        """The frame that stands for the clip in pictures."""
        picture: UInt8[np.ndarray, "h w 3"] = self.frames[len(self.frames) // 2]
        return picture


@dataclass(frozen=True, slots=True)
class SwappedClips:
    """Every static source doing every dynamic source's motion."""

    statics: tuple[EncodedClip, ...]
    motions: tuple[EncodedClip, ...]
    transfer: Transfer
    frames: UInt8[np.ndarray, "a m t h w 3"]  # shorter motions hold their last frame
    lengths: Int[np.ndarray, " m"]


@dataclass(frozen=True, slots=True)
class DrawnPlane:
    """The dynamic plane of one identity."""

    frames: UInt8[np.ndarray, "row column h w 3"]
    coordinates: Float[np.ndarray, "row column z"]
    plane: Plane
    middle: Float[np.ndarray, " z"]  # where the axes begin: the prior's mean for this identity


def average_rate(timestamps: Float[np.ndarray, " t"]) -> float | None:
    """Return the frames per second that the timestamps average to; None where they tell none."""
    span = float(timestamps[-1] - timestamps[0]) if len(timestamps) > 1 else 0.0
    return round((len(timestamps) - 1) / span, 3) if span > 0 else None


def to_frames(pictures: UInt8[np.ndarray, "t h w 3"], model: Disentangler, device: str) -> Float[Tensor, "t c h w"]:
    """Return 8-bit pictures as the model takes them: floats in [0, 1], gray where it knows no colour."""
    frames = rearrange(torch.from_numpy(pictures).to(device), "t h w c -> t c h w").float() / 255
    return frames if model.channels == 3 else reduce(frames, "t c h w -> t 1 h w", "mean")


def to_pictures(frames: Float[Tensor, "t c h w"]) -> UInt8[np.ndarray, "t h w 3"]:
    """Return a model's frames as 8-bit RGB."""
    pictures = as_pictures(frames)
    return pictures if pictures.shape[-1] == 3 else repeat(pictures, "t h w 1 -> t h w c", c=3)


@torch.inference_mode()
def encode_clip(loaded: LoadedModel, chunks: Iterable[Chunk], device: str, report: Report) -> EncodedClip:
    """Encode a clip as it is being decoded, and decode its codes again to see how well they fit."""
    model = loaded.model
    features: list[Tensor] = []
    pictures: list[UInt8[np.ndarray, "n h w 3"]] = []
    timestamps: list[Float[np.ndarray, " n"]] = []
    report("decoding", 0.0)
    for chunk in measured_each("decode", chunks):
        features.append(in_parts(model.features, to_frames(chunk.frames, model, device)))
        pictures.append(chunk.frames)
        timestamps.append(chunk.timestamps)
        report("encoding", 0.6 * chunk.position)
    frames = np.concatenate(pictures)
    with measured("forward"):
        codes = on_cpu(
            model.codes(torch.cat(features), lambda number: to_frames(frames[number : number + 1], model, device)[0])
        )
    features.clear()
    report("reconstructing", 0.65)
    reconstruction = decode_motion(loaded, codes.static, codes.dynamic.mean[0], device)
    report("reconstructing", 0.9)
    judged = judge(loaded, frames, reconstruction, codes, device)
    return EncodedClip(np.concatenate(timestamps), frames, to_pictures(reconstruction), codes, judged)


def decode_motion(
    loaded: LoadedModel, static: StaticCode, dynamic: Float[Tensor, "t z"], device: str
) -> Float[Tensor, "t c h w"]:
    """Return one identity doing one motion of any length, on the CPU."""
    model, who = loaded.model, static.to(device)
    return in_parts(lambda part: model.decode(who, part[None])[0], dynamic.to(device)).cpu()


def judge(
    loaded: LoadedModel,
    pictures: UInt8[np.ndarray, "t h w 3"],
    reconstruction: Float[Tensor, "t c h w"],
    codes: Codes,
    device: str,
) -> Fit:
    """Say how like the model's training data a clip is."""
    model = loaded.model
    there = Codes(codes.static.to(device), DynamicCode(codes.dynamic.mean.to(device), codes.dynamic.std.to(device)))
    scores = model.score(to_frames(pictures, model, device), reconstruction.to(device), there)
    return fit(scores, loaded.statistics.get("fit", {}))


@torch.inference_mode()
def swap_clips(
    loaded: LoadedModel,
    statics: Sequence[EncodedClip],
    motions: Sequence[EncodedClip],
    how: Transfer,
    device: str,
    report: Report,
    most_frames: int,
) -> SwappedClips:
    """Show every static source doing every dynamic source's motion.

    Raises:
        TooManyFrames: all pictures together are more than `most_frames`.

    """
    model = loaded.model
    lengths = np.array([len(motion.frames) for motion in motions])
    longest, pairs = int(lengths.max()), len(statics) * len(motions)
    if pairs * longest > most_frames:
        raise TooManyFrames(
            f"{len(statics)} x {len(motions)} swaps of {longest} frames are {pairs * longest} pictures; at most "
            f"{most_frames} are made at once: take fewer sources, or encode shorter clips and swap those"
        )
    size = model.image_size
    frames = np.empty((len(statics), len(motions), longest, size, size, 3), np.uint8)
    for done, (a, m) in enumerate(np.ndindex(len(statics), len(motions))):
        report("swapping", 0.6 + 0.3 * done / pairs)
        source, target = motions[m].codes.static.to(device), statics[a].codes.static.to(device)
        moved = transfer(model, motions[m].codes.dynamic.mean[0].to(device), source, target, how)
        frames[a, m, : lengths[m]] = to_pictures(decode_motion(loaded, target, moved, device))
        frames[a, m, lengths[m] :] = frames[a, m, lengths[m] - 1]
    return SwappedClips(tuple(statics), tuple(motions), how, frames, lengths)


@torch.inference_mode()
def draw_plane(
    loaded: LoadedModel, static: StaticCode, size: int, dims: str, extent: float, spacing: Spacing, device: str
) -> DrawnPlane:
    """Decode the plane of two dynamic dimensions, or of the principal axes, of one identity.

    Raises:
        WrongValue: the model has not the dimensions that were asked for.

    """
    model, who = loaded.model, static.to(device)
    plane = chosen_plane(loaded, who, dims)
    with measured("forward", frames=size * size):
        pictures, coordinates = latent_grid(model, who, plane, size, extent, spacing, CHUNK)
    colour = pictures if pictures.shape[-1] == 3 else repeat(pictures, "r k h w 1 -> r k h w c", c=3)
    return DrawnPlane(colour, coordinates, plane, model.prior(who).mean[0].float().cpu().numpy())


def chosen_plane(loaded: LoadedModel, static: StaticCode, dims: str) -> Plane:
    """Return the plane that `dims` names.

    `auto` takes the two most active dimensions; where codes have length 1 no dimension moves alone, so it takes the
    principal axes.
    """
    told = loaded.statistics.get("dynamic", {}).get("axes")
    if dims == "principal" or (dims == "auto" and told and loaded.model.dynamic_range == "unit"):
        try:
            return Plane.of_principal_axes(loaded.statistics, static.mean.device)
        except ValueError as error:
            raise WrongValue.for_field("dims", f"{loaded.name}: {error}") from error
    return Plane.of_dims(loaded.model, static, chosen_dims(loaded, dims))


def chosen_dims(loaded: LoadedModel, dims: str) -> tuple[int, int]:
    """Return the two dimensions that `dims` names, `auto` being the most active ones."""
    has = loaded.model.dynamic_dim
    if has < 2:
        raise WrongValue.for_field("dims", f"a plane needs 2 dynamic dimensions, {loaded.name} has {has}")
    if dims == "auto":
        return active_dims(loaded.statistics, has)
    first, second = (int(part) for part in dims.split(","))
    if max(first, second) >= has:
        raise WrongValue.for_field("dims", f"expected two of 0 to {has - 1}, which {loaded.name} has, got {dims}")
    return first, second


def draw_identity(loaded: LoadedModel, seed: int) -> StaticCode:
    """Return a static code from the prior; the same seed gives the same one on every machine.

    Raises:
        WrongValue: this model's static codes cannot be sampled.

    """
    return draw_identities(loaded, 1, torch.Generator().manual_seed(seed))


def draw_identities(loaded: LoadedModel, num: int, generator: torch.Generator) -> StaticCode:
    """Return static codes from the prior.

    Raises:
        WrongValue: this model's static codes cannot be sampled.

    """
    try:
        return loaded.model.sample_static(num, generator).to("cpu")
    except ValueError as error:
        raise WrongValue.for_field(
            "seed", f"{loaded.name} cannot draw an identity: {error}; name an encode as static_job"
        ) from error


def in_parts(run: Callable[[Tensor], Tensor], inputs: Tensor, part: int = CHUNK) -> Tensor:
    """Run on a part of the rows at a time; on smaller ones where the GPU's memory is too small.

    Raises:
        GpuOutOfMemory: a single row is too much.

    """
    outputs: list[Tensor] = []
    at = 0
    while at < len(inputs):
        try:
            rows = inputs[at : at + part]
            with measured("forward", frames=len(rows), batch=True):
                outputs.append(run(rows))
                if outputs[-1].is_cuda:
                    torch.cuda.synchronize()  # until then the GPU has only been told what to do
        except torch.cuda.OutOfMemoryError as error:
            if part == 1:
                raise GpuOutOfMemory("the GPU has no room for a single frame; try again later") from error
            torch.cuda.empty_cache()
            part //= 2
            continue
        at += part
    return torch.cat(outputs)


def on_cpu(codes: Codes) -> Codes:
    """Return codes without holding on to the device they were made on."""
    return Codes(codes.static.to("cpu"), DynamicCode(codes.dynamic.mean.cpu(), codes.dynamic.std.cpu()))
