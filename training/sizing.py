"""How large codes should be for a person's own clips, read off the clips themselves."""

import numpy as np
import torch
from einops import rearrange, reduce
from jaxtyping import Float

from training.data.pool import ClipPool

SIDE = 16  # pixels of the pictures that motion is looked for in
LOOKED_AT = 2000  # frames, evenly over all clips; a few more where clips are short
LEAST = 8  # of each clip that is looked at, if it has so many: of one frame nothing can be seen to move
STILL = 1e-6  # variance over all pixels, which are in [0, 1], below which nothing moves
EXPLAINED = 0.9  # share of the variance within clips that the dynamic code should have room for
DYNAMIC = (2, 16)  # the least and the most numbers of a dynamic code
STATIC = (16, 256)


def dynamic_size(clips: ClipPool) -> int:
    """The number of principal axes that hold nine tenths of what changes within clips, from 2 to 16.

    Each frame is taken as 16 × 16 means, less its clip's mean. Motion is not linear in pixels, so that fewer numbers
    would do for a network; that errs on the side of room, which the KL term, or nothing, fills.
    """
    variances = axes_within(clips)
    total = float(variances.sum())
    if total < STILL:
        return DYNAMIC[0]
    needed = int(np.searchsorted(np.cumsum(variances) / total, EXPLAINED)) + 1
    return int(np.clip(needed, *DYNAMIC))


def static_size(clips: ClipPool) -> int:
    """Twice as many numbers as there are clips, as a power of two from 16 to 256: n clips differ along n − 1 axes."""
    return int(np.clip(2 ** int(np.ceil(np.log2(2 * len(clips)))), *STATIC))


def axes_within(clips: ClipPool) -> Float[np.ndarray, " axes"]:
    """Variances along the principal axes of what changes within clips, largest first."""
    chosen = np.linspace(0, len(clips) - 1, min(len(clips), LOOKED_AT // LEAST)).round().astype(int)
    starts, lengths = clips.starts[chosen].tolist(), clips.lengths[chosen].tolist()
    stride = max(1, sum(lengths) // LOOKED_AT)
    parts = []
    for start, length in zip(starts, lengths, strict=True):
        frames = clips.frames[start : start + length : min(stride, max(1, length // LEAST))].cpu().float() / 255
        size = frames.shape[1] // SIDE
        small = reduce(frames, "t (y a) (x b) c -> t y x c", "mean", a=size, b=size)
        parts.append(small - small.mean(0))
    moved = rearrange(torch.cat(parts), "t y x c -> t (y x c)")
    axes: np.ndarray = torch.linalg.svdvals(moved.double()).square().numpy() / max(1, len(moved) - 1)
    return axes
