"""What a job leaves behind: for each kind, its representations by media type.

Movies are not among them: those are drawn from the arrays when somebody asks for one (`worker.moving`).
"""

from collections.abc import Callable, Iterator
from typing import Any

from jobs.movie_request import NPZ
from models.checkpoint import LoadedModel
from worker import arrays
from worker.coding import DrawnPlane, EncodedClip, SwappedClips
from worker.figures import plane_png, swap_png
from worker.futures import Future
from worker.imagined import Imagined
from worker.sheets import clips_png, future_png
from worker.timeline import timeline_png

JSON, PNG = "application/json", "image/png"

Maker = Callable[[], bytes]


def encode_results(clip: EncodedClip, loaded: LoadedModel) -> Iterator[tuple[str, Maker]]:
    """Give an encode's representations, cheapest first."""
    yield JSON, lambda: arrays.to_json(arrays.encode_json(clip, loaded))
    yield NPZ, lambda: arrays.npz(arrays.encode_arrays(clip, loaded))
    yield PNG, lambda: timeline_png(clip, told_clip(clip, loaded.name))


def swap_results(swapped: SwappedClips, loaded: LoadedModel) -> Iterator[tuple[str, Maker]]:
    """Give a swap's representations, cheapest first."""
    yield JSON, lambda: arrays.to_json(arrays.swap_json(swapped, loaded))
    yield NPZ, lambda: arrays.npz(arrays.swap_arrays(swapped))
    yield PNG, lambda: swap_png(swapped)


def plane_results(plane: DrawnPlane, loaded: LoadedModel, asked: dict[str, Any]) -> Iterator[tuple[str, Maker]]:
    """Give a latent grid's representations."""
    yield JSON, lambda: arrays.to_json(arrays.plane_json(plane, loaded, asked))
    yield NPZ, lambda: arrays.npz(arrays.plane_arrays(plane))
    yield PNG, lambda: plane_png(plane)


def imagined_results(
    made: Imagined, loaded: LoadedModel, asked: dict[str, Any], title: str, several: bool = False
) -> Iterator[tuple[str, Maker]]:
    """Give the representations of what was made from codes; `several` clips keep their axis even where there is one."""
    yield JSON, lambda: arrays.to_json(arrays.imagined_json(made, loaded, asked, several))
    yield NPZ, lambda: arrays.npz(arrays.imagined_arrays(made, several))
    yield PNG, lambda: clips_png(f"{loaded.name}   {title}", made.frames)


def future_results(future: Future, loaded: LoadedModel) -> Iterator[tuple[str, Maker]]:
    """Give a prediction's representations."""
    yield JSON, lambda: arrays.to_json(arrays.future_json(future, loaded))
    yield NPZ, lambda: arrays.npz(arrays.future_arrays(future))
    yield PNG, lambda: future_png(future, loaded.name)


def told_clip(clip: EncodedClip, model: str) -> str:
    """Return the title of a clip's timeline."""
    count = len(clip.frames)
    if count == 1:
        return f"{model}   one frame"
    rate = f" at {clip.fps:.3g} a second" if clip.fps else ""
    return f"{model}   {count} frames{rate}"
