"""Results as still pictures: a swap's matrix, an identity's plane."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from worker.coding import DrawnPlane, SwappedClips
from worker.movies import enlarge

GRAY, PAPER = (118, 122, 128), (255, 255, 255)
GUTTER = 2  # pixels between pictures
GROUND = (24, 25, 28)  # behind pictures
WIDEST_PLANE = 1200  # pixels; a plane is enlarged by whole factors up to here
MATRIX_COLUMNS = 12  # pictures of motion in a row, over all motions


def plane_png(plane: DrawnPlane) -> bytes:
    """Return the grid of pictures: the first dimension rises to the right, the second upwards."""
    size, cell = plane.frames.shape[0], plane.frames.shape[2]
    factor = max(1, WIDEST_PLANE // (size * cell + (size - 1) * GUTTER))
    return png(tiled([list(row) for row in plane.frames], min(factor, 4)))


def tiled(rows: Sequence[Sequence[NDArray[np.uint8]]], factor: int) -> Image.Image:
    """Lay equal pictures out in rows, enlarged, with gutters between them."""
    height, width = (side * factor for side in rows[0][0].shape[:2])
    canvas = Image.new("RGB", (_span(len(rows[0]), width), _span(len(rows), height)), GROUND)
    for r, row in enumerate(rows):
        for c, picture in enumerate(row):
            canvas.paste(Image.fromarray(enlarge(picture, factor)), (c * (width + GUTTER), r * (height + GUTTER)))
    return canvas


def png(image: Image.Image) -> bytes:
    """Return a PNG."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=6)
    return buffer.getvalue()


def _span(count: int, side: int) -> int:
    return count * side + (count - 1) * GUTTER


def key_frames(code: NDArray[np.float32], count: int) -> list[int]:
    """Return the frames whose codes lie furthest apart, in order of time: what a motion is made of."""
    chosen = [0]
    while len(chosen) < min(count, len(code)):
        distance = np.min([np.linalg.norm(code - code[i], axis=1) for i in chosen], axis=0)
        distance[chosen] = -1
        chosen.append(int(distance.argmax()))
    return sorted(chosen)


def swap_png(swapped: SwappedClips) -> bytes:
    """Return the matrix of the papers: static sources down the side, dynamic ones across the top.

    Of each motion the key frames are shown, above as its source has them, below as every static source does them.
    """
    each = max(2, MATRIX_COLUMNS // len(swapped.motions))
    chosen = [key_frames(clip.codes.dynamic.mean[0].numpy(), each) for clip in swapped.motions]
    cell = swapped.frames.shape[-2]
    factor = 2 if cell * (1 + sum(map(len, chosen))) * 2 <= 2400 else 1
    layout = _Matrix(cell * factor, [len(frames) for frames in chosen], len(swapped.statics))
    canvas = Image.new("RGB", layout.size, PAPER)
    draw = ImageDraw.Draw(canvas)
    legend(draw, layout.side)
    for m, clip in enumerate(swapped.motions):
        for k, frame in enumerate(chosen[m]):
            canvas.paste(Image.fromarray(enlarge(clip.frames[frame], factor)), layout.place(-1, m, k))
            for a in range(len(swapped.statics)):
                canvas.paste(Image.fromarray(enlarge(swapped.frames[a, m, frame], factor)), layout.place(a, m, k))
    for a, clip in enumerate(swapped.statics):
        canvas.paste(Image.fromarray(enlarge(clip.middle, factor)), (0, layout.place(a, 0, 0)[1]))
    return png(canvas)


def legend(draw: ImageDraw.ImageDraw, side: int) -> None:
    """Say in the matrix's empty corner what its top row and its first column are."""
    font = ImageFont.load_default(max(9, side // 10))
    right, low, head = side - 6, side - 6, max(3, side // 32)
    draw.text((right - 4 * head, side * 0.3), "motion", GRAY, font, anchor="rm")
    draw.polygon(
        [(right, side * 0.3), (right - 2 * head, side * 0.3 - head), (right - 2 * head, side * 0.3 + head)], GRAY
    )
    draw.text((side * 0.42, low - 4 * head), "appearance", GRAY, font, anchor="mb")
    draw.polygon([(side * 0.42, low), (side * 0.42 - head, low - 2 * head), (side * 0.42 + head, low - 2 * head)], GRAY)


@dataclass(frozen=True, slots=True)
class _Matrix:
    """Where the cells of a swap's matrix lie: sources apart from what was made of them, motions from each other."""

    side: int
    lengths: list[int]
    rows: int
    apart: int = 10

    @property
    def size(self) -> tuple[int, int]:
        widths = [_span(length, self.side) for length in self.lengths]
        width = self.side + sum(self.apart + width for width in widths)
        return width, self.side + self.apart + _span(self.rows, self.side)

    def place(self, row: int, motion: int, frame: int) -> tuple[int, int]:
        """Return the corner of a cell; row −1 holds the motions' sources."""
        before = sum(self.apart + _span(length, self.side) for length in self.lengths[:motion])
        x = self.side + self.apart + before + frame * (self.side + GUTTER)
        y = 0 if row < 0 else self.side + self.apart + row * (self.side + GUTTER)
        return x, y
