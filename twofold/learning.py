"""`twofold train` and `teach-motion`: the training room with a progress bar and readable failures."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from jobs.catalogue import NAME, NAMES, Catalogue, zoo
from jobs.errors import TwofoldError
from jobs.settings import Settings, read_settings
from models.checkpoint import CONFIG, CheckpointError, save_model
from models.drnet_reference import ForeignWeights, import_drnet, read_parts
from training.data.errors import DataError, Unreadable
from training.data.videos import DIGEST, Reader, SquareVideo, find_videos
from training.errors import TrainingError
from training.own import SAMPLES, Wish, recipe_frames, refuse_finished, train_own
from training.peers import rank_here
from training.recipe import Recipe
from training.sources import clips_source
from training.train import Interrupts, Listener, Places, find_recipe, run_recipe, teach_motion, trial

SECONDS = 1800.0  # to decode one video, and to look for faces in it; it is the user's own


class LearningFailed(TwofoldError):
    """A run could not begin or go on; the message is the training room's own."""


def train_recipe(
    name: str,
    data: Path | None,
    *,
    begin: str | None = None,
    resume: bool = False,
    device: str | None = None,
    steps: int | None = None,
    as_json: bool = False,
) -> None:
    """Train a published recipe, and say where the model is."""
    try:
        recipe = find_recipe(name)
    except ValueError as error:
        raise LearningFailed(str(error)) from error
    _run(trial(recipe, steps) if steps else recipe, data, begin, resume, device, as_json)


def train_clips(
    clips: Path,
    wish: Wish,
    *,
    begin: str | None = None,
    resume: bool = False,
    device: str | None = None,
    as_json: bool = False,
) -> None:
    """Train a model on a folder of videos, and say where it is, how good it became, and where its pictures are."""
    own_folder(wish.name)
    settings = Settings()
    places = replace(_places(settings, clips, device), begin=find_folder(begin, settings) if begin else None)
    with readable_failures(), _bar(as_json) as bar:
        refuse_finished(wish, places, resume)  # now, and not when all videos have been read
        with reading(wish.crop, settings) as read:
            counted = _counting(read, bar, len(find_videos(clips)))
            source = clips_source(clips, recipe_frames(wish.family), counted)
        with Interrupts() as interrupts:
            listener = _telling(bar, "starting", None, interrupts)
            folder = train_own(source, wish, places, resume=resume, listener=listener)
    if as_json:
        print(json.dumps(made(folder)))
        return
    measured = json.loads((folder / "config.json").read_text())["metrics"]
    print(f"held-out clips are redrawn at {measured['reconstruction_psnr_db']:.1f} dB; {folder / SAMPLES} shows some")
    print(f"{wish.name} is in {folder}; a running server offers it at once, `twofold models` lists it")


@contextmanager
def reading(crop: str, settings: Settings) -> Iterator[Reader]:
    """Give how videos are read for training: as the service reads them, so that both learn from the same frames."""
    from worker.learn import square_video
    from worker.media import Decoder
    from worker.order import Limits

    decoder, limits = Decoder(), Limits(frame_pixels=settings.max_frame_pixels, seconds=SECONDS)

    def read(path: Path, size: int) -> SquareVideo:
        try:
            with path.open("rb") as file:
                video = square_video(decoder, file.fileno(), size, crop, limits)
                file.seek(0)
                return replace(video, digest=hashlib.file_digest(file, "sha256").hexdigest()[:DIGEST])
        except OSError as error:
            raise Unreadable(f"cannot be opened: {error.strerror}") from error

    try:
        yield read
    finally:
        decoder.close()


def _counting(read: Reader, bar: Progress, videos: int) -> Reader:
    """Show on the bar how many videos have been read: one in which a face is followed may take a minute."""
    task, numbers = bar.add_task("reading videos", total=videos, terms=""), count(1)

    def counting(path: Path, size: int) -> SquareVideo:
        try:
            return read(path, size)
        finally:
            bar.update(task, advance=1, visible=next(numbers) < videos)

    return counting


def made(folder: Path) -> dict[str, Any]:
    """Return what a machine is told of a new model."""
    config = json.loads((folder / "config.json").read_text())
    told = ("name", "family", "digest", "static_dim", "dynamic_dim", "metrics")
    return {"folder": str(folder), **{key: config[key] for key in told}, "motion": bool(config.get("motion"))}


def _run(recipe: Recipe, data: Path | None, begin: str | None, resume: bool, device: str | None, as_json: bool) -> None:
    settings = read_settings()
    places = replace(_places(settings, data, device), begin=find_folder(begin, settings) if begin else None)
    with readable_failures(), _bar(as_json) as bar, Interrupts() as interrupts:
        listener = _telling(bar, "starting", recipe.steps, interrupts)
        folder = run_recipe(recipe, places, resume=resume, listener=listener)
    if rank_here() == 0 and as_json:
        print(json.dumps(made(folder)))
    elif rank_here() == 0:
        print(f"{recipe.name} is in {folder}; `twofold up` serves it, `twofold models` lists it")


