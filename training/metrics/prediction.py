"""How well a model sees the future: held-out movements, some frames observed, the next ones predicted and compared.

Protocol. A stretch of movement of a held-out clip is cut in two. The static code is that of the observed frames, the
dynamic codes of the next ones are predicted from theirs, and the pictures of these are compared with the true next
frames, as they are served (8 bits a channel). Beside the model's mean future stand the last observed code held
still, and the pictures of the true next frames' own codes: what the decoder can show at all. Squared errors are
summed over a frame's pixels and channels, as papers on moving MNIST sum them (values in [0, 1]).

Sampled futures are judged by their codes: how often the true code lies within the central 90 % of the samples, and
how far the samples spread.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt8
from rich.progress import Progress
from torch import Tensor

from models.compose import predict
from models.disentangler import Disentangler, decode_in_chunks
from training.data.pool import Clips
from training.metrics.ssim import frame_ssim
from training.metrics.swaps import as_bytes, frame_psnr

SAMPLES = 40
CENTRAL = 0.9  # share of the samples that a well-calibrated spread has around the truth


@dataclass(frozen=True, slots=True)
class Futures:
    """Measured by how many frames ahead; each list has one value a frame predicted."""

    observed: int
    movements: int
    squared_error: dict[str, list[float]]  # "predicted", "held", "own codes": summed over a frame
    psnr: dict[str, list[float]]  # dB
    ssim: dict[str, list[float]]
    covered: list[float]  # share of true codes' dimensions within the samples' central 90 %
    spread: list[float]  # deviation over samples, in standard deviations over training clips


@torch.inference_mode()
def futures(
    model: Disentangler, clips: Clips, observed: int, ahead: int, count: int, progress: Progress, seed: int = 5
) -> Futures:
    """Measure predictions of `count` held-out movements.

    Raises:
        ValueError: the model has no motion.

    """
    if model.motion is None:
        raise ValueError("this model has no motion model, so it predicts nothing")
    device, generator = next(model.parameters()).device, torch.Generator().manual_seed(seed)
    numbers = clips.with_runs(observed + ahead)
    made: dict[str, list[UInt8[Tensor, "t c h w"]]] = {"predicted": [], "held": [], "own codes": []}
    true, covered, spread = [], [], []
    std = model.motion.get_buffer("dynamic_std")
    for turn in progress.track(range(count), description="predicting"):
        run = clips.run(numbers[turn % len(numbers)], observed + ahead, generator).to(device)
        codes = model.encode(run[None, :observed])
        later = model.encode(run[None]).dynamic.mean[:, observed:]
        future = predict(model, codes, ahead)
        for name, dynamic in (
            ("predicted", future),
            ("held", codes.dynamic.mean[:, -1:].expand(-1, ahead, -1)),
            ("own codes", later),
        ):
            made[name].append(as_bytes(model.decode(codes.static, dynamic))[0])
        true.append(as_bytes(run[observed:]))
        samples = predict(model, codes, ahead, SAMPLES, torch.Generator().manual_seed(turn))
        low, high = torch.quantile(samples, (1 - CENTRAL) / 2, dim=0), torch.quantile(samples, (1 + CENTRAL) / 2, dim=0)
        within = (later[0] >= low) & (later[0] <= high)
        used = (later[0].std(0) > 0.2 * std) if ahead > 1 else torch.ones_like(std, dtype=torch.bool)
        covered.append(within[:, used].float().mean(1).cpu() if used.any() else torch.full((ahead,), torch.nan))
        spread.append((samples.std(0) / std).mean(1).cpu())
    truth = torch.stack(true)
    pictures = {name: torch.stack(parts) for name, parts in made.items()}
    return Futures(
        observed,
        count,
        {name: squared_error(part, truth).mean(0).tolist() for name, part in pictures.items()},
        {name: frame_psnr(part, truth).mean(0).tolist() for name, part in pictures.items()},
        {name: frame_ssim(part, truth).mean(0).tolist() for name, part in pictures.items()},
        torch.stack(covered).nanmean(0).tolist(),
        torch.stack(spread).mean(0).tolist(),
    )


def squared_error(made: UInt8[Tensor, "n t c h w"], true: UInt8[Tensor, "n t c h w"]) -> Float[np.ndarray, "n t"]:
    """Σ (made − true)² of each frame, values in [0, 1]."""
    error = [((a.double() - b.double()) / 255).square().sum((1, 2, 3)) for a, b in zip(made, true, strict=True)]
    summed: np.ndarray = torch.stack(error).numpy()
    return summed


@torch.inference_mode()
def roll_out(
    model: Disentangler, run: Float[Tensor, "t c h w"], observed: int, ahead: int, chunk: int = 64
) -> UInt8[Tensor, "ahead c h w"]:
    """The pictures of the mean future of one movement, any number of frames of it."""
    codes = model.encode(run[None, :observed])
    dynamic = predict(model, codes, ahead)
    return as_bytes(decode_in_chunks(model, codes.static, dynamic[0], chunk))
