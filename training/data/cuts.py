"""Scene cuts of a video: where one frame has nothing to do with the one before, as no motion around it explains.

A clip is one scene: a static code is what all of its frames agree on, and two scenes agree on nothing. A cut is a frame
whose mean difference from the one before is large by itself, large beside those of the frames around it, and larger
than the next ones on both sides: motion, however fast, takes several frames. Fades, dissolves and scenes of a single
frame are not found. The rule and its numbers are our own.
"""

from collections.abc import Iterable
from itertools import pairwise

import numpy as np
from jaxtyping import Float, UInt8

LEAST = 15.0  # grey levels of 255, mean over pixels and channels
TIMES = 4.0  # the median of the changes around it
AROUND = 5  # frames to each side
BESIDE = 2.0  # the changes just before and just after


def changes(frames: Iterable[UInt8[np.ndarray, "h w 3"]]) -> Float[np.ndarray, " steps"]:
    """The mean absolute difference of each frame from the one before, in grey levels; one fewer than frames."""
    steps = [np.abs(now.astype(np.int16) - before).mean() for before, now in pairwise(frames)]
    return np.array(steps, dtype=np.float64)


def scene_cuts(frames: Iterable[UInt8[np.ndarray, "h w 3"]]) -> list[int]:
    """The numbers of the frames that begin another scene, in order; none for a clip of one. Two are held at a time."""
    change = changes(frames)
    cuts = []
    for step in np.flatnonzero(change >= LEAST).tolist():
        first, last = max(0, step - AROUND), step + AROUND + 1
        others = np.delete(change[first:last], step - first)
        # The median, as another cut nearby is no motion.
        usual = float(np.median(others)) if len(others) else np.inf
        beside = max(change[at] for at in (step - 1, step + 1) if 0 <= at < len(change)) if len(change) > 1 else 0.0
        if change[step] >= max(TIMES * usual, BESIDE * beside):
            cuts.append(step + 1)
    return cuts