def _telling(bar: Progress, stage: str, steps: int | None, interrupts: Interrupts) -> Listener:
    """Show a run on the bar; what was found stays above it."""
    task = bar.add_task(stage, total=steps, terms="")
    held_out = ""

    def on_step(step: int, terms: Mapping[str, float], frames_per_second: float) -> None:
        shown = " · ".join(f"{name} {value:.4g}" for name, value in terms.items())
        bar.update(task, completed=step, terms=f"{shown} · {frames_per_second:.0f} frames/s{held_out}")

    def on_measure(step: int, scores: Mapping[str, float]) -> None:
        nonlocal held_out
        held_out = f" · held-out {scores['reconstruction_psnr']:.1f} dB"

    def on_begun(steps: int) -> None:
        bar.update(task, total=steps)

    def on_stage(stage: str) -> None:
        bar.update(task, description=stage)

    def on_motion(share: float) -> None:
        bar.update(task, completed=round(100 * share), total=100, terms="")

    def on_found(line: str) -> None:
        bar.console.print(line, markup=False, highlight=False, soft_wrap=True)

    return Listener(
        on_step=on_step,
        on_measure=on_measure,
        on_begun=on_begun,
        on_stage=on_stage,
        on_motion=on_motion,
        on_found=on_found,
        interrupted=interrupts.seen,
    )


def _places(settings: Settings, data: Path | None, device: str | None) -> Places:
    return Places(
        runs=settings.data_dir / "runs",
        models=settings.own_models_dir,
        data=data,
        device=device or settings.device,
        keep_unfinished=True,
    )


def _bar(quiet: bool = False) -> Progress:
    """A bar on standard output, or nothing but what was found, on standard error."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[terms]}"),
        TimeRemainingColumn(),
        console=Console(stderr=quiet),
        disable=quiet or rank_here() > 0,  # of processes that train together, the first shows how it goes
    )


def teach_model_motion(
    model: str, data: Path | None, *, device: str | None = None, steps: int | None = None, as_json: bool = False
) -> None:
    """Give a model a motion, and say so."""
    settings = read_settings()
    folder = find_folder(model, settings)
    with readable_failures(), _bar(as_json) as bar, reading(crop_of(folder), settings) as read:
        task = bar.add_task("reading clips", total=None, terms="")

        def on_step(step: int, terms: Mapping[str, float]) -> None:
            bar.update(task, completed=step, terms=" · ".join(f"{name} {value:.3f}" for name, value in terms.items()))

        digest = teach_motion(
            folder,
            _places(settings, data, device),
            steps=steps,
            on_stage=lambda stage, total: bar.reset(task, description=stage, total=total),
            on_step=on_step,
            read=read,
        )
    if as_json:
        print(json.dumps(made(folder)))
        return
    print(f"{folder.name} has a motion, and with it a new digest, {digest[:19]}…; `twofold predict` uses it")


def find_folder(model: str, settings: Settings) -> Path:
    """The folder of a model, by its path or by the name under which it is served."""
    folder = Path(model)
    return folder if (folder / "config.json").is_file() else Catalogue(settings).find(model).folder


def crop_of(folder: Path) -> str:
    """How the clips were cut that the model in a folder learnt from."""
    return str(json.loads((folder / "config.json").read_text())["data"].get("crop", "center"))


def own_folder(name: str) -> Path:
    """Return where a person's own model of this name lies.

    Raises:
        LearningFailed: a name under which nothing is served, or a shipped model's, which it would hide.

    """
    if not NAME.fullmatch(name):
        raise LearningFailed(f"{NAMES}, not {name!r:.80}")
    shipped = zoo()
    # Names are compared in small letters, for some file systems hold these to be the same.
    if shipped is not None and name.lower() in {folder.name.lower() for folder in shipped.iterdir()}:
        raise LearningFailed(f"there is a model called {name} already, a shipped one; choose another name")
    return read_settings().own_models_dir / name


UNKNOWN = """How its codes are spread over its training clips is not known: it draws no identities, takes 0.4 for the
deviation of every number of a pose, and cannot say whether a clip is typical."""


def import_checkpoint(path: Path, name: str, *, unit_pose: bool, replace: bool = False, as_json: bool = False) -> None:
    """Make a model folder of weights that the authors' DrNET code saved, and say where it is.

    Raises:
        LearningFailed: the name cannot be had, or the file holds no such weights.

    """
    folder = own_folder(name)
    if not replace and (folder / CONFIG).is_file():
        raise LearningFailed(
            f"there is a model called {name} already: choose another name, or say --replace to have it replaced"
        )
    try:
        model = import_drnet(read_parts(path), unit_pose)
    except ForeignWeights as error:
        raise LearningFailed(str(error)) from error
    data = {"name": "not known", "licence": "the owner's", "split": "not known", "source": "imported from drnet-py"}
    card = f"# {name}\n\nA DrNET (Denton & Birodkar 2017, arXiv:1705.10915), imported from {path.name}.\n\n{UNKNOWN}\n"
    # Whole precision, so that it computes what it computed where it was made.
    save_model(folder, name, model, data=data, card=card, dtype=torch.float32)
    if as_json:
        print(json.dumps(made(folder)))
        return
    Console().print(f"{name} is in {folder}; `twofold up` serves it, `twofold models` lists it", soft_wrap=True)


@contextmanager
def readable_failures() -> Iterator[None]:
    """Turn what the training room says into a failure of the command."""
    try:
        yield
    except (TrainingError, DataError, CheckpointError) as error:
        raise LearningFailed(str(error)) from error
