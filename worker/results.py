"""What a job leaves behind: for each kind, its representations by media type, each made when it is asked for."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.checkpoint import LoadedModel
from worker import arrays, movies
from worker.coding import DrawnPlane, EncodedClip, Report, SwappedClips
from worker.figures import encode_movie, plane_png, swap_movie, swap_png
from worker.futures import Future
from worker.imagined import Imagined
from worker.sheets import clips_movie, clips_png, future_movie, future_png
from worker.timeline import timeline_png

JSON, NPZ, PNG = "application/json", "application/x-npz", "image/png"
MP4, WEBP, GIF = "video/mp4", "image/webp", "image/gif"

Maker = Callable[[], bytes]
REPORT_EVERY = 16  # frames of a movie
PLAYED, LOOPED = 640, 384  # pixels that a movie, and the smaller kind for pages, is enlarged up to


def encode_results(clip: EncodedClip, loaded: LoadedModel, report: Report) -> Iterator[tuple[str, Maker]]:
    """Give an encode's representations, cheapest first."""
    yield JSON, lambda: arrays.to_json(arrays.encode_json(clip, loaded))
    yield NPZ, lambda: arrays.npz(arrays.encode_arrays(clip, loaded))
    yield PNG, lambda: timeline_png(clip, told_clip(clip, loaded.name))
    yield from moving(lambda widest: encode_movie(clip, widest), clip.timestamps, report)


def swap_results(swapped: SwappedClips, loaded: LoadedModel, report: Report) -> Iterator[tuple[str, Maker]]:
    """Give a swap's representations, cheapest first; it moves in the time of its longest motion."""
    longest = swapped.motions[int(swapped.lengths.argmax())]
    yield JSON, lambda: arrays.to_json(arrays.swap_json(swapped, loaded))
    yield NPZ, lambda: arrays.npz(arrays.swap_arrays(swapped))
    yield PNG, lambda: swap_png(swapped)
    yield from moving(lambda widest: swap_movie(swapped, widest), longest.timestamps, report)


def plane_results(plane: DrawnPlane, loaded: LoadedModel, asked: dict[str, Any]) -> Iterator[tuple[str, Maker]]:
    """Give a latent grid's representations."""
    yield JSON, lambda: arrays.to_json(arrays.plane_json(plane, loaded, asked))
    yield NPZ, lambda: arrays.npz(arrays.plane_arrays(plane))
    yield PNG, lambda: plane_png(plane)


def imagined_results(
    made: Imagined, loaded: LoadedModel, asked: dict[str, Any], report: Report, title: str, several: bool = False
) -> Iterator[tuple[str, Maker]]:
    """Give the representations of what was made from codes; `several` clips keep their axis even where there is one."""
    yield JSON, lambda: arrays.to_json(arrays.imagined_json(made, loaded, asked, several))
    yield NPZ, lambda: arrays.npz(arrays.imagined_arrays(made, several))
    yield PNG, lambda: clips_png(f"{loaded.name}   {title}", made.frames)
    yield from moving(lambda widest: clips_movie(made.frames, widest), made.timestamps, report)


def future_results(future: Future, loaded: LoadedModel, report: Report) -> Iterator[tuple[str, Maker]]:
    """Give a prediction's representations."""
    yield JSON, lambda: arrays.to_json(arrays.future_json(future, loaded))
    yield NPZ, lambda: arrays.npz(arrays.future_arrays(future))
    yield PNG, lambda: future_png(future, loaded.name)
    yield from moving(lambda widest: future_movie(future, widest), future.timestamps, report)


def moving(
    draw: Callable[[int], movies.Picture], times: NDArray[np.float64], report: Report
) -> Iterator[tuple[str, Maker]]:
    """Give a movie in each of its formats, looking up now and then whether anyone still wants it."""

    def watched(widest: int) -> movies.Picture:
        picture = draw(widest)

        def look_up(index: int) -> NDArray[np.uint8]:
            if index % REPORT_EVERY == 0:
                report("rendering", 0.95)
            return picture(index)

        return look_up

    yield MP4, lambda: movies.mp4(watched(PLAYED), times)
    yield WEBP, lambda: movies.webp(watched(LOOPED), times)
    yield GIF, lambda: movies.gif(watched(LOOPED), times)


def told_clip(clip: EncodedClip, model: str) -> str:
    """Return the title of a clip's timeline."""
    count = len(clip.frames)
    if count == 1:
        return f"{model}   one frame"
    rate = f" at {clip.fps:.3g} a second" if clip.fps else ""
    return f"{model}   {count} frames{rate}"
