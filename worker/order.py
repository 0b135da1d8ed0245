"""What the decoder is asked for, and the ways it says no: the little that both sides of the process border share."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

CROP_PATTERN = re.compile(r"(\d{1,6}),(\d{1,6}),(\d{1,6}),(\d{1,6})")

Slug = Literal["not-a-media", "undecodable", "no-video", "too-many-frames", "frame-too-large", "wrong-value", "no-face"]


class Refusal(Exception):
    """The file cannot be what was asked for; the text is for the asker."""

    def __init__(self, slug: Slug, detail: str) -> None:
        super().__init__(detail)
        self.slug: Slug = slug
        self.detail = detail


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What one clip may cost."""

    frames: int = 4096  # of them chosen
    frame_pixels: int = 4096 * 4096
    seconds: float = 120.0  # of decoding, in CPU time and in waiting for the next chunk


@dataclass(frozen=True, kw_only=True, slots=True)
class DecodeOptions:
    """Which frames of a file, and which part of them, at which size."""

    size: int = 64
    start: float = 0.0  # seconds after the first frame
    end: float | None = None  # the frame at this very time is left out
    stride: int = 1
    max_frames: int | None = None
    crop: str = "center"  # none | center | face | x,y,w,h in pixels of the upright picture
    chunk: int = 32  # frames handed over at a time
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if self.crop not in {"none", "center", "face"} and not CROP_PATTERN.fullmatch(self.crop):
            raise Refusal("wrong-value", f"crop must be none, center, face or x,y,w,h in pixels, got {self.crop!r}")
        if self.end is not None and self.end <= self.start:
            raise Refusal("wrong-value", f"end ({self.end} s) must come after start ({self.start} s)")
        for name, value in (("size", self.size), ("stride", self.stride), ("chunk", self.chunk)):
            if value < 1:
                raise Refusal("wrong-value", f"{name} must be at least 1, got {value}")

    def to_json(self) -> dict[str, Any]:
        """Return plain values, to be read back by `from_json` on the other side."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> DecodeOptions:
        """Rebuild what `to_json` told."""
        return cls(**{**values, "limits": Limits(**values["limits"])})
