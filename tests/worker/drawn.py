"""Clips drawn and filmed for a test, by means of their own."""

import io
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction

import av
import numpy as np

Frames = np.ndarray


def moving_square(count: int = 12, height: int = 96, width: int = 128) -> Frames:
    """A bright square that walks over a coloured slope: every frame differs, and every side of it."""
    y, x = np.mgrid[:height, :width]
    ground = np.stack([x * 255 // width, y * 255 // height, np.full_like(x, 60)], -1).astype(np.uint8)
    frames = np.repeat(ground[None], count, 0)
    for t in range(count):
        left = t * (width - 24) // max(count - 1, 1)
        frames[t, 20:44, left : left + 24] = (250, 220, 40)
    return frames


@contextmanager
def same_priority() -> Iterator[None]:
    """Leave as an ordinary process: for root, SVT-AV1 puts whoever encodes among the real-time ones."""
    yield
    if hasattr(os, "sched_setscheduler") and os.sched_getscheduler(0) != os.SCHED_OTHER:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def film(
    frames: Frames,
    codec: str = "libx264",
    container: str = "mp4",
    pix_fmt: str = "yuv420p",
    times: Sequence[float] | None = None,
    rate: int = 25,
    rotation: int = 0,
    options: dict[str, str] | None = None,
) -> bytes:
    """Film pictures with PyAV alone, so that what is tested does not also make its tests."""
    buffer = io.BytesIO()
    with same_priority(), av.open(buffer, "w", format=container) as out:
        stream = out.add_stream(codec, rate=rate, options=options or {})
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = pix_fmt
        if times is not None:
            stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        if rotation:
            stream.set_display_rotation(rotation)
        for index, picture in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24").reformat(format=pix_fmt)
            if times is not None:
                frame.pts, frame.time_base = round(times[index] * 1000), Fraction(1, 1000)
            for packet in stream.encode(frame):
                out.mux(packet)
        for packet in stream.encode():
            out.mux(packet)
    return buffer.getvalue()
