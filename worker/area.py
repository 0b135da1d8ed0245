"""Area-averaged scaling: every output pixel is the mean of exactly the area it covers, whatever the factor.

Written as two small matrix products, because Pillow's box filter takes or leaves whole pixels and is exact for whole
factors only.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from worker.order import CROP_PATTERN, Refusal


@dataclass(frozen=True, slots=True)
class Box:
    """A part of a picture, in its pixels; edges may fall between two."""

    x: float
    y: float
    width: float
    height: float


def centered_square(height: int, width: int, aspect: float = 1.0) -> Box:
    """Return the largest centred part that is shown as a square; `aspect` is the width of a pixel over its height."""
    side = min(float(height), width * aspect)
    return Box((width - side / aspect) / 2, (height - side) / 2, side / aspect, side)


def named_box(crop: str, height: int, width: int, aspect: float = 1.0) -> Box:
    """Return the part that `crop` names: `none`, `center` or `x,y,w,h`.

    Raises:
        Refusal: the part is empty or lies outside the picture.

    """
    if crop == "none":
        return Box(0.0, 0.0, float(width), float(height))
    if crop == "center":
        return centered_square(height, width, aspect)
    match = CROP_PATTERN.fullmatch(crop)
    assert match is not None, f"the order was checked when it was made, yet its crop is {crop!r}"
    x, y, w, h = (float(part) for part in match.groups())
    if w < 1 or h < 1 or x + w > width or y + h > height:
        raise Refusal("wrong-value", f"crop {crop} reaches outside the picture, which is {width}x{height} pixels")
    return Box(x, y, w, h)


class AreaScaler:
    """Scales one part of pictures of one size to a square, keeping its shape: what is not square gets black bars."""

    def __init__(self, height: int, width: int, box: Box, size: int, aspect: float = 1.0) -> None:
        shown_width, shown_height = box.width * aspect, box.height
        longest = max(shown_width, shown_height)
        inner_width = max(1, round(size * shown_width / longest))
        inner_height = max(1, round(size * shown_height / longest))
        self.size, self.top, self.left = size, (size - inner_height) // 2, (size - inner_width) // 2
        self.rows, self.row_weights = coverage(height, box.y, box.y + box.height, inner_height)
        self.columns, self.column_weights = coverage(width, box.x, box.x + box.width, inner_width)
        self.area = (box.height / inner_height) * (box.width / inner_width)

    def __call__(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the part as (size, size, 3), rounded to nearest, halves up."""
        part = picture[self.rows, self.columns].astype(np.float32)
        height, width, channels = part.shape
        squeezed = (self.row_weights @ part.reshape(height, width * channels)).reshape(-1, width, channels)
        scaled = self.column_weights @ squeezed  # one product per row: (w', w) @ (w, 3)
        inner = np.floor(scaled / np.float32(self.area) + np.float32(0.5)).clip(0, 255).astype(np.uint8)
        if inner.shape[:2] == (self.size, self.size):
            return inner
        square = np.zeros((self.size, self.size, channels), np.uint8)
        square[self.top : self.top + inner.shape[0], self.left : self.left + inner.shape[1]] = inner
        return square


def coverage(length: int, low: float, high: float, cells: int) -> tuple[slice, NDArray[np.float32]]:
    """Say how much of each pixel in [low, high) each of `cells` equal cells covers.

    The weights are lengths in pixels, not shares: whole ones stay whole numbers, so that sums of bytes are exact.
    """
    first, last = int(np.floor(low)), min(length, int(np.ceil(high)))
    edges = np.linspace(low, high, cells + 1)
    pixels = np.arange(first, last)
    overlap = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    return slice(first, last), overlap.clip(0, None).astype(np.float32)
