"""How well a model sees the future: held-out movements, some frames observed, the next ones predicted and compared.

Protocol. A stretch of movement of a held-out clip is cut in two. The static code is that of the observed frames, the
dynamic codes of the next ones are predicted from theirs, and the pictures of these are compared with the true next
frames, as they are served (8 bits a channel). Beside the model's likeliest future stand the last observed code held
still, the pictures of the true next frames' own codes, which is what the decoder can show at all, and one constant
picture for all: what a measure gives to who has seen nothing. Squared errors are
summed over a frame's pixels and channels, as papers on moving MNIST sum them (values in [0, 1]). How crisp a future
is, is told by its edges: a code between those of two futures may be drawn as a blur of both.

Sampled futures are judged by their codes: how often the true code lies within the central 90 % of the samples, and
how far the samples spread.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, Int, UInt8
from rich.progress import Progress
from torch import Tensor

from models.codes import Codes
from models.disentangler import Disentangler, decode_in_chunks
from models.motion import Motion
from training.data.pool import Clips
from training.metrics.bootstrap import Estimate, over_clips, ratio_over_clips
from training.metrics.edges import edges
from training.metrics.ssim import frame_ssim
from training.metrics.swaps import as_bytes, constant, frame_psnr
from training.motion import within_central

SAMPLES = 40
BATCH = 50  # movements at a time
FIRST = 10  # frames ahead, of which papers on moving MNIST state the mean error
FLAT = 1e-9  # energy of edges, below which a picture is taken for one of a single colour
FAR = (100, 200, 500)  # frames ahead that nobody knows, and that are to be crisp all the same


@dataclass(frozen=True, slots=True)
class Futures:
    """Measured by how many frames ahead; each list has one value a frame predicted."""

    observed: int
    movements: int
    files: int  # that the movements are of
    squared_error: dict[str, list[float]]  # "predicted", "held", "own codes", "constant": summed over a frame
    psnr: dict[str, list[float]]  # dB
    ssim: dict[str, list[float]]
    first_error: dict[str, Estimate]  # squared error, mean of the first 10 frames, with its interval over movements
    edges: dict[str, list[float]]  # their energy, 1 for that of the true frames
    far_edges: dict[int, float]  # by frames ahead, of the first `BATCH` movements; 1 for the mean of their true frames
    covered: list[float]  # share of true codes' dimensions within the samples' central 90 %
    spread: list[float]  # deviation over samples, in standard deviations over training clips
    # Of each of these lists, over movements, or over the files that these are of: by measure and what was measured.
    intervals: dict[str, dict[str, list[tuple[float, float]]]]


@torch.inference_mode()
def futures(
    model: Disentangler,
    clips: Clips,
    observed: int,
    ahead: int,
    count: int,
    progress: Progress,
    seed: int = 5,
    files: Int[np.ndarray, " clips"] | None = None,
) -> Futures:
    """Measure predictions of `count` held-out movements; `files` says which file each clip is of, if not its own.

    Raises:
        ValueError: the model has no motion.

    """
    motion = model.taught_motion()
    device, generator = next(model.parameters()).device, torch.Generator().manual_seed(seed)
    numbers = clips.with_runs(observed + ahead)
    who = np.array([numbers[turn % len(numbers)] for turn in range(count)])
    of = who if files is None else files[who]
    made: dict[str, list[UInt8[Tensor, "b t c h w"]]] = {"predicted": [], "held": [], "own codes": []}
    true, covered, asked, spread, far_edges = [], [], [], [], list[Estimate]()
    std = motion.get_buffer("dynamic_std")
    for first in progress.track(range(0, count, BATCH), description="predicting"):
        turns = range(first, min(first + BATCH, count))
        runs = [clips.run(int(who[turn]), observed + ahead, generator) for turn in turns]
        batch = torch.stack(runs).to(device)
        codes = model.encode(batch[:, :observed])
        later = model.encode_dynamic(batch).mean[:, observed:]
        future = motion.roll_out(codes.dynamic.mean, codes.static.mean, ahead)
        for name, dynamic in (
            ("predicted", future),
            ("held", codes.dynamic.mean[:, -1:].expand(-1, ahead, -1)),
            ("own codes", later),
        ):
            made[name].append(as_bytes(model.decode(codes.static, dynamic)))
        true.append(as_bytes(batch[:, observed:]))
        if not far_edges:
            far = motion.roll_out(codes.dynamic.mean, codes.static.mean, max(FAR))[:, torch.tensor(FAR) - 1]
            energy = edges(as_bytes(model.decode(codes.static, far))).numpy()
            crisp = edges(true[0]).mean(1, keepdim=True).numpy()
            far_edges = ratio_over_clips(energy, crisp.repeat(len(FAR), 1).clip(FLAT), of[: len(crisp)])
        samples = sample_futures(motion, codes, ahead, first)
        within = within_central(samples, later).float()
        used = (later.std(1, keepdim=True) > 0.2 * std).float() if ahead > 1 else torch.ones_like(within[:, :1])
        covered.append((within * used).sum(2).cpu())
        asked.append(used.expand_as(within).sum(2).cpu())
        spread.append((samples.std(0) / std).mean(2).cpu())
    truth = torch.cat(true)
    pictures = {name: torch.cat(parts) for name, parts in made.items()} | {"constant": constant(truth)}
    errors = {name: squared_error(part, truth) for name, part in pictures.items()}
    one, crisp = np.ones((count, ahead)), edges(truth).numpy().clip(FLAT)
    measured = {
        "squared_error": {name: ratio_over_clips(error, one, of) for name, error in errors.items()},
        "psnr": {name: ratio_over_clips(frame_psnr(part, truth), one, of) for name, part in pictures.items()},
        "ssim": {name: ratio_over_clips(frame_ssim(part, truth), one, of) for name, part in pictures.items()},
        "edges": {name: ratio_over_clips(edges(part).numpy(), crisp, of) for name, part in pictures.items()},
        "far_edges": {"predicted": far_edges},
        "samples": {
            "covered": ratio_over_clips(torch.cat(covered).numpy(), torch.cat(asked).numpy(), of),
            "spread": ratio_over_clips(torch.cat(spread).numpy(), one, of),
        },
    }
    values = {key: {name: [one.value for one in row] for name, row in part.items()} for key, part in measured.items()}
    return Futures(
        observed,
        count,
        len(set(of.tolist())),
        values["squared_error"],
        values["psnr"],
        values["ssim"],
        {name: over_clips(error[:, :FIRST].mean(1), of) for name, error in errors.items()},
        values["edges"],
        dict(zip(FAR, values["far_edges"]["predicted"], strict=True)),
        values["samples"]["covered"],
        values["samples"]["spread"],
        {
            key: {name: [(one.low, one.high) for one in row] for name, row in part.items()}
            for key, part in measured.items()
        },
    )


def sample_futures(motion: Motion, codes: Codes, ahead: int, seed: int) -> Float[Tensor, "n b t z"]:
    """Samples of the future of each clip of a batch."""
    dynamic, static = codes.dynamic.mean, codes.static.mean
    futures = motion.roll_out(
        dynamic.repeat(SAMPLES, 1, 1), static.repeat(SAMPLES, 1), ahead, torch.Generator().manual_seed(seed)
    )
    return rearrange(futures, "(n b) t z -> n b t z", n=SAMPLES)


def squared_error(made: UInt8[Tensor, "n t c h w"], true: UInt8[Tensor, "n t c h w"]) -> Float[np.ndarray, "n t"]:
    """Σ (made − true)² of each frame, values in [0, 1]."""
    error = [((a.double() - b.double()) / 255).square().sum((1, 2, 3)) for a, b in zip(made, true, strict=True)]
    summed: np.ndarray = torch.stack(error).numpy()
    return summed


@torch.inference_mode()
def future_frames(
    model: Disentangler, runs: Float[Tensor, "b t c h w"], observed: int, ahead: Sequence[int]
) -> UInt8[Tensor, "b n c h w"]:
    """The pictures of the likeliest future of each movement, so many frames ahead each; only these are decoded.

    Raises:
        ValueError: the model has no motion.

    """
    motion = model.taught_motion()
    codes = [model.encode(run[None, :observed]) for run in runs]
    dynamic, static = (torch.cat([getattr(one, part).mean for one in codes]) for part in ("dynamic", "static"))
    future = motion.roll_out(dynamic, static, max(ahead))[:, [step - 1 for step in ahead]]
    return torch.stack([as_bytes(decode_in_chunks(model, one.static, z)) for one, z in zip(codes, future, strict=True)])
