"""The command line. Each command imports what it needs when it runs, so that `--help` answers at once."""

import json
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer
from typer.core import TyperOption
from typer.exceptions import TyperException
from typer.main import get_command

from jobs.errors import Problem, TwofoldError
from twofold.configuration import config
from twofold.imagine import decode, interpolate, predict, sample
from twofold.keys import keys
from twofold.options import (
    AsJson,
    Crop,
    Device,
    End,
    Local,
    MaxFrames,
    Model,
    Output,
    Queue,
    Start,
    Stride,
    Transfer,
    Url,
)
from twofold.said import KEY, settings_with

REFUSED, UNREACHABLE, INTERRUPTED = 3, 4, 130
A_WEEK = 7 * 24 * 60.0  # minutes
EPILOG = (
    "Exit codes: 0 done · 1 failed here · 2 wrong usage · 3 refused, or the job failed: the problem is printed · "
    "4 no server answers · 130 interrupted. --install-completion teaches your shell the commands."
)
ABOUT = "A video's static code (who or what) and dynamic codes (motion)."

app = typer.Typer(
    name="twofold",
    help=ABOUT,
    epilog=EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
SERVE, ASK, LEARN = "On this machine", "Ask a server (--url), or --local without one", "Models"


@app.callback()
def every_command(
    key: Annotated[
        str | None,
        typer.Option(envvar="TWOFOLD_KEY", show_envvar=False, help="Who asks; or TWOFOLD_KEY."),
    ] = None,
) -> None:
    """A video's static code (who or what) and dynamic codes (motion)."""
    from jobs.settings import refuse_unknown_variables

    refuse_unknown_variables()
    KEY.set(key)


app.add_typer(keys, name="keys", rich_help_panel=SERVE)


@app.command(rich_help_panel=SERVE)
def up(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Where uploads, results and the queue are kept.")] = None,
    insecure: Annotated[bool, typer.Option(help="Listen beyond loopback although there are no keys.")] = False,
) -> None:
    """Run everything here, until Ctrl-C: page, API, workers, queue."""
    from twofold.up import bring_up

    bring_up(settings_with(host=host, port=port, data_dir=data_dir, insecure=insecure or None))


@app.command(rich_help_panel=SERVE)
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = None,
    fd: Annotated[int | None, typer.Option(hidden=True)] = None,
) -> None:
    """Run the API and the page alone; needs TWOFOLD_REDIS_URL."""
    from twofold.serving import serve_api

    serve_api(settings_with(host=host, port=port), fd)


@app.command(rich_help_panel=SERVE)
def worker(
    queue: Annotated[list[Queue], typer.Option(help="Which; once for each worker.")] = [],  # noqa: B006
) -> None:
    """Run workers alone, one a queue; needs TWOFOLD_REDIS_URL."""
    from twofold.working import run_workers

    raise typer.Exit(run_workers(settings_with(), queue))


app.command(rich_help_panel=SERVE)(config)


@app.command(rich_help_panel=ASK)
def encode(
    clip: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A video, an animation or a picture.")],
    output: Output = [],  # noqa: B006
    model: Model = None,
    start: Start = None,
    end: End = None,
    stride: Stride = None,
    max_frames: MaxFrames = None,
    crop: Crop = None,
    url: Url = None,
    local: Local = False,
    as_json: AsJson = False,
) -> None:
    """Codes of a clip, and how well it fits the model."""
    from twofold.asking import answer, asking

    fields = {"model": model, "start": start, "end": end, "stride": stride, "max_frames": max_frames, "crop": crop}
    with asking(url, local) as server:
        answer(server, server.submit_encode(clip, **fields), output, as_json)


@app.command(rich_help_panel=ASK)
def swap(
    static: Annotated[list[Path], typer.Option("--static", "-s", exists=True, dir_okay=False, help="Who; up to 8.")],
    dynamic: Annotated[list[Path], typer.Option("--dynamic", "-d", exists=True, dir_okay=False, help="Doing what.")],
    output: Output = [],  # noqa: B006
    model: Model = None,
    transfer: Transfer = None,
    url: Url = None,
    local: Local = False,
    as_json: AsJson = False,
) -> None:
    """Every static source doing every dynamic source's motion."""
    from twofold.asking import answer, asking

    with asking(url, local) as server:
        answer(server, server.submit_swap(static, dynamic, model=model, transfer=transfer), output, as_json)


