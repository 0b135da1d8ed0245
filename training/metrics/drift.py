"""Whether digits keep their shape while a prediction goes on: a long roll-out against the true digits, best aligned.

In a frame far ahead nobody knows where the digits should be, so each is looked for: its true picture is laid where it
fits the frame's channel best (largest normalised correlation), and the frame is compared, by SSIM, with the true
digits at these places. A model whose roll-out drifts off shows blurred or other digits, wherever they are.

Most of a frame is black, so that SSIM is high whatever is drawn. Two floors are measured beside it: quite other
digits, exactly drawn, and a black frame. How crisp a frame is, is told by its edges alone.
"""

from dataclasses import dataclass

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, Int, UInt8
from torch import Tensor
from torch.nn import functional

from models.disentangler import Disentangler
from training.data.digits import CANVAS, Actors, MovingDigits
from training.metrics.bootstrap import over_clips
from training.metrics.edges import edges
from training.metrics.ssim import frame_ssim
from training.metrics.swaps import as_bytes

AHEAD = (1, 10, 50, 100, 200, 500)  # frames ahead at which the digits are looked at


@dataclass(frozen=True, slots=True)
class Drift:
    """By how many frames ahead."""

    clips: int
    observed: int
    ahead: list[int]
    ssim: list[float]  # with the true digits, best aligned
    intervals: list[tuple[float, float]]  # 95 %, over clips
    sharpness: list[float]  # energy of the edges, 1 for that of the true digits
    others: float  # SSIM of exact pictures of quite other digits
    black: float  # SSIM of a black frame


@torch.inference_mode()
def drift(model: Disentangler, digits: MovingDigits, observed: int, clips: int, seed: int = 8) -> Drift:
    """Roll held-out digits out over 500 frames, the likeliest future of each.

    Raises:
        ValueError: the model has no motion.

    """
    motion = model.taught_motion()
    generator = torch.Generator().manual_seed(seed)
    actors, paths = digits.cast(clips, generator), digits.paths(clips, observed, generator)
    seen = rearrange(digits.draw_clips(actors, paths), "n t h w c -> n t c h w").float() / 255
    device = next(model.parameters()).device
    codes = model.encode(seen.to(device))
    future = motion.roll_out(codes.dynamic.mean, codes.static.mean, max(AHEAD))[:, torch.tensor(AHEAD) - 1]
    frames = torch.cat(
        [as_bytes(model.decode(codes.static[clip : clip + 1], future[clip : clip + 1])) for clip in range(clips)]
    )
    similarity, true = compared(frames, actors, digits)
    exact = digits.draw_clips(actors, paths).permute(0, 1, 4, 2, 3).contiguous()
    return Drift(
        clips,
        observed,
        list(AHEAD),
        similarity.mean(0).tolist(),
        [(told.low, told.high) for told in (over_clips(each) for each in similarity.T)],
        (edges(frames).mean(0) / edges(true).mean(0)).tolist(),
        *floors(exact, actors, digits),
    )


def floors(exact: UInt8[Tensor, "n t c h w"], actors: Actors, digits: MovingDigits) -> tuple[float, float]:
    """The mean SSIM of these true pictures with the next clip's digits, best aligned, and of black frames with them.

    In a black frame a digit fits nowhere better than elsewhere, and `best_places` would lay both on one corner, where
    they hide each other and are black for the most part too: so they are where they truly are.
    """
    others, _ = compared(exact, elsewhere(actors), digits)
    return float(others.mean()), float(frame_ssim(torch.zeros_like(exact), exact).mean())


def elsewhere(actors: Actors) -> Actors:
    """The digits of the next clip in line."""
    return Actors(actors.digits.roll(1, 0), actors.front)


def best_places(frames: UInt8[Tensor, "n c h w"], digits: UInt8[Tensor, "n k s s"]) -> Int[Tensor, "n k 2"]:
    """For digit k of each frame the corner (row, column) where it correlates most with channel k.

    It is (0, 0) where that channel is black.
    """
    side = digits.shape[-1]
    places = []
    for frame, shapes in zip(frames.float() / 255, digits.float() / 255, strict=True):
        corners = []
        for channel, shape in zip(frame, shapes, strict=False):
            centred = shape - shape.mean()
            fit = functional.conv2d(channel[None, None], centred[None, None])[0, 0]
            energy = functional.avg_pool2d(channel[None, None] ** 2, side, 1)[0, 0]
            best = int((fit / (energy + 1e-3).sqrt()).argmax())
            corners.append(torch.tensor(divmod(best, CANVAS - side + 1)))
        places.append(torch.stack(corners))
    return torch.stack(places)


def compared(
    frames: UInt8[Tensor, "n t c h w"], actors: Actors, digits: MovingDigits
) -> tuple[Float[np.ndarray, "n t"], UInt8[Tensor, "n t c h w"]]:
    """SSIM of each frame with its clip's true digits, laid where they fit best; and these true pictures."""
    clips, length = frames.shape[:2]
    shapes = digits.images[actors.digits]
    paths = torch.stack([best_places(frames[:, step], shapes) for step in range(length)], dim=1)
    true = digits.draw_clips(actors, paths).permute(0, 1, 4, 2, 3).contiguous()
    similarity: np.ndarray = frame_ssim(frames, true).reshape(clips, length)
    return similarity, true
