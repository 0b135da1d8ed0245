"""A head that turns, and the brush that paints on it.

The head is a cylinder with things on it: whatever sits at the lateral angle φ appears at sin(φ + yaw), so that a turn
moves eyes, hairline, beard and ears against each other as a real one does. The canvas is [-1, 1] in both directions, x
to the right and y downwards.
"""

import math
from collections.abc import Callable, Iterable
from typing import TypeVar

from PIL import ImageDraw

from training.data.identity import Colour

Checked = TypeVar("Checked")


def no_type_check(thing: Checked) -> Checked:
    """Leave `thing` out of the type checks of tests, which go by this name; mypy still checks it, unlike with typing's.

    A face is two hundred calls of a microsecond each, and checking them costs ten times that.
    """
    return thing


MAX_YAW = math.radians(33)

Number = int | float
Point = tuple[Number, Number]


@no_type_check
class Head:
    """Where things on a head of one shape appear at one turn, in [-1, 1], and strokes on its canvas."""

    def __init__(self, shape: str, turn: Number, chin: Number, brush: ImageDraw.ImageDraw, large: int) -> None:
        self.shape, self.chin = shape, chin
        self.yaw = turn * MAX_YAW
        self.sin, self.cos = math.sin(self.yaw), math.cos(self.yaw)
        self.centre = 0.05 * self.sin
        self.side = {"round": 0.56, "oval": 0.48, "square": 0.53, "heart": 0.53}[shape]
        self.brush, self.half = brush, large / 2

    def at(self, phi: Number, radius: Number | None = None) -> float:
        """Where on the canvas a point at the lateral angle phi (degrees) of the head appears."""
        return self.centre + (self.side if radius is None else radius) * math.sin(math.radians(phi) + self.yaw)

    def foreshortened(self, phi: Number) -> float:
        """How wide a thing at phi looks, as a share of its width seen from the front."""
        return max(math.cos(math.radians(phi) + self.yaw) / math.cos(math.radians(phi)), 0.12)

    def polygon(self, points: Iterable[Point], colour: Colour) -> None:
        """Fill a polygon."""
        self.brush.polygon([((x + 1) * self.half, (y + 1) * self.half) for x, y in points], fill=colour)

    def oval(self, x: Number, y: Number, width: Number, height: Number, colour: Colour) -> None:
        """Fill an ellipse given by its centre and half axes."""
        half = self.half
        self.brush.ellipse(
            ((x - width + 1) * half, (y - height + 1) * half, (x + width + 1) * half, (y + height + 1) * half),
            fill=colour,
        )

    def stroke(self, points: list[Point], width: Number, colour: Colour) -> None:
        """Draw a line of even width with round ends."""
        scaled = [((x + 1) * self.half, (y + 1) * self.half) for x, y in points]
        self.brush.line(scaled, fill=colour, width=max(round(width * self.half), 1), joint="curve")
        for x, y in (points[0], points[-1]):
            self.oval(x, y, width / 2, width / 2, colour)

    def girth(self, y: Number, grow: Number = 0.0, lift: Number = 0.0) -> float:
        """The radius of the skull at a height, swollen sideways by `grow` and upwards by `lift`."""
        above = min(max((-0.02 - y) / (0.60 + lift), 0.0), 0.98)
        return (self.side + grow) * math.sqrt(1 - above * above)

    def around(self, edge: Callable[[Number], Number], grow: Number, lift: Number) -> list[Point]:
        """The visible half of a line around the head, right to left, its height a function of the head's own angle."""
        points = []
        for seen in range(90, -91, -5):
            y = edge(abs(seen - math.degrees(self.yaw)))
            points.append((self.centre + self.girth(y, grow, lift) * math.sin(math.radians(seen)), y))
        return points

    def outline(self, grow: Number = 0.0, top: float = -0.62) -> list[Point]:
        """The head's contour, clockwise from the left temple over the crown to the chin and back."""
        jaw, point = {"round": (0.98, 2.0), "oval": (0.94, 1.9), "square": (1.0, 3.6), "heart": (0.84, 1.35)}[
            self.shape
        ]
        side = self.side + grow
        points = []
        for degrees in range(180, 540, 8):
            angle = math.radians(degrees)
            x, y = math.cos(angle), math.sin(angle)
            if y < 0:  # the crown, an ellipse
                points.append((self.centre + side * x, (top - grow) * -y - 0.02))
                continue
            # The jaw, a superellipse: a large exponent is a square chin, a small one a pointed chin.
            x = math.copysign(abs(x) ** (2 / point), x) * (1 + (jaw - 1) * y)
            down = y ** (2 / point)
            points.append((self.centre + side * x + 0.09 * self.sin * down, (self.chin + grow) * down - 0.02))
        return points
