"""What `config.json` keeps of the held-out clips: the scale of every fit, and the spread of the dynamic code."""

from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from models.codes import Codes
from models.disentangler import Disentangler, FitScores, decode_in_chunks, encode_in_chunks
from models.drnet import DrNET
from models.plane import principal_axes
from training.data.pool import Clips, as_bytes, as_floats
from training.data.videos import through_h264

CLIP_FRAMES = (4, 8, 16, 32, 64)  # a clip's length changes its scores a little, so all are mixed
MAX_CLIPS = 400
CUTS_OF_ONE = 20  # of a held-out clip: more of the same few clips say nothing new
DRAWS_OF_ONE = 40  # of a training clip, for how codes are spread
QUALITIES = (16, 20, 24, 28)  # constant rate factors of H.264, from visually lossless to plainly lossy


@torch.inference_mode()
def statistics_of(model: Disentangler, held_out: Clips, num_clips: int = 300) -> dict[str, Any]:
    """101 quantiles of each fit score over held-out clips, and the aggregated posterior of the dynamic code.

    `order` ranks dynamic dimensions by activity: the variance of the posterior means over frames, in
    units of the mean posterior variance, which is large where a dimension tells frames apart. `axes` are the
    principal ones of the means, each as long as its standard deviation.
    """
    generator = torch.Generator().manual_seed(0)
    device = next(model.parameters()).device
    scores: dict[str, list[float]] = {}
    means, stds, prior_stds = [], [], []
    for number in range(min(num_clips, MAX_CLIPS, CUTS_OF_ONE * len(held_out))):
        score, codes = scored(model, as_sent(cut_clip(held_out, number, generator), number).to(device))
        for name, value in asdict(score).items():
            if value is not None:
                scores.setdefault(name, []).append(value)
        means.append(codes.dynamic.mean[0].cpu())
        stds.append(codes.dynamic.std[0].cpu())
        prior_stds.append(model.prior(codes.static).std.cpu())
    mean, std = torch.cat(means), torch.cat(stds)
    activity = mean.var(0) / (std**2).mean(0).clamp_min(1e-12)
    return {
        "fit": {name: np.quantile(values, np.linspace(0, 1, 101)).tolist() for name, values in scores.items()},
        "dynamic": {
            "mean": mean.mean(0).tolist(),
            "std": mean.std(0).tolist(),
            "prior_std": torch.cat(prior_stds).mean(0).tolist(),
            "order": activity.argsort(descending=True).tolist(),
            "axes": principal_axes(mean).tolist(),
        },
    }


@torch.inference_mode()
def keep_spread(model: Disentangler, training: Clips, num_clips: int = 500) -> None:
    """Store in the model how its codes are spread over training clips, to draw identities from.

    DrNET has no densities of its own, so that it keeps the poses' spread too.
    """
    generator = torch.Generator().manual_seed(0)
    device = next(model.parameters()).device
    draws = max(1, min(num_clips, DRAWS_OF_ONE * len(training)) // 10)
    codes = [model.encode(training.draw(10, 4, generator).to(device)) for _ in range(draws)]
    content = torch.cat([code.static.mean for code in codes]).double()
    poses = torch.cat([code.dynamic.mean for code in codes]).flatten(0, 1)
    # A code that never varies has no variance to decompose: the least deviation is a thousandth.
    covariance = content.T.cov() + 1e-6 * torch.eye(model.static_dim, dtype=content.dtype, device=device)
    mean, factor = content.mean(0), torch.linalg.cholesky(covariance)
    spread = (
        {
            "content_mean": mean,
            "content_factor": factor,
            "pose_mean": poses.mean(0),
            "pose_std": poses.std(0).clamp_min(1e-3),
        }
        if isinstance(model, DrNET)
        else {"static_mean": mean, "static_factor": factor}
    )
    for name, value in spread.items():
        model.get_buffer(name).copy_(value)


def as_sent(frames: Float[Tensor, "t c h w"], number: int) -> Float[Tensor, "t c h w"]:
    """Clip `number` as people send clips: every other one through H.264, in one of several qualities.

    Its blocks and its halved colour resolution cost a clip of 64 pixels some dB, which do not make it foreign.
    """
    if number % 2 == 0:
        return frames
    quality = QUALITIES[number // 2 % len(QUALITIES)]
    return as_floats(torch.from_numpy(through_h264(as_bytes(frames), quality)))


def scored(model: Disentangler, frames: Float[Tensor, "t c h w"]) -> tuple[FitScores, Codes]:
    """What `fit` judges a clip by, and its codes."""
    codes = encode_in_chunks(model, frames)
    again = decode_in_chunks(model, codes.static, codes.dynamic.mean[0])
    return model.score(frames, again, codes), codes


def cut_clip(pool: Clips, number: int, generator: torch.Generator) -> Float[Tensor, "t c h w"]:
    """A run of consecutive frames of one clip, its length and place drawn at random."""
    clip = pool.clip(number % len(pool))
    wanted = CLIP_FRAMES[int(torch.randint(len(CLIP_FRAMES), (), generator=generator))]
    length = min(wanted, len(clip))
    first = int(torch.randint(len(clip) - length + 1, (), generator=generator))
    return clip[first : first + length]
