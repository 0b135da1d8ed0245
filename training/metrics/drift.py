"""Whether digits keep their shape while a prediction goes on: a long roll-out against the true digits, best aligned.

In a frame far ahead nobody knows where the digits should be, so each is looked for: its true picture is laid where it
fits the frame's channel best (largest normalised correlation), and the frame is compared, by SSIM, with the true
digits at these places. A model whose roll-out drifts off shows blurred or other digits, wherever they are.
"""

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor
from torch.nn import functional

from training.data.digits import CANVAS, Actors, MovingDigits
from training.metrics.ssim import frame_ssim


def best_places(frames: UInt8[Tensor, "n c h w"], digits: UInt8[Tensor, "n k s s"]) -> Int[Tensor, "n k 2"]:
    """For digit k of each frame the corner (row, column) where it correlates most with channel k."""
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


def aligned_ssim(frames: UInt8[Tensor, "n t c h w"], actors: Actors, digits: MovingDigits) -> Float[np.ndarray, "n t"]:
    """SSIM of each frame with its clip's true digits, laid where they fit best."""
    clips, length = frames.shape[:2]
    shapes = digits.images[actors.digits]
    paths = torch.stack([best_places(frames[:, step], shapes) for step in range(length)], dim=1)
    true = digits.draw_clips(actors, paths).permute(0, 1, 4, 2, 3).contiguous()
    similarity: np.ndarray = frame_ssim(frames, true).reshape(clips, length)
    return similarity
