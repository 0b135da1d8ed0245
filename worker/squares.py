"""Somebody's videos as training takes them: decoded in the sandbox, cut as `/encode` would cut them, thinned evenly."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from worker.media import Chunk, Decoder, options_for
from worker.order import Limits

LONGEST = 200_000  # frames of one video: two hours


def square_frames(
    decoder: Decoder, fd: int, *, size: int, crop: str, most: int, frame_pixels: int, seconds: float
) -> NDArray[np.uint8]:
    """Return (t, size, size, 3) frames of an open file: at most `most`, evenly over the video; `seconds` to decode it.

    Raises:
        Problem: it cannot be decoded, or shows no face where `crop` is `face`.

    """
    limits = Limits(frames=LONGEST, frame_pixels=frame_pixels, seconds=seconds)
    options = options_for(size, crop=crop, max_frames=LONGEST, limits=limits)
    return thinned(decoder.decode(fd, options), most)


def thinned(chunks: Iterable[Chunk], most: int) -> NDArray[np.uint8]:
    """Return every nth frame, n the least power of 2 with which there are at most `most`, holding twice that at most.

    How long a video is shows only when it has been decoded, so whenever there are too many every second one goes.
    """
    kept: list[NDArray[np.uint8]] = []
    stride, number = 1, 0
    for chunk in chunks:
        for frame in chunk.frames:
            if number % stride == 0:
                kept.append(frame)
            number += 1
            if len(kept) > most:
                kept, stride = kept[::2], 2 * stride
    return np.stack(kept)