@app.command(rich_help_panel=ASK)
def grid(
    output: Output = [],  # noqa: B006
    model: Model = None,
    clip: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="Whose plane: this clip's.")] = None,
    job: Annotated[str | None, typer.Option(help="Whose plane: that of a finished encode.")] = None,
    seed: Annotated[int | None, typer.Option(help="Whose plane: one drawn from the prior.")] = None,
    size: Annotated[int | None, typer.Option(min=2, max=31, help="Pictures a side; 9 unless told.")] = None,
    dims: Annotated[
        str | None, typer.Option(help='Two of them, as "0,3"; or principal (axes); else the most active.')
    ] = None,
    extent: Annotated[float | None, typer.Option(help="How far, in prior standard deviations; 2.5.")] = None,
    spacing: Annotated[str | None, typer.Option(help="linear or quantile.")] = None,
    url: Url = None,
    local: Local = False,
    as_json: AsJson = False,
) -> None:
    """The plane of two dynamic dimensions for one identity."""
    from twofold.asking import answer, asking, watch

    if sum(choice is not None for choice in (clip, job, seed)) > 1:
        raise typer.BadParameter("give one of --clip, --job and --seed: there is one identity a grid")
    with asking(url, local) as server:
        static_job = job
        if clip is not None:
            static_job = watch(server, server.submit_encode(clip, model=model), as_json).id
        fields = {"model": model, "static_job": static_job, "seed": seed, "size": size, "dims": dims}
        answer(server, server.submit_latent_grid(**fields, extent=extent, spacing=spacing), output, as_json)


for command in (predict, sample, interpolate, decode):
    app.command(rich_help_panel=ASK)(command)


