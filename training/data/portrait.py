"""One drawn face: who it shows (an identity of nine factors) and how it looks (smile, surprise, turn).

Drawn large with Pillow and averaged down, so that edges are smooth. Where things on the head appear when it turns is
`training.data.head`'s.
"""

import math
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw

from training.data.head import Head, Number, Point, no_type_check
from training.data.identity import (
    BACKGROUND,
    BEARDS,
    BROWS,
    DYNAMIC,
    FACE_SHAPES,
    GLASSES,
    HAIR,
    HAIR_STYLES,
    IRIS,
    SKIN,
    Colour,
    Identity,
)

SUPERSAMPLING = 4

SHIRT: Colour = (244, 244, 248)
COLLAR: Colour = (206, 210, 222)
INK: Colour = (38, 30, 40)
MOUTH: Colour = (116, 24, 38)
TONGUE: Colour = (236, 104, 112)
GOLD: Colour = (222, 158, 20)
RED: Colour = (204, 30, 56)


def draw(identity: Identity, pose: tuple[Number, Number, Number], size: int = 64) -> np.ndarray:
    """Draw one face as uint8 (size, size, 3); `pose` is smile in [-1, 1], surprise in [0, 1], turn in [-1, 1].

    Raises:
        ValueError: a part of the pose lies outside its range.

    """
    for (name, (low, high)), value in zip(DYNAMIC.items(), pose, strict=True):
        if not low <= value <= high:
            raise ValueError(f"{name} lies in [{low:g}, {high:g}], got {value:g}")
    image = _backdrop(identity.background, size).copy()
    _Portrait(identity, pose, ImageDraw.Draw(image), size * SUPERSAMPLING).draw()
    return np.asarray(image.reduce(SUPERSAMPLING))


@lru_cache(maxsize=32)
def _backdrop(background: int, size: int) -> Image.Image:
    large = size * SUPERSAMPLING
    image = Image.new("RGB", (large, large), BACKGROUND[background])
    margin = 0.05 * large
    halo = mix(BACKGROUND[background], (255, 255, 255), 0.22)
    ImageDraw.Draw(image).ellipse((margin, margin, large - margin, large - margin), fill=halo)
    return image


@no_type_check
def mix(first: Colour, second: Colour, share: Number) -> Colour:
    """Blend two colours; `share` is that of the second."""
    r, g, b = (round(a + (z - a) * share) for a, z in zip(first, second, strict=True))
    return r, g, b


@no_type_check
def ramp(value: Number, low: Number, high: Number) -> float:
    """Rise smoothly from 0 at `low` to 1 at `high`."""
    t = min(max((value - low) / (high - low), 0.0), 1.0)
    return t * t * (3 - 2 * t)


