"""The commands for what nobody filmed: futures, samples of the prior, paths between frames, pictures of given codes."""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from twofold.options import AsJson, Crop, End, Local, MaxFrames, Model, Output, Start, Stride, Url

if TYPE_CHECKING:
    from twofold.asking import Answering

ClipOption = Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="Whose identity: this clip's.")]
JobOption = Annotated[str | None, typer.Option(help="Whose identity: that of a finished encode.")]


def predict(
    clip: Annotated[Path | None, typer.Argument(exists=True, dir_okay=False, help="A video or an animation.")] = None,
    output: Output = [],  # noqa: B006
    model: Model = None,
    job: Annotated[str | None, typer.Option(help="A finished encode, instead of a clip.")] = None,
    observe: Annotated[int | None, typer.Option(min=2, max=1000, help="Frames that the model is shown; 10.")] = None,
    frames: Annotated[int | None, typer.Option(min=1, max=1000, help="Frames that it predicts; 40.")] = None,
    samples: Annotated[int | None, typer.Option(min=1, max=16, help="Different futures.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Draws the future; else it is the likeliest one.")] = None,
    start: Start = None,
    end: End = None,
    stride: Stride = None,
    max_frames: MaxFrames = None,
    crop: Crop = None,
    url: Url = None,
    local: Local = False,
    as_json: AsJson = False,
) -> None:
    """What a clip does next, by the model's motion."""
    from twofold.asking import answer, asking

    if (clip is None) == (job is None):
        raise typer.BadParameter("give either a CLIP or --job")
    fields = {"model": model, "job": job, "observe": observe, "frames": frames, "samples": samples, "seed": seed}
    cut = {"start": start, "end": end, "stride": stride, "max_frames": max_frames, "crop": crop}
    with asking(url, local) as server:
        answer(server, server.submit_predict(clip, **fields, **cut), output, as_json)


def sample(
    output: Output = [],  # noqa: B006
    model: Model = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Another seed, other samples; 0.")] = None,
    identities: Annotated[int | None, typer.Option(min=1, max=8, help="How many; of one identity, motions.")] = None,
    frames: Annotated[int | None, typer.Option(min=1, max=256, help="Frames of each; 40.")] = None,
    clip: ClipOption = None,
    job: JobOption = None,
    url: Url = None,
    local: Local = False,
    as_json: AsJson = False,
) -> None:
    """New identities and motions from the prior."""
    from twofold.asking import answer, asking

    if clip is not None and job is not None:
        raise typer.BadParameter("give one of --clip and --job, or neither: then identities are drawn too")
    with asking(url, local) as server:
        fields = {"model": model, "seed": seed, "identities": identities, "frames": frames}
        static_job = _encoded(server, clip, model, as_json) if clip is not None else job
        answer(server, server.submit_sample(**fields, static_job=static_job), output, as_json)


def interpolate(
    first: Annotated[str, typer.Argument(help="A clip, or the id of a finished encode.")],
    last: Annotated[str, typer.Argument(help="Another, or the same.")],
    output: Output = [],  # noqa: B006
    model: Model = None,
    first_frame: Annotated[int, typer.Option(min=0, help="Which frame of the first, from 0.")] = 0,
    last_frame: Annotated[int, typer.Option(min=0, help="Which frame of the last, from 0.")] = 0,
    steps: Annotated[int | None, typer.Option(min=2, max=256, help="Pictures, both ends included; 16.")] = None,
    part: Annotated[
        Literal["dynamic", "static", "both"] | None, typer.Option(help="Which code goes; the dynamic one.")
    ] = None,
    url: Url = None,
    local: Local = False,
    as_json: AsJson = False,
) -> None:
    """The path from one frame's codes to another's."""
    from twofold.asking import answer, asking

    with asking(url, local) as server:
        jobs = [_end(server, said, model, as_json) for said in (first, last)]
        ends = list(zip(jobs, (first_frame, last_frame), strict=True))
        answer(server, server.submit_interpolate(ends, model=model, steps=steps, part=part), output, as_json)


def decode(
    codes: Annotated[
        Path,
        typer.Argument(
            exists=True, dir_okay=False, help="An .npz or .json with dynamic (T, D), and static (S) unless told below."
        ),
    ],
    output: Output = [],  # noqa: B006
    model: Model = None,
    clip: ClipOption = None,
    job: JobOption = None,
    url: Url = None,
    local: Local = False,
    as_json: AsJson = False,
) -> None:
    """Pictures of codes that you give."""
    from twofold.asking import answer, asking

    if clip is not None and job is not None:
        raise typer.BadParameter("give one of --clip and --job, or neither: then the file has the static code too")
    said = _codes(codes)
    with asking(url, local) as server:
        who = {"static_job": _encoded(server, clip, model, as_json) if clip is not None else job}
        if who["static_job"] is None:
            who = {"static": _array(said, "static", codes)}
        answer(server, server.submit_decode(_array(said, "dynamic", codes), model=model, **who), output, as_json)


def _encoded(server: "Answering", clip: Path, model: str | None, as_json: bool) -> str:
    """Return the job of a clip that was encoded for the command's sake."""
    from twofold.asking import watch

    return watch(server, server.submit_encode(clip, model=model), as_json).id


def _end(server: "Answering", said: str, model: str | None, as_json: bool) -> str:
    if Path(said).is_file():
        return _encoded(server, Path(said), model, as_json)
    if not re.fullmatch("[0-9a-f]{32}", said):
        raise typer.BadParameter(f"{said} is neither a file nor the id of a job (32 hex digits)")
    return said


def _codes(path: Path) -> dict[str, Any]:
    """Return what a file of codes holds, as `encode` and the other commands write it."""
    from twofold.results import unpack

    try:
        content = path.read_bytes()
        said = unpack(content) if path.suffix.lower() == ".npz" else json.loads(content)
    except (ValueError, OSError) as error:
        raise typer.BadParameter(f"{path} holds no codes that can be read: {error}") from None
    return said if isinstance(said, dict) else {}


def _array(said: dict[str, Any], name: str, path: Path) -> Any:
    if name not in said:
        raise typer.BadParameter(f"{path} has no {name} code; it has {', '.join(said) or 'nothing'}")
    return said[name]
