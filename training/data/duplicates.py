"""Clips that show the same recording, whole or in part: encoded anew, scaled, or cut shorter.

A held-out clip that was trained on under another name measures nothing, so near-duplicates are kept on one side of the
split. Two clips are near-duplicates when nearly every one of 8 frames of the shorter one has its like among the
other's frames, on pictures of 16 × 16. The rule and its numbers are our own.
"""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from jaxtyping import Float, UInt8

SIDE = 16
LOOKED_AT = 8  # frames of the shorter clip
ALIKE = 7  # of them that must be found in the longer one
# Grey levels, mean over pixels and channels, within which two frames are one: room for encoding a face anew by H.264
# at a rate factor of 28, and none for two signs by one person before one wall (the tests have both).
NEAR = 4.5
FAR = 10.0  # grey levels between the mean pictures of two clips, beyond which nothing is compared


def thumbnails(clip: UInt8[np.ndarray, "t h w 3"]) -> Float[np.ndarray, "t pixels"]:
    """Each frame as 16 × 16 means, on one axis."""
    length, height, width = clip.shape[:3]
    cells = clip.reshape(length, SIDE, height // SIDE, SIDE, width // SIDE, 3).astype(np.float32)
    small: np.ndarray = cells.mean((2, 4)).reshape(length, -1)
    return small


def near_duplicates(clips: Sequence[UInt8[np.ndarray, "_ h w 3"]]) -> list[tuple[int, int]]:
    """The pairs of clips, by their numbers, that show one recording; sides are multiples of 16 pixels."""
    small = [thumbnails(clip) for clip in clips]
    means = np.stack([frames.mean(0) for frames in small]) if small else np.empty((0, 1))
    found = []
    for first, second in combinations(range(len(small)), 2):
        if np.abs(means[first] - means[second]).mean() <= FAR:
            shorter, longer = sorted((small[first], small[second]), key=len)
            if alike(shorter, longer):
                found.append((first, second))
    return found


def alike(shorter: Float[np.ndarray, "s pixels"], longer: Float[np.ndarray, "t pixels"]) -> bool:
    """Whether nearly all frames that are looked at in the shorter clip are in the longer one."""
    chosen = shorter[np.linspace(0, len(shorter) - 1, min(LOOKED_AT, len(shorter))).round().astype(int)]
    nearest = [np.abs(longer - frame).mean(1).min() for frame in chosen]
    return bool(np.sum(np.array(nearest) <= NEAR) >= len(chosen) - (LOOKED_AT - ALIKE))
