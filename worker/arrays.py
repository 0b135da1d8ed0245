"""Results as data: `npz` archives (pictures uint8 RGB, channels last; codes float32) and JSON, and codes read back."""

import io
import json
import zipfile
from dataclasses import asdict
from typing import Any, BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray

from jobs.errors import WrongValue
from models.checkpoint import LoadedModel
from models.codes import Codes, DynamicCode, StaticCode
from models.fit import Fit
from worker.coding import DrawnPlane, EncodedClip, SwappedClips
from worker.futures import Future
from worker.imagined import FPS, Imagined

SKIP = "skip_"  # arrays of a family whose decoder needs more than the vector


def npz(arrays: dict[str, NDArray[Any]]) -> bytes:
    """Return a compressed archive of arrays, without pickles."""
    buffer = io.BytesIO()
    # numpy's own writer offers no level; 1 is four times as fast as its 6, and video hardly shrinks further.
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, array in arrays.items():
            # A fixed date: equal results are equal bytes, and so one artifact.
            with archive.open(_entry(name), "w", force_zip64=True) as file:
                np.lib.format.write_array(file, array, allow_pickle=False)
    return buffer.getvalue()


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(f"{name}.npy")
    entry.compress_type = zipfile.ZIP_DEFLATED  # an entry with its own date forgets the archive's method
    return entry


def encode_arrays(clip: EncodedClip, loaded: LoadedModel) -> dict[str, NDArray[Any]]:
    """Return every array of an encode, and what a later swap must know: whose codes they are and how well they fit."""
    static, dynamic = clip.codes.static, clip.codes.dynamic
    skips = {f"{SKIP}{i}": skip[0].numpy() for i, skip in enumerate(static.skips)}
    return {
        "static": static.mean[0].numpy(),
        "static_std": static.std[0].numpy(),
        "dynamic": dynamic.mean[0].numpy(),
        "dynamic_std": dynamic.std[0].numpy(),
        "timestamps": clip.timestamps,
        "frames": clip.frames,
        "reconstruction": clip.reconstruction,
        **skips,
        "digest": np.array(loaded.digest),
        "fit": np.array(json.dumps(fit_json(clip.fit))),
    }


