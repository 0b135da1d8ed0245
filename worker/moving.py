"""Results in motion: each kind's movie, drawn from nothing but the arrays that its job has left."""

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jobs.movie_request import Filmed, Moving
from worker import movies
from worker.coding import Report
from worker.figures import GROUND, GUTTER
from worker.imagined import FPS
from worker.movies import Picture, Times, enlarge
from worker.sheets import AHEAD, SEEN, Colour

PLAYED, LOOPED = 640, 384  # pixels that a movie, and the smaller kind for pages, is enlarged up to
MOST = 4  # times that a picture is enlarged
EDGE = 4  # pixels around a moving picture
REPORT_EVERY = 16  # frames

Arrays = Mapping[str, NDArray[Any]]
Frames = NDArray[np.uint8]  # (t, h, w, 3)
Clips = NDArray[np.uint8]  # (n, t, h, w, 3)
Drawing = Callable[[int], Picture]  # by the pixels that it may be wide


def movie(of: Filmed, arrays: Arrays, moving: Moving, report: Report) -> bytes:
    """Return the movie of a result's arrays, looking up now and then whether anyone still wants it."""
    draw, times = scene(of, arrays)
    picture = draw(PLAYED if moving == "mp4" else LOOPED)

    def watched(index: int) -> Frames:
        if index % REPORT_EVERY == 0:
            report("rendering", 0.95)
        return picture(index)

    write = {"mp4": movies.mp4, "webp": movies.webp, "gif": movies.gif}[moving]
    return write(watched, times)


def scene(of: Filmed, arrays: Arrays) -> tuple[Drawing, Times]:
    """Return what draws a result, and when each of its frames is shown."""
    frames = arrays["frames"]
    clips = frames if frames.ndim == 5 else frames[None]  # of what may be one clip or several
    match of:
        case "encode":
            return partial(beside, frames, arrays["reconstruction"]), arrays["timestamps"]
        case "swap":
            return partial(matrix, frames, arrays["appearances"], arrays["motions"]), arrays["timestamps"]
        case "predict":
            return partial(grid, clips, partial(_told, int(arrays["observed"]))), arrays["timestamps"]
        case "sample" | "interpolate" | "decode":
            return partial(grid, clips, lambda t: GROUND), np.arange(clips.shape[1]) / FPS


def _told(observed: int, t: int) -> Colour:
    return SEEN if t < observed else AHEAD


def beside(frames: Frames, reconstruction: Frames, widest: int) -> Picture:
    """Return what draws source and reconstruction side by side."""
    cell = frames.shape[1]
    factor = max(1, min(MOST, widest // (2 * cell)))
    gap = np.full((cell * factor, 4, 3), GROUND, np.uint8)

    def picture(t: int) -> NDArray[np.uint8]:
        return np.concatenate([enlarge(frames[t], factor), gap, enlarge(reconstruction[t], factor)], axis=1)

    return picture


def matrix(swaps: NDArray[np.uint8], appearances: Frames, motions: Clips, widest: int) -> Picture:
    """Return what draws a swap's matrix: appearances down the side, motions across the top, (a, m, t, h, w, 3) between.

    All of one time; a motion that has ended holds its last frame, as the arrays have it.
    """
    rows, columns, _, cell = swaps.shape[:4]
    factor = max(1, min(MOST, widest // ((columns + 1) * cell)))
    side, apart = cell * factor, 6
    corners = [side + apart + i * (side + GUTTER) for i in range(max(rows, columns))]
    still = np.full((corners[rows - 1] + side, corners[columns - 1] + side, 3), GROUND, np.uint8)
    for y, appearance in zip(corners, appearances, strict=False):
        still[y : y + side, :side] = enlarge(appearance, factor)

    def picture(t: int) -> NDArray[np.uint8]:
        drawn = still.copy()
        for m, x in enumerate(corners[:columns]):
            drawn[:side, x : x + side] = enlarge(motions[m, t], factor)
            for a, y in enumerate(corners[:rows]):
                drawn[y : y + side, x : x + side] = enlarge(swaps[a, m, t], factor)
        return drawn

    return picture


def grid(clips: Clips, edge: Callable[[int], Colour], widest: int) -> Picture:
    """Return what draws clips side by side, as near to a square as they go, each in an edge whose colour time tells."""
    across = math.ceil(math.sqrt(len(clips)))
    down = math.ceil(len(clips) / across)
    cell = clips.shape[2]
    factor = max(1, min(MOST, widest // (across * cell)))
    side = cell * factor
    step = side + 2 * EDGE

    def picture(t: int) -> NDArray[np.uint8]:
        drawn = np.full((down * step, across * step, 3), GROUND, np.uint8)
        for number, clip in enumerate(clips):
            y, x = number // across * step, number % across * step
            drawn[y : y + step, x : x + step] = edge(t)
            drawn[y + EDGE : y + EDGE + side, x + EDGE : x + EDGE + side] = enlarge(clip[t], factor)
        return drawn

    return picture
