"""The kinds of job: from a request and its open inputs to its representations, the same in a worker and without one."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO

import numpy as np

from jobs.errors import UnknownClip
from jobs.movie_request import MovieRequest
from jobs.requests import (
    DecodeRequest,
    EncodeRequest,
    GridRequest,
    InterpolateRequest,
    PredictRequest,
    SampleRequest,
    Source,
    SwapRequest,
)
from jobs.settings import Settings
from models.checkpoint import LoadedModel
from models.codes import StaticCode
from worker.arrays import read_codes
from worker.coding import EncodedClip, Report, draw_identity, draw_plane, encode_clip, swap_clips
from worker.futures import first_frames, foresee
from worker.imagined import draw_codes, sample_clips, walk
from worker.media import Decoder, options_for
from worker.meter import measured
from worker.moving import movie
from worker.order import Limits
from worker.results import Maker, encode_results, future_results, imagined_results, plane_results, swap_results

# What a loaded model answers; training makes one instead (`worker.learn`), and a movie needs none.
Answerable = (
    EncodeRequest | SwapRequest | GridRequest | SampleRequest | InterpolateRequest | PredictRequest | DecodeRequest
)
SWAP_CLIPS = 8  # a swap makes at most as many pictures as this many of the longest clips have


@dataclass(frozen=True, slots=True)
class Tools:
    """What a job works with beside its model."""

    decoder: Decoder
    open: Callable[[str], BinaryIO]  # an input, by its name in the request; FileNotFoundError when it has gone
    device: str
    settings: Settings

    @property
    def limits(self) -> Limits:
        """What one clip may cost here."""
        settings = self.settings
        return Limits(
            frames=settings.max_clip_frames, frame_pixels=settings.max_frame_pixels, seconds=settings.decode_timeout
        )

    def open_input(self, name: str) -> BinaryIO:
        """Open an input of the job.

        Raises:
            UnknownClip: it has been deleted since the job was made.

        """
        try:
            with measured("fetch"):
                return self.open(name)
        except FileNotFoundError:
            raise UnknownClip("the clip, or the result that the codes are from, has been deleted meanwhile") from None


def perform(request: Answerable, loaded: LoadedModel, tools: Tools, report: Report) -> Iterator[tuple[str, Maker]]:
    """Do what is asked and give the representations of the result.

    Raises:
        Problem: it cannot be done; the text is for the asker.

    """
    match request:
        case EncodeRequest():
            return _encode(request, loaded, tools, report)
        case SwapRequest():
            return _swap(request, loaded, tools, report)
        case GridRequest():
            return _latent_grid(request, loaded, tools, report)
        case SampleRequest():
            return _sample(request, loaded, tools, report)
        case InterpolateRequest():
            return _interpolate(request, loaded, tools, report)
        case PredictRequest():
            return _predict(request, loaded, tools, report)
        case DecodeRequest():
            return _decode(request, loaded, tools, report)


def film(request: MovieRequest, tools: Tools, report: Report) -> Iterator[tuple[str, Maker]]:
    """Give one movie of a finished job.

    Raises:
        UnknownClip: its arrays have been deleted since it was asked for.

    """
    with tools.open_input(request.arrays) as file, np.load(file, allow_pickle=False) as arrays:
        yield request.media_type, partial(movie, request.of, arrays, request.format, report)


def _encode(request: EncodeRequest, loaded: LoadedModel, tools: Tools, report: Report) -> Iterator[tuple[str, Maker]]:
    options = options_for(
        loaded.model.image_size,
        start=request.start,
        end=request.end,
        stride=request.stride,
        max_frames=request.max_frames,
        crop=request.crop,
        limits=tools.limits,
    )
    with tools.open_input(request.clip) as file:
        clip = encode_clip(loaded, tools.decoder.decode(file.fileno(), options), tools.device, report)
    return encode_results(clip, loaded)


def _swap(request: SwapRequest, loaded: LoadedModel, tools: Tools, report: Report) -> Iterator[tuple[str, Maker]]:
    names = dict.fromkeys(source.artifact for source in (*request.static, *request.dynamic))
    clips: dict[str, EncodedClip] = {}
    for done, name in enumerate(names):

        def part(stage: str, share: float, before: int = done) -> None:
            report(stage, 0.6 * (before + share) / len(names))

        source = next(one for one in (*request.static, *request.dynamic) if one.artifact == name)
        clips[name] = _read_source(source, loaded, tools, part)
    statics, motions = ([clips[one.artifact] for one in side] for side in (request.static, request.dynamic))
    most = SWAP_CLIPS * tools.settings.max_clip_frames
    swapped = swap_clips(loaded, statics, motions, request.transfer, tools.device, report, most)
    return swap_results(swapped, loaded)


def _latent_grid(
    request: GridRequest, loaded: LoadedModel, tools: Tools, report: Report
) -> Iterator[tuple[str, Maker]]:
    if request.static is not None:
        static = _read_source(request.static, loaded, tools, report).codes.static
    else:
        assert request.seed is not None, "a request without an identity is refused at the door"
        static = draw_identity(loaded, request.seed)
    report("drawing", 0.3)
    plane = draw_plane(loaded, static, request.size, request.dims, request.extent, request.spacing, tools.device)
    asked = {
        "size": request.size,
        "extent": request.extent,
        "spacing": request.spacing,
        "seed": request.seed,
        "static_job": request.static.job if request.static else None,
    }
    return plane_results(plane, loaded, asked)


def _sample(request: SampleRequest, loaded: LoadedModel, tools: Tools, report: Report) -> Iterator[tuple[str, Maker]]:
    static = _read_source(request.static, loaded, tools, report).codes.static if request.static else None
    made = sample_clips(loaded, static, request.seed, request.identities, request.frames, tools.device, report)
    asked = {
        "seed": request.seed,
        "identities": request.identities,
        "static_job": request.static.job if request.static else None,
    }
    return imagined_results(made, loaded, asked, f"seed {request.seed}", several=True)


def _interpolate(
    request: InterpolateRequest, loaded: LoadedModel, tools: Tools, report: Report
) -> Iterator[tuple[str, Maker]]:
    ends = [(_read_source(end.source, loaded, tools, report), end.frame) for end in request.ends]
    made = walk(loaded, ends, request.steps, request.part, tools.device, report)
    asked = {
        "ends": [{"job": end.source.job, "frame": end.frame} for end in request.ends],
        "steps": request.steps,
        "part": request.part,
    }
    told = {"dynamic": "the motion", "static": "the identity", "both": "motion and identity"}[request.part]
    return imagined_results(made, loaded, asked, f"{told} from one frame to another")


def _predict(request: PredictRequest, loaded: LoadedModel, tools: Tools, report: Report) -> Iterator[tuple[str, Maker]]:
    if request.source.codes:
        clip = _read_source(request.source, loaded, tools, report)
    else:
        most = request.observe if request.max_frames is None else min(request.observe, request.max_frames)
        options = options_for(
            loaded.model.image_size,
            start=request.start,
            end=request.end,
            stride=request.stride,
            max_frames=most,
            crop=request.crop,
            limits=tools.limits,
        )
        with tools.open_input(request.source.artifact) as file:
            clip = encode_clip(loaded, tools.decoder.decode(file.fileno(), options), tools.device, report)
    seen = first_frames(loaded, clip, request.observe, tools.device, report)
    future = foresee(loaded, seen, request.frames, request.samples, request.seed, tools.device, report)
    return future_results(future, loaded)


def _decode(request: DecodeRequest, loaded: LoadedModel, tools: Tools, report: Report) -> Iterator[tuple[str, Maker]]:
    static: StaticCode | Sequence[float]
    if request.identity is not None:
        static = _read_source(request.identity, loaded, tools, report).codes.static
    else:
        assert request.static is not None, "a request without an identity is refused at the door"
        static = request.static
    made = draw_codes(loaded, static, request.dynamic, tools.device, report)
    asked = {"static_job": request.identity.job if request.identity else None}
    return imagined_results(made, loaded, asked, "given codes")


def _read_source(source: Source, loaded: LoadedModel, tools: Tools, report: Report) -> EncodedClip:
    """Return the codes of a source: read from a finished encode, or made now."""
    with tools.open_input(source.artifact) as file:
        if source.codes:
            return read_codes(file, loaded)
        options = options_for(loaded.model.image_size, limits=tools.limits)
        return encode_clip(loaded, tools.decoder.decode(file.fileno(), options), tools.device, report)