def read_codes(file: BinaryIO, loaded: LoadedModel) -> EncodedClip:
    """Return a finished encode from its `npz`, with the fit that it had.

    Raises:
        WrongValue: the codes are another model's.

    """
    with np.load(file, allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    made_by = str(arrays["digest"])
    if made_by != loaded.digest:
        raise WrongValue(
            f"these codes were made by the model {made_by[:19]}…, and {loaded.name} is {loaded.digest[:19]}…: codes "
            "mean nothing to another model; encode the clip with this one"
        )
    tensors = {name: torch.from_numpy(value)[None] for name, value in arrays.items() if value.dtype.kind in "fu"}
    skips = tuple(tensors[name] for name in sorted(tensors) if name.startswith(SKIP))
    codes = Codes(
        StaticCode(tensors["static"], tensors["static_std"], skips),
        DynamicCode(tensors["dynamic"], tensors["dynamic_std"]),
    )
    said = json.loads(str(arrays["fit"]))
    return EncodedClip(arrays["timestamps"], arrays["frames"], arrays["reconstruction"], codes, Fit(**said))


def swap_arrays(swapped: SwappedClips) -> dict[str, NDArray[Any]]:
    """Return every array of a swap, its sources among them; motions shorter than the longest hold their last frame."""
    last = int(swapped.lengths.argmax())
    held = [np.minimum(np.arange(swapped.lengths[last]), length - 1) for length in swapped.lengths]
    motions = list(zip(swapped.motions, held, strict=True))
    return {
        "frames": swapped.frames,
        "lengths": swapped.lengths.astype(np.int64),
        "static": np.stack([clip.codes.static.mean[0].numpy() for clip in swapped.statics]),
        "dynamic": np.stack([clip.codes.dynamic.mean[0].numpy()[frames] for clip, frames in motions]),
        "appearances": np.stack([clip.middle for clip in swapped.statics]),
        "motions": np.stack([clip.frames[frames] for clip, frames in motions]),
        "timestamps": swapped.motions[last].timestamps,
    }


def plane_arrays(plane: DrawnPlane) -> dict[str, NDArray[Any]]:
    """Return every array of a latent grid."""
    return {"frames": plane.frames, "coordinates": plane.coordinates}


def imagined_arrays(made: Imagined, several: bool) -> dict[str, NDArray[Any]]:
    """Return the frames and the codes of imagined clips; of the one clip that a path or given codes make, plainly."""
    frames, static, dynamic = made.frames, made.static.numpy(), made.dynamic.numpy()
    if not several:
        # A path has a static code a frame, given codes have one for all.
        frames, static, dynamic = frames[0], static if len(static) > 1 else static[0], dynamic[0]
    return {"frames": frames, "static": static, "dynamic": dynamic}


def future_arrays(future: Future) -> dict[str, NDArray[Any]]:
    """Return every array of a prediction, without the axis of samples where there is one."""
    one = len(future.frames) == 1
    dynamic = future.dynamic.numpy()
    return {
        "frames": future.frames[0] if one else future.frames,
        "static": future.seen.codes.static.mean[0].numpy(),
        "dynamic": dynamic[0] if one else dynamic,
        "timestamps": future.timestamps,
        "observed": np.array(future.observed),
    }


def to_json(answer: dict[str, Any]) -> bytes:
    """Return JSON without NaN, which JSON has not."""
    return json.dumps(answer, allow_nan=False, separators=(",", ":")).encode()


def fit_json(fit: Fit) -> dict[str, Any]:
    """Return a fit as the API states it; what is not a finite number is null."""
    return {name: _number(value) for name, value in asdict(fit).items()}


def encode_json(clip: EncodedClip, loaded: LoadedModel) -> dict[str, Any]:
    """Return an encode's answer."""
    static, dynamic = clip.codes.static, clip.codes.dynamic
    return {
        "model": loaded.name,
        "digest": loaded.digest,
        "frames": len(clip.frames),
        "fps": clip.fps,
        "timestamps": [round(float(time), 6) for time in clip.timestamps],
        "static": _rounded(static.mean[0].numpy()),
        "static_std": _rounded(static.std[0].numpy()),
        "dynamic": _rounded(dynamic.mean[0].numpy()),
        "dynamic_std": _rounded(dynamic.std[0].numpy()),
        "fit": fit_json(clip.fit),
    }


def swap_json(swapped: SwappedClips, loaded: LoadedModel) -> dict[str, Any]:
    """Return a swap's answer."""
    return {
        "model": loaded.name,
        "digest": loaded.digest,
        "transfer": swapped.transfer,
        "frames": int(swapped.lengths.max()),
        "lengths": swapped.lengths.tolist(),
        "static": [
            {"frames": len(clip.frames), "fps": clip.fps, "fit": fit_json(clip.fit)} for clip in swapped.statics
        ],
        "dynamic": [
            {"frames": len(clip.frames), "fps": clip.fps, "fit": fit_json(clip.fit)} for clip in swapped.motions
        ],
    }


def plane_json(plane: DrawnPlane, loaded: LoadedModel, asked: dict[str, Any]) -> dict[str, Any]:
    """Return a latent grid's answer; `asked` are the parameters that made it.

    A point of the plane is `middle` and so many of each of the `axes`, brought into the `range` of codes: "unit" has
    those of length 1, "tanh" those within [-1, 1], "any" all. `dims` is empty where the axes mix dimensions.
    """
    return {
        "model": loaded.name,
        "digest": loaded.digest,
        **asked,
        "dims": list(plane.plane.dims),
        "axes": _rounded(plane.plane.axes.cpu().numpy()),
        "middle": _rounded(plane.middle),
        "range": loaded.model.dynamic_range,
        "coordinates": _rounded(plane.coordinates),
    }


def imagined_json(made: Imagined, loaded: LoadedModel, asked: dict[str, Any], several: bool) -> dict[str, Any]:
    """Return the answer of what was made from codes; `asked` are the parameters that made it."""
    codes = imagined_arrays(made, several)
    return {
        "model": loaded.name,
        "digest": loaded.digest,
        **asked,
        "frames": made.frames.shape[1],
        "fps": FPS,
        "static": _rounded(codes["static"]),
        "dynamic": _rounded(codes["dynamic"]),
    }


def future_json(future: Future, loaded: LoadedModel) -> dict[str, Any]:
    """Return a prediction's answer; `spread` is the deviation over samples, frame by frame: 0 where it was observed."""
    arrays, samples = future_arrays(future), len(future.frames)
    spread = future.dynamic.std(0, correction=0).numpy() if samples > 1 else None
    return {
        "model": loaded.name,
        "digest": loaded.digest,
        "frames": future.frames.shape[1],
        "observed": future.observed,
        "samples": samples,
        "seed": future.seed,
        "fps": future.fps,
        "timestamps": [round(float(time), 6) for time in future.timestamps],
        "static": _rounded(arrays["static"]),
        "dynamic": _rounded(arrays["dynamic"]),
        "spread": None if spread is None else _rounded(spread),
        "fit": fit_json(future.seen.fit),
    }


def _rounded(values: NDArray[np.float32]) -> Any:
    """Return nested lists with as many digits as float32 has: the same numbers, a third of the bytes."""
    shape = values.shape
    flat = [float(f"{value:.9g}") for value in values.ravel().tolist()]
    return np.array(flat, object).reshape(shape).tolist()


def _number(value: Any) -> Any:
    return None if isinstance(value, float) and not np.isfinite(value) else value