@app.command(rich_help_panel=ASK)
def jobs(
    status: Annotated[str | None, typer.Option(help="Only these: queued, running, succeeded, …")] = None,
    limit: Annotated[int, typer.Option(min=1, help="No more than so many.")] = 20,
    cancel: Annotated[str | None, typer.Option(metavar="ID", help="Cancel this job instead.")] = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Your jobs at a server, newest first."""
    from itertools import islice

    from twofold.asking import server_at, show_jobs

    with server_at(url) as server:
        show_jobs([server.cancel(cancel)] if cancel else islice(server.jobs(status=status), limit), as_json)


@app.command(rich_help_panel=LEARN)
def models(url: Url = None, local: Local = False, as_json: AsJson = False) -> None:
    """The models served: family, sizes, data, licence."""
    from twofold.asking import asking, show_models

    with asking(url, local) as server:
        show_models(server.models(), as_json)


@app.command(rich_help_panel=LEARN)
def train(
    recipe: Annotated[
        str | None,
        typer.Argument(help="One of faces_vae, sprites_vae, digits_drnet, faces_drnet; docs/data.md has all."),
    ] = None,
    clips: Annotated[Path | None, typer.Option(exists=True, file_okay=False, help="Or: a folder of videos.")] = None,
    name: Annotated[str | None, typer.Option(help="What to call the model learnt from --clips.")] = None,
    data: Annotated[Path | None, typer.Option(help="Where the recipe's data set lies, or is drawn.")] = None,
    family: Annotated[Literal["vae", "drnet"], typer.Option(help="Of --clips: which kind of model.")] = "vae",
    crop: Annotated[
        Literal["center", "face"], typer.Option(help="Of --clips: the largest centred square, or the face, followed.")
    ] = "center",
    minutes: Annotated[
        float | None,
        typer.Option(min=0.1, max=A_WEEK, help="Of --clips: about how long; else until it gets no better."),
    ] = None,
    static_dim: Annotated[
        int | None, typer.Option(min=1, help="Of --clips: numbers of the static code; else the clips say.")
    ] = None,
    dynamic_dim: Annotated[
        int | None, typer.Option(min=1, help="Of --clips: numbers of the dynamic code; else the clips say.")
    ] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, help="So many at most; of a recipe, with fewer than its own: NAME-trial.")
    ] = None,
    begin: Annotated[
        str | None, typer.Option("--from", help="Start from this model's weights, by name or folder.")
    ] = None,
    resume: Annotated[bool, typer.Option(help="Go on from the last checkpoint.")] = False,
    replace: Annotated[bool, typer.Option(help="Of --clips: in place of the finished model of that name.")] = False,
    device: Device = None,
    as_json: AsJson = False,
) -> None:
    """Learn a model: a published recipe, or your own clips."""
    if (recipe is None) == (clips is None):
        raise typer.BadParameter("give either a RECIPE or --clips DIR")
    if clips is not None and name is None:
        raise typer.BadParameter("--clips needs --name, what the model is to be called")
    if clips is not None and data is not None:
        raise typer.BadParameter("--data is where a recipe's data set lies; with --clips there is none")
    of_clips = {
        "--name": name,
        "--family": family != "vae",
        "--crop": crop != "center",
        "--minutes": minutes,
        "--static-dim": static_dim,
        "--dynamic-dim": dynamic_dim,
        "--replace": replace,
    }
    if recipe is not None and (given := [option for option, value in of_clips.items() if value]):
        raise typer.BadParameter(f"{', '.join(given)}: of --clips, and a RECIPE has its own")
    from training.own import Wish
    from twofold.learning import train_clips, train_recipe

    if clips is not None and name is not None:
        wish = Wish(
            name=name,
            family=family,
            crop=crop,
            minutes=minutes,
            steps=steps,
            static_dim=static_dim,
            dynamic_dim=dynamic_dim,
            replace=replace,
        )
        train_clips(clips, wish, begin=begin, resume=resume, device=device, as_json=as_json)
    elif recipe is not None:
        train_recipe(recipe, data, begin=begin, resume=resume, device=device, steps=steps, as_json=as_json)


@app.command("import-drnet", rich_help_panel=LEARN)
def import_drnet(
    checkpoint: Annotated[
        Path,
        typer.Argument(
            exists=True,
            dir_okay=False,
            help="The three state_dicts, as safetensors: content_encoder.*, pose_encoder.*, decoder.*",
        ),
    ],
    name: Annotated[str, typer.Option(help="What to call the model.")],
    normalize: Annotated[bool, typer.Option(help="It was trained with --normalize: poses of length 1.")] = False,
    replace: Annotated[bool, typer.Option(help="In place of the model of that name.")] = False,
    as_json: AsJson = False,
) -> None:
    """Take in a DrNET that the authors' code trained (drnet-py).

    Nothing in the file is run.
    """
    from twofold.learning import import_checkpoint

    import_checkpoint(checkpoint, name, unit_pose=normalize, replace=replace, as_json=as_json)


@app.command("teach-motion", rich_help_panel=LEARN)
def teach_motion(
    model: Annotated[str, typer.Argument(help="A model's name, or its folder.")],
    data: Annotated[Path | None, typer.Option(help="Where the model's data set lies, or is drawn.")] = None,
    steps: Annotated[
        int | None,
        typer.Option(min=0, help="Other than its recipe says; 0 keeps its motion, and sets how far samples spread."),
    ] = None,
    device: Device = None,
    as_json: AsJson = False,
) -> None:
    """Teach a model what comes next: a new motion on its codes."""
    from twofold.learning import teach_model_motion

    teach_model_motion(model, data, device=device, steps=steps, as_json=as_json)


@app.command(rich_help_panel=LEARN)
def evaluate(
    model: Annotated[str, typer.Argument(help="A model's name, or its folder.")],
    data: Annotated[Path | None, typer.Option(help="Where the model's data set lies, or is drawn.")] = None,
    quick: Annotated[bool, typer.Option(help="Seconds, not minutes: a first look, which is not written.")] = False,
    passes: Annotated[
        int | None, typer.Option(min=0, help="Of the tests that draw one code; 5, or 0 for none.")
    ] = None,
    only_fit: Annotated[
        bool, typer.Option("--only-fit", help="What is called typical, anew; all other numbers are kept.")
    ] = False,
    device: Device = None,
    as_json: AsJson = False,
) -> None:
    """Measure a model on held-out data, and write it into its card."""
    from twofold.measuring import evaluate_model

    evaluate_model(model, data, device=device, quick=quick, passes=passes, only_fit=only_fit, as_json=as_json)


@app.command(rich_help_panel=SERVE)
def samples(
    folder: Annotated[Path, typer.Argument(help="Where to write them.")],
    count: Annotated[int, typer.Option(min=1, max=100, help="Clips of each kind.")] = 4,
    seed: Annotated[int, typer.Option(min=0, help="Which motions.")] = 0,
    sprites: Annotated[Path | None, typer.Option(help="Folder of the LPC layer sheets, for sprites too.")] = None,
    digits: Annotated[Path | None, typer.Option(help="Folder of MNIST's files, for moving digits too.")] = None,
    as_json: AsJson = False,
) -> None:
    """Write sample clips to try."""
    from twofold.samples import write_digit_clips, write_face_clips, write_sprite_clips

    paths = write_face_clips(folder, count, seed)
    if sprites is not None:
        paths += write_sprite_clips(folder, sprites, count)
    if digits is not None:
        paths += write_digit_clips(folder, digits, count, seed)
    typer.echo(json.dumps([str(path) for path in paths]) if as_json else "\n".join(map(str, paths)))


def main() -> None:
    """Run the command, and let an expected failure be one readable line with its own exit code."""
    command = get_command(app)
    for option in command.params:
        if isinstance(option, TyperOption) and option.name in ("install_completion", "show_completion"):
            option.hidden = True  # the epilog names them in one line, and help fits a screen
    try:
        code = command(standalone_mode=False)
    except (TwofoldError, TyperException, OSError) as error:
        code = _say(error)
    sys.exit(code if isinstance(code, int) else 0)


def _say(error: Exception) -> int:
    title, detail, code = type(error).__name__, str(error), 1
    text = detail
    if isinstance(error, Problem):
        title, detail, code = error.title, error.detail, REFUSED
        text = f"{title}: {detail}"
    elif isinstance(error, TyperException):
        context = getattr(error, "ctx", None)
        asked = context.command_path if context is not None else "twofold"
        title, detail, code = "Wrong usage", error.format_message(), error.exit_code
        if not detail.strip():
            return code  # nothing was asked, and help has been shown
        text = f"{detail.rstrip('.')}. `{asked} --help` says what there is"
    elif isinstance(error, OSError):
        text = detail = f"{error.filename or 'a file'}: {error.strerror or error}"
    else:
        from twofold.client import ServerUnreachable  # wrong usage is told without loading the client

        code = UNREACHABLE if isinstance(error, ServerUnreachable) else code
    body = error.to_dict() if isinstance(error, Problem) else {"title": title, "detail": detail}
    typer.echo(json.dumps(body) if "--json" in sys.argv else f"twofold: {' '.join(text.split())}", err=True)
    return code
