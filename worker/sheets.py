"""Contact sheets of clips that were made rather than filmed; what was observed is set apart."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from worker.figures import GRAY, GUTTER, PAPER, png
from worker.futures import Future
from worker.movies import enlarge

COLUMNS = 12  # pictures in a row of a sheet
MOST_ROWS = 10  # of one clip; a longer one is thinned
WIDEST = 1700  # pixels
MARGIN, HEADING, LINE, APART = 52, 30, 18, 16  # left of the rows, above a block, above columns, between blocks
INK, SEEN, AHEAD = (32, 33, 36), (62, 132, 82), (198, 70, 48)  # green and red, as the papers on prediction have it

Colour = tuple[int, int, int]
Pictures = NDArray[np.uint8]  # (t, h, w, 3), or clips of them (n, t, h, w, 3)


@dataclass(frozen=True, slots=True)
class Block:
    """Rows of pictures under a heading; a row has a label, and so has a column where all rows share its time."""

    heading: str
    colour: Colour | None  # of a rule under the heading
    labels: Sequence[str]
    columns: Sequence[str]
    rows: Sequence[Pictures]  # each (n, h, w, 3)

    def height(self, side: int) -> int:
        """Return how high it is, of pictures enlarged to `side`."""
        return HEADING + (LINE if self.columns else 0) + len(self.rows) * (side + GUTTER) - GUTTER


def spread_out(count: int, most: int) -> NDArray[np.int64]:
    """Return at most so many of `count` frames, evenly spread, the first and the last among them."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.int64))


def wrapped(heading: str, colour: Colour | None, clip: Pictures, names: Sequence[str]) -> Block:
    """Return one clip in lines of equal length, as text is set; each begins with the name of its first frame."""
    chosen = spread_out(len(clip), COLUMNS * MOST_ROWS)
    across = math.ceil(len(chosen) / math.ceil(len(chosen) / COLUMNS))
    lines = [chosen[first : first + across] for first in range(0, len(chosen), across)]
    heading += f", {len(chosen)} of them shown" if len(chosen) < len(clip) else ""
    return Block(heading, colour, [names[line[0]] for line in lines], [], [clip[line] for line in lines])


def stacked(heading: str, colour: Colour | None, clips: Pictures, names: Sequence[str]) -> Block:
    """Return several clips, one a row, each frame under the same one of the others."""
    chosen = spread_out(clips.shape[1], COLUMNS)
    heading += f", {len(chosen)} of them shown" if len(chosen) < clips.shape[1] else ""
    labels = [str(number) for number in range(1, len(clips) + 1)]
    return Block(heading, colour, labels, [names[frame] for frame in chosen], [clip[chosen] for clip in clips])


def clips_png(title: str, clips: Pictures) -> bytes:
    """Return the sheet of one clip, or of several that begin together."""
    names = [str(frame) for frame in range(clips.shape[1])]
    heading = f"{title}   {clips.shape[1]} frames"
    return sheet([wrapped(heading, None, clips[0], names) if len(clips) == 1 else stacked(heading, None, clips, names)])


def future_png(future: Future, model: str) -> bytes:
    """Return the sheet of a prediction: the observed frames, and under them those that were predicted."""
    names = [f"{time:.2f} s" for time in future.timestamps]
    seen = future.observed
    past = wrapped(f"observed   {seen} frames", SEEN, future.frames[0, :seen], names[:seen])
    how = "the likeliest future" if future.seed is None else f"seed {future.seed}"
    told = f"predicted by {model}   {how}, {future.frames.shape[1] - seen} frames"
    if len(future.frames) > 1:
        return sheet([past, stacked(told, AHEAD, future.frames[:, seen:], names[seen:])])
    return sheet([past, wrapped(told, AHEAD, future.frames[0, seen:], names[seen:])])


def sheet(blocks: Sequence[Block]) -> bytes:
    """Return blocks under each other; pictures are enlarged by a whole factor, so that their pixels stay crisp."""
    cell = blocks[0].rows[0].shape[1]
    across = max(len(row) for block in blocks for row in block.rows)
    factor = max(1, min(3, (WIDEST - MARGIN) // (across * (cell + GUTTER))))
    side = cell * factor
    width = MARGIN + max(across * (side + GUTTER) - GUTTER, 5 * side) + APART
    height = sum(block.height(side) + APART for block in blocks)
    canvas = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(canvas)
    top = 0
    for block in blocks:
        _place(canvas, draw, block, top, side, factor)
        top += block.height(side) + APART
    return png(canvas)


def _place(canvas: Image.Image, draw: ImageDraw.ImageDraw, block: Block, top: int, side: int, factor: int) -> None:
    small, large = ImageFont.load_default(11), ImageFont.load_default(14)
    draw.text((MARGIN, top + HEADING / 2), block.heading, block.colour or INK, large, anchor="lm")
    if block.colour:
        end = canvas.width - APART - 1
        draw.rectangle((MARGIN, top + HEADING - 5, end, top + HEADING - 4), fill=block.colour)
    y = top + HEADING
    for column, name in enumerate(block.columns):
        draw.text((MARGIN + column * (side + GUTTER) + side / 2, y + LINE / 2), name, GRAY, small, anchor="mm")
    y += LINE if block.columns else 0
    for label, row in zip(block.labels, block.rows, strict=True):
        draw.text((MARGIN - 8, y + side / 2), label, GRAY, small, anchor="rm")
        for column, picture in enumerate(row):
            canvas.paste(Image.fromarray(enlarge(picture, factor)), (MARGIN + column * (side + GUTTER), y))
        y += side + GUTTER
