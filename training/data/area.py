"""Area averaging: every output pixel is the mean of exactly the area that it covers, whatever the factor.

Pillow's box filter takes or leaves whole pixels, which is exact for whole factors alone. `worker/area.py` scales what
people send by the same rule; rooms do not import each other.
"""

from functools import lru_cache

import numpy as np
from jaxtyping import Float, UInt8


def area_average(pictures: UInt8[np.ndarray, "*n h w"], height: int, width: int) -> UInt8[np.ndarray, "*n y x"]:
    """The pictures at another size; the aspect is kept only where `height` and `width` keep it."""
    rows, columns = coverage(pictures.shape[-2], height), coverage(pictures.shape[-1], width)
    # Weights are lengths in pixels: whole ones stay whole numbers, so that sums of bytes are exact.
    area = np.float32(pictures.shape[-2] * pictures.shape[-1] / (height * width))
    means: np.ndarray = (rows @ pictures.astype(np.float32) @ columns.T) / area
    return np.floor(means + np.float32(0.5)).astype(np.uint8)


@lru_cache(maxsize=64)
def coverage(length: int, cells: int) -> Float[np.ndarray, "cells length"]:
    """How much of each of `length` pixels in a row each of `cells` equal cells covers, in pixels."""
    edges = np.arange(cells + 1) * length / cells
    pixels = np.arange(length)
    overlap = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    return overlap.clip(0, None).astype(np.float32)
