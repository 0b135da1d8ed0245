"""The timeline of a clip: each dynamic dimension over time, key frames above, extremes marked and shown beside.

Drawn with Pillow at three times the size and scaled down, which smooths lines as a plotting library does in a tenth of
its time; the frames are pasted afterwards, so that they keep their pixels.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from models.fit import Fit
from worker.coding import EncodedClip
from worker.figures import GRAY, PAPER, png
from worker.movies import enlarge

SMOOTH = 3  # drawn this much larger
WIDTH, LEFT, RIGHT = 1200, 64, 196  # pixels; the plot lies between the margins
STRIP, THUMB, MARK = 64, 64, 56  # sides of the key frames, their slot, and the frames of extremes
LANE, APART = 78, 10  # height of one dimension, and the space between two
STILL = 0.02  # of what the lanes reach: a dimension that swings less says nothing, least of all at its extremes
LANES = 12  # dimensions drawn; a model with more shows those that move most in this clip
INK, FAINT, GRID = (32, 33, 36), (228, 231, 235), (240, 242, 245)
CURVE, BAND = (46, 52, 64), (214, 220, 230)
HIGH, LOW = (198, 70, 48), (40, 104, 180)
STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600)  # seconds between marks

Number = float | int
Point = tuple[Number, Number]


@dataclass(frozen=True, slots=True)
class Scale:
    """From time and code to pixels of the finished picture."""

    first: float
    last: float
    reach: float  # the code's largest value either way, on every lane: how far they swing can be compared

    def x(self, time: Number) -> float:
        """Return where a time is across."""
        span = self.last - self.first
        share = (time - self.first) / span if span > 0 else 0.5
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(self, top: Number, value: Number) -> float:
        """Return where a value is down a lane that begins at `top`."""
        return top + LANE / 2 - value / self.reach * LANE / 2


def timeline_png(clip: EncodedClip, title: str) -> bytes:
    """Return the timeline of an encoded clip."""
    code, std = clip.codes.dynamic.mean[0].numpy(), clip.codes.dynamic.std[0].numpy()
    shown = np.sort(np.argsort(-code.std(0), kind="stable")[:LANES])
    reach = nice(float(np.max(np.abs(code[:, shown]) + std[:, shown])))
    scale = Scale(float(clip.timestamps[0]), float(clip.timestamps[-1]), reach)
    strip_top, lanes_top = 44, 44 + STRIP + 22
    bottom = lanes_top + len(shown) * LANE + (len(shown) - 1) * APART
    canvas = Canvas(WIDTH, bottom + 40)
    canvas.text((LEFT, 20), title, INK, 15, "lm")
    canvas.text((WIDTH - 18, 20), told_fit(clip.fit), HIGH if clip.fit.typical is False else GRAY, 13, "rm")
    time_axis(canvas, scale, lanes_top, bottom)
    tops = [lanes_top + i * (LANE + APART) for i in range(len(shown))]
    moving = (np.ptp(code, axis=0) > STILL * reach) | (len(code) == 1)
    for top, dim in zip(tops, shown, strict=True):
        lane(canvas, scale, top, clip.timestamps, code[:, dim], std[:, dim], f"z{dim}", bool(moving[dim]))
    for value in (reach, -reach):  # on the first lane alone: they all share it
        canvas.text((LEFT - 10, scale.y(lanes_top, value)), f"{value:+g}", GRAY, 10, "rt" if value > 0 else "rb")
    image = canvas.finished()
    key_frames(image, scale, strip_top, clip)
    for top, dim in zip(tops, shown, strict=True):
        if moving[dim]:
            extremes(image, top, clip, code[:, dim])
    return png(image)


def lane(
    canvas: "Canvas",
    scale: Scale,
    top: Number,
    times: NDArray[np.float64],
    code: NDArray[np.float32],
    std: NDArray[np.float32],
    name: str,
    moving: bool,
) -> None:
    """Draw one dimension: its curve within a band of one standard deviation, its extremes marked if it moves."""
    xs = [scale.x(float(time)) for time in times]
    canvas.line([(LEFT, scale.y(top, 0)), (WIDTH - RIGHT, scale.y(top, 0))], FAINT, 1)
    canvas.text((LEFT - 12, top + LANE / 2), name, INK if moving else GRAY, 14, "rm")
    upper = [(x, scale.y(top, float(m + s))) for x, m, s in zip(xs, code, std, strict=True)]
    lower = [(x, scale.y(top, float(m - s))) for x, m, s in zip(xs, code, std, strict=True)]
    middle = [(x, scale.y(top, float(m))) for x, m in zip(xs, code, strict=True)]
    if len(xs) == 1:
        canvas.line([upper[0], lower[0]], BAND, 8)
        canvas.dot(middle[0], 4, CURVE)
        return
    canvas.polygon(upper + lower[::-1], BAND)
    if not moving:
        canvas.line(middle, BAND, 1.6)
        canvas.text((WIDTH - RIGHT + 28, top + LANE / 2), "hardly moves", GRAY, 11, "lm")
        return
    canvas.line(middle, CURVE, 1.6)
    canvas.triangle(middle[int(code.argmax())], 5, HIGH, up=True)
    canvas.triangle(middle[int(code.argmin())], 5, LOW, up=False)


def time_axis(canvas: "Canvas", scale: Scale, top: Number, bottom: Number) -> None:
    """Draw marks in seconds under the lanes, and faint lines up through them."""
    span = scale.last - scale.first
    step = next((step for step in STEPS if span / step <= 10), 7200)
    first = int(np.ceil(scale.first / step - 1e-6))
    marks = [scale.first] if span <= 0 else [i * step for i in range(first, int(scale.last / step + 1e-6) + 1)]
    for time in marks:
        x = scale.x(time)
        canvas.line([(x, top), (x, bottom + 5)], GRID, 1)
        canvas.text((x, bottom + 10), f"{time:g}" if span > 0 else f"{time:.2f}", GRAY, 11, "mt")
    canvas.text((WIDTH - RIGHT + 14, bottom + 10), "seconds", GRAY, 11, "lt")


def key_frames(image: Image.Image, scale: Scale, top: int, clip: EncodedClip) -> None:
    """Paste frames above the lanes, each over its own time."""
    room = WIDTH - LEFT - RIGHT
    count = min(len(clip.frames), room // (THUMB + 6))
    edges = np.linspace(scale.first, scale.last, 2 * count + 1)[1::2]  # the middles of equal shares of the time
    for time in edges:
        frame = int(np.abs(clip.timestamps - time).argmin())
        x = round(scale.x(float(time)) - THUMB / 2)
        image.paste(thumbnail(clip.frames[frame], THUMB), (x, top))


def extremes(image: Image.Image, top: Number, clip: EncodedClip, code: NDArray[np.float32]) -> None:
    """Paste the frames where a dimension is highest and lowest beside its lane, edged in the colours of their marks."""
    if len(code) < 2:
        return
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(10)
    for place, (index, colour) in enumerate(((int(code.argmax()), HIGH), (int(code.argmin()), LOW))):
        x = WIDTH - RIGHT + 34 + place * (MARK + 20)
        y = round(top + (LANE - MARK) / 2) - 6
        draw.rectangle((x - 3, y - 3, x + MARK + 2, y + MARK + 2), fill=colour)
        image.paste(thumbnail(clip.frames[index], MARK), (x, y))
        draw.text((x + MARK / 2, y + MARK + 11), f"{clip.timestamps[index]:.2f} s", colour, font, "mm")


def thumbnail(frame: NDArray[np.uint8], side: int) -> Image.Image:
    """Return a frame at a size: crisp where that is a whole factor, averaged where not."""
    height = frame.shape[0]
    if side % height == 0:
        return Image.fromarray(enlarge(frame, side // height))
    return Image.fromarray(frame).resize(
        (side, side), Image.Resampling.BOX if height > side else Image.Resampling.BICUBIC
    )


def told_fit(fit: Fit) -> str:
    """Say in a line how like the model's training data the clip is."""
    if fit.typical is False:
        return f"foreign to this model: {fit.psnr_db:.1f} dB"
    place = "" if fit.percentile is None else f", percentile {fit.percentile:.0f} of its own kind"
    return f"reconstruction {fit.psnr_db:.1f} dB{place}"