@no_type_check
class _Portrait(Head):
    """The brush strokes of one face, from back to front."""

    def __init__(
        self, identity: Identity, pose: tuple[Number, Number, Number], brush: ImageDraw.ImageDraw, large: int
    ) -> None:
        self.smile, self.surprise, turn = (float(value) for value in pose)
        super().__init__(FACE_SHAPES[identity.face_shape], turn, 0.60 + 0.05 * self.surprise, brush, large)
        self.style = HAIR_STYLES[identity.hair_style]
        self.brows = BROWS[identity.brows]
        self.glasses = GLASSES[identity.glasses]
        self.beard = BEARDS[identity.beard]
        self.skin, self.hair, self.iris = SKIN[identity.skin], HAIR[identity.hair_colour], IRIS[identity.eyes]
        self.shade = mix(self.skin, (90, 20, 30), 0.22)
        # The hair's second tone goes away from the hair's own lightness, so that black hair has one too.
        dark_hair = sum(self.hair) < 240
        self.lock = mix(self.hair, (255, 255, 255), 0.16) if dark_hair else mix(self.hair, (60, 20, 40), 0.2)

    def draw(self) -> None:
        """Paint everything, what is behind before what is in front."""
        self._hair_behind()
        self._body()
        covered = self.style in ("bob", "long")
        if not covered:
            self._ear(near=False)
        self._head()
        self._cheeks()
        self._beard()
        self._nose()
        self._mouth()
        self._eyes()
        self._hair_in_front()
        if not covered:
            self._ear(near=True)
        self._glasses()
        self._brows()

    def _body(self) -> None:
        shade = mix(self.skin, (70, 10, 30), 0.3)
        self.oval(0, 1.12, 0.80, 0.38, SHIRT)
        self.polygon([(-0.20, 0.3), (0.20, 0.3), (0.22, 0.84), (-0.22, 0.84)], shade)
        self.oval(0, 0.84, 0.22, 0.10, shade)
        self.stroke([(-0.27, 0.80), (-0.15, 0.92), (0, 0.965), (0.15, 0.92), (0.27, 0.80)], 0.06, COLLAR)

    def _head(self) -> None:
        self.polygon(self.outline(), self.skin)

    def _ear(self, near: bool) -> None:
        """An ear, from where it is attached outwards and back: a turn hides it or slides it over the head."""
        left = (self.yaw >= 0) == near
        sign = -1 if left else 1
        attached = self.centre + sign * self.side * self.cos
        tip = self.centre + sign * (self.side + 0.11) * self.cos - 0.13 * self.sin
        width = tip - attached

        def lobe(scale: float) -> list[Point]:
            arc = [math.radians(angle) for angle in range(-90, 91, 12)]
            middle = 0.06
            return [
                (attached - 0.02 * sign + width * scale * math.cos(a), middle + 0.17 * scale * math.sin(a)) for a in arc
            ]

        self.polygon(lobe(1.0), mix(self.skin, self.shade, 0.45))
        self.polygon(lobe(0.55), self.shade)

    def _cheeks(self) -> None:
        strength = 0.12 + 0.38 * ramp(self.smile, 0.0, 1.0)
        blush = mix(self.skin, (240, 70, 80), strength)
        for phi in (-42, 42):
            self.oval(self.at(phi, 0.9 * self.side), 0.22, 0.11 * self.foreshortened(phi), 0.075, blush)

    def _nose(self) -> None:
        tip = self.at(0, self.side + 0.13)
        root = self.at(0, self.side + 0.01)
        self.polygon([(root - 0.03, -0.06), (root + 0.03, -0.06), (tip + 0.08, 0.14), (tip - 0.08, 0.14)], self.shade)
        self.oval(tip, 0.135, 0.09, 0.062, self.shade)

    def _mouth(self) -> None:
        smile, surprise = self.smile, self.surprise
        opening = 0.20 * surprise + 0.07 * ramp(smile, 0.1, 1.0)
        reach = 27 + 8 * max(smile, 0) - 11 * surprise  # degrees to each corner
        level = 0.315 + 0.04 * surprise
        upper, lower = [], []
        for step in range(-8, 9):
            t = step / 8
            x = self.at(t * reach, 0.94 * self.side) + 0.04 * self.sin
            middle = level - 0.15 * smile * (1 - 0.35 * surprise) * (t * t - 0.45)
            bulge = math.sqrt(1 - t * t)
            upper.append((x, middle - 0.45 * opening * bulge))
            lower.append((x, middle + opening * bulge))
        lip = mix(self.skin, (196, 30, 66), 0.66)
        self.polygon(upper + lower[::-1], MOUTH)
        if opening > 0.02:
            teeth = min(0.45 * opening, 0.075)
            self.polygon(
                upper + [(x, min(y + teeth + 0.02, low[1])) for (x, y), low in zip(upper, lower, strict=True)][::-1],
                (255, 255, 255),
            )
            bottom = lower[8]
            self.polygon([(x, max(y, bottom[1] - 0.45 * opening)) for x, y in lower[3:14]] + lower[3:14][::-1], TONGUE)
        self.stroke(upper, 0.045, lip)
        self.stroke(lower, 0.045, lip)

    def _eyes(self) -> None:
        wide = 0.112 + 0.045 * self.surprise - 0.022 * max(self.smile, 0)
        for phi in (-25, 25):
            x, narrow = self.at(phi), self.foreshortened(phi)
            y = -0.09
            self.oval(x, y - 0.012, 0.158 * narrow, wide + 0.026, INK)
            self.oval(x, y + 0.006, 0.142 * narrow, wide, (255, 255, 255))
            look = x + 0.045 * self.sin
            round_iris = min(0.098, wide * 0.92)
            self.oval(look, y + 0.006, 0.098 * max(narrow, 0.7), round_iris, self.iris)
            self.oval(look, y + 0.006, 0.046 * max(narrow, 0.7), 0.05, INK)
            self.oval(look - 0.035, y - 0.035, 0.026, 0.026, (255, 255, 255))

    def _brows(self) -> None:
        thickness = {"thin": 0.05, "straight": 0.105, "arched": 0.075}[self.brows]
        arch = {"thin": 0.03, "straight": 0.0, "arched": 0.105}[self.brows]
        colour = mix(self.hair, INK, 0.45)
        base = -0.30 - 0.15 * self.surprise + (0.02 if arch else 0.0)
        for sign in (-1, 1):
            points = []
            for step in range(7):
                t = step / 6  # from the inner to the outer end
                sad = -0.08 * max(-self.smile, 0) * (1 - t) + 0.03 * max(-self.smile, 0) * t
                y = base + sad - arch * math.sin(math.pi * (0.15 + 0.85 * t)) + 0.02 * t
                points.append((self.at(sign * (11 + 32 * t), self.girth(base)), y))
            self.stroke(points, thickness, colour)

    def _glasses(self) -> None:
        if self.glasses == "none":
            return
        frame = GOLD if self.glasses == "round" else RED
        width = 0.045 if self.glasses == "round" else 0.06
        radius = self.side + 0.06
        for phi in (-26, 26):
            x, narrow = self.at(phi, radius), self.foreshortened(phi)
            points = []
            for degrees in range(0, 372, 12):
                c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
                if self.glasses == "square":
                    c, s = math.copysign(abs(c) ** 0.35, c) * 0.98, math.copysign(abs(s) ** 0.35, s) * 0.82
                points.append((x + 0.205 * narrow * c, -0.08 + 0.205 * s))
            self.stroke(points, width, frame)
        inner = [(self.at(phi, radius + 0.02), -0.11) for phi in (-7, 0, 7)]
        self.stroke(inner, width, frame)
        near = -1 if self.yaw >= 0 else 1
        start = self.at(near * 26, radius) + near * 0.205 * self.foreshortened(near * 26)
        self.stroke([(start, -0.10), (self.centre + near * self.side * self.cos, -0.06)], width, frame)

    def _beard(self) -> None:
        if self.beard == "full":
            contour = [point for point in self.outline(grow=0.035) if point[1] > -0.02]

            def top(phi: Number) -> float:
                return 0.20 + 0.09 * ramp(phi, 12, 38) - 0.30 * ramp(phi, 48, 82)

            edge = self.around(top, 0.02, 0.0)
            self.polygon(contour + edge[::-1], self.hair)
        if self.beard == "moustache":
            tip = 0.05 * self.sin
            upper = [(self.at(phi) + tip, 0.19 + 0.0011 * abs(phi) ** 1.25) for phi in range(-36, 37, 6)]
            lower = [
                (self.at(phi) + tip, 0.295 - 0.00004 * abs(phi) ** 2 + 0.02 * ramp(abs(phi), 0, 12))
                for phi in range(36, -37, -6)
            ]
            self.polygon(upper + lower, self.hair)

    def _hair_behind(self) -> None:
        back = self.centre - 0.16 * self.sin
        if self.style == "curls":
            for degrees in range(150, 400, 25):
                angle = math.radians(degrees)
                self.oval(back + 0.55 * math.cos(angle), -0.20 + 0.50 * math.sin(angle), 0.22, 0.22, self.hair)
            self.oval(back, -0.2, 0.60, 0.55, self.hair)
        elif self.style == "bob":
            self.polygon(_rounded(back, -0.06, 0.66, 0.60), self.hair)
        elif self.style == "long":
            self.polygon(_rounded(back, 0.25, 0.66, 0.90), self.hair)
        elif self.style == "bun":
            self.oval(self.centre - 0.24 * self.sin, -0.76, 0.22, 0.20, self.lock)

    def _hair_in_front(self) -> None:
        side = self.side

        def hairline(phi: Number) -> float:
            """The lower edge of the hair at the lateral angle phi ≥ 0, in degrees."""
            nape = 0.2 * ramp(phi, 94, 125)
            if self.style == "crop":
                return -0.44 + 0.46 * ramp(phi, 50, 78) + nape
            if self.style == "quiff":
                return -0.40 + 0.40 * ramp(phi, 54, 76) + nape
            if self.style == "curls":
                return -0.36 + 0.05 * math.sin(math.radians(phi * 14)) + 0.40 * ramp(phi, 52, 80) + nape
            if self.style == "bob":
                return -0.36 + 0.72 * ramp(phi, 62, 80)
            if self.style == "long":
                return -0.56 + 0.40 * ramp(phi, 0, 56) + 0.95 * ramp(phi, 58, 84)
            return -0.46 + 0.30 * ramp(phi, 30, 80) + nape

        grow, lift = {
            "crop": (0.03, 0.03),
            "quiff": (0.04, 0.08),
            "curls": (0.09, 0.14),
            "bob": (0.09, 0.10),
            "long": (0.08, 0.08),
            "bun": (0.025, 0.04),
        }[self.style]
        crown = []
        edge = self.around(hairline, grow, lift)
        for degrees in range(180, 361, 6):
            angle = math.radians(degrees)
            y = -0.02 + (0.60 + lift) * math.sin(angle)
            if y <= (edge[-1] if degrees < 270 else edge[0])[1]:  # hair ends where the hairline does
                crown.append((self.centre + (side + grow) * math.cos(angle), y))
        self.polygon(crown + edge, self.hair)

        def on_hair(phi: Number, y: Number) -> Point:
            return self.at(phi, self.girth(y, grow, lift)), y

        if self.style == "quiff":
            sweep = ((-0.50, -0.36), (-0.34, -0.38), (-0.06, -0.46), (0.22, -0.50), (0.46, -0.44), (0.57, -0.62))
            over = ((0.50, -0.84), (0.20, -0.90), (-0.22, -0.86), (-0.46, -0.70))
            shift, width = self.centre + 0.07 * self.sin, self.side / 0.53
            self.polygon([(shift + width * x, y) for x, y in (*sweep, *over)], self.hair)
            gleam = ((-0.26, -0.54), (-0.06, -0.64), (0.20, -0.68), (0.38, -0.64))
            self.stroke([(shift + width * x, y) for x, y in gleam], 0.05, self.lock)
        elif self.style == "curls":
            for phi in (-64, -32, 0, 32, 64):
                self.oval(*on_hair(phi, -0.48 + 0.08 * abs(phi) / 64), 0.15, 0.13, self.hair)
            for phi, y in ((-50, -0.56), (-14, -0.66), (18, -0.54), (52, -0.62), (0, -0.40)):
                self.oval(*on_hair(phi, y), 0.055, 0.045, self.lock)
        elif self.style == "bob":
            for phi in (-36, 0, 36):
                self.stroke([on_hair(phi, -0.42), on_hair(phi, -0.56)], 0.035, self.lock)
        elif self.style == "long":
            self.stroke([on_hair(0, -0.54), on_hair(0, -0.66)], 0.035, self.lock)
        elif self.style == "bun":
            for phi in (-40, 0, 40):
                self.stroke([on_hair(phi, -0.46), on_hair(phi * 0.8, -0.60)], 0.03, self.lock)


@no_type_check
def _rounded(x: Number, y: Number, width: Number, height: Number) -> list[Point]:
    """A superellipse between an ellipse and a rectangle, for hair that hangs."""
    points = []
    for degrees in range(0, 360, 8):
        c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
        points.append((x + width * math.copysign(abs(c) ** 0.7, c), y + height * math.copysign(abs(s) ** 0.7, s)))
    return points