def nice(value: float) -> float:
    """Return the next larger round number."""
    if not np.isfinite(value) or value <= 0:
        return 1.0
    power = 10.0 ** np.floor(np.log10(value))
    return float(next(power * step for step in (1, 1.5, 2, 3, 4, 5, 7.5, 10) if power * step >= value))


class Canvas:
    """Draws smooth lines: everything is drawn larger, then averaged down."""

    def __init__(self, width: int, height: int) -> None:
        self.size = (width, height)
        self.large = Image.new("RGB", (self.size[0] * SMOOTH, self.size[1] * SMOOTH), PAPER)
        self.draw = ImageDraw.Draw(self.large)
        self.words: list[tuple[Point, str, tuple[int, int, int], int, str]] = []

    def line(self, points: list[Point], colour: tuple[int, int, int], width: Number) -> None:
        """Draw a line through points."""
        self.draw.line([self._at(point) for point in points], colour, round(width * SMOOTH), joint="curve")

    def polygon(self, points: list[Point], colour: tuple[int, int, int]) -> None:
        """Fill an outline."""
        self.draw.polygon([self._at(point) for point in points], colour)

    def dot(self, place: Point, radius: Number, colour: tuple[int, int, int]) -> None:
        """Fill a circle."""
        self.draw.circle(self._at(place), radius * SMOOTH, colour)

    def triangle(self, place: Point, radius: Number, colour: tuple[int, int, int], up: bool) -> None:
        """Mark a point with a triangle that points at it from outside."""
        x, y = place
        base = y - 2 * radius if up else y + 2 * radius
        self.polygon([(x, y), (x - radius, base), (x + radius, base)], colour)

    def text(self, place: Point, words: str, colour: tuple[int, int, int], size: int, anchor: str) -> None:
        """Write words, at their final size, once everything else is drawn."""
        self.words.append((place, words, colour, size, anchor))

    def finished(self) -> Image.Image:
        """Return the picture at its final size."""
        image = self.large.resize(self.size, Image.Resampling.BOX)
        draw = ImageDraw.Draw(image)
        for place, words, colour, size, anchor in self.words:
            draw.text(place, words, colour, ImageFont.load_default(size), anchor)
        return image

    def _at(self, point: Point) -> Point:
        return point[0] * SMOOTH, point[1] * SMOOTH
