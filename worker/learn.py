"""The train task: clips of an asker become a model that is served. Only this module here knows the training room."""

import base64
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import structlog

from jobs.errors import CannotLearn, NameTaken, Problem, StorageFull
from jobs.train_request import TrainRequest
from models.checkpoint import CONFIG, read_config
from training.data.cuts import scene_cuts
from training.data.errors import DataError, Unreadable
from training.data.sides import Sides
from training.data.videos import DIGEST, MAX_FRAMES, SquareVideo, VideoFolder, read_videos
from training.errors import (
    DiskFull,
    NameHeld,
    NameUsed,
    NonFiniteLoss,
    NothingLearnt,
    ResumeMismatch,
    telling_a_full_disk,
)
from training.own import SAMPLES, Wish, recipe_frames, show, train_own
from training.run import RunFolder
from training.sources import LEAST_FRAMES, SIZE, Source, source_of
from training.train import Listener, Places
from worker.arrays import to_json
from worker.attempt import Stopped, Why
from worker.coding import Report
from worker.kinds import Tools
from worker.media import Decoder
from worker.order import Limits
from worker.results import JSON, PNG, Maker
from worker.squares import square_frames

log = structlog.get_logger(__name__)

# Shares of the job at which clips are read, the network is trained, and its motion is taught.
READ, TRAINED, MOVED = 0.1, 0.8, 0.9
REPORTS, MOTION_REPORTS = 200, 50  # of a training's steps, at most, and of its motion's


# As every job reports, `report(stage, share)`; a training has pictures to show meanwhile: (stage, share, picture).
Telling = Callable[..., None]


def learn(request: TrainRequest, tools: Tools, report: Telling, again: bool) -> Iterator[tuple[str, Maker]]:
    """Learn a model and give what is told of it; `again` goes on where an attempt before this one was cut off.

    Where that one had written the model, it is measured and told of, and not learnt twice.

    Where the asker cancels, what has been learnt becomes a model all the same, and then the job ends as canceled. A
    cancel before the first step leaves no model, nor does a purge at any time; it takes the checkpoints along.

    Raises:
        Problem: the clips cannot be used, or training fails; the text is for the asker.

    """
    settings = tools.settings
    places = Places(runs=settings.data_dir / "runs", models=settings.own_models_dir, device=tools.device)
    folder, run = places.models / request.model, RunFolder(places.runs / request.model)
    taken = NameTaken(f"there is a model called {request.model} by now; choose another name")
    if folder.exists() and not again:
        raise taken
    wish = Wish(name=request.model, family=request.family, crop=request.crop, minutes=request.minutes)
    told: list[str] = []
    teller, began = Teller(report, told), time.monotonic()
    with leaving_nothing_when_purged(teller, folder, run):
        try:
            source = source_of(read(request, tools, report))
            if (folder / CONFIG).is_file():
                if Sides.stated(read_config(folder)) != source.sides:
                    raise taken
                told.extend(source.found)
                teller.holds_name = True
                teller.tell("measuring", MOVED)
                with run.held(), telling_a_full_disk():
                    show(folder, source, run)
            else:
                train(source, wish, places, teller.listener(), run if again else None)
            teller.end()
        except NameUsed as error:
            raise taken from error
        except NameHeld as error:
            raise NameTaken(f"a training called {request.model} is going on; choose another name") from error
        except NothingLearnt as error:
            teller.end()
            raise CannotLearn(str(error)) from error
        except NonFiniteLoss as error:
            raise CannotLearn(f"training came to no number: {error}") from error
        except DataError as error:
            raise CannotLearn(str(error)) from error
        except DiskFull as error:
            if (folder / CONFIG).is_file():
                told_whole = f"{request.model} was learnt and is served, without its numbers and pictures"
                raise StorageFull(f"the server's disk is full; {told_whole}") from error
            # Half a model, and ours: the name was held, and no model had it. It is free again.
            shutil.rmtree(folder, ignore_errors=True)
            raise StorageFull("the server's disk is full; try again later") from error
    log.info("learnt", model=wish.name, seconds=round(time.monotonic() - began))
    yield JSON, lambda: to_json(said(folder, request, told, run))
    yield PNG, (folder / SAMPLES).read_bytes


def train(source: Source, wish: Wish, places: Places, listener: Listener, run: RunFolder | None) -> None:
    """Train, from where an attempt before this one came to, where its run is given."""
    resume = run is not None and run.begun_steps() is not None
    try:
        train_own(source, wish, places, resume=resume, listener=listener)
    except ResumeMismatch:
        train_own(source, wish, places, listener=listener)  # what is there is another's


@contextmanager
def leaving_nothing_when_purged(teller: "Teller", folder: Path, run: RunFolder) -> Iterator[None]:
    """Where a purge ends a training, remove its model and its run, unless another has taken the name up by now."""
    try:
        yield
    except Stopped as stopped:
        if stopped.why is Why.PURGED and teller.holds_name:
            with suppress(NameHeld), run.held():
                shutil.rmtree(folder, ignore_errors=True)
                shutil.rmtree(run.path, ignore_errors=True)
        raise


def read(request: TrainRequest, tools: Tools, report: Report) -> VideoFolder:
    """Decode every clip in the sandbox; broken ones are left out by number, and said to be."""
    names = {f"clip {number}": sha256 for number, sha256 in enumerate(request.clips, 1)}

    def square(path: Path, size: int) -> SquareVideo:
        report("reading clips", READ * (list(names).index(path.name) / len(names)))
        with tools.open_input(names[path.name]) as file:
            video = square_video(tools.decoder, file.fileno(), size, request.crop, tools.limits)
        return replace(video, digest=names[path.name][:DIGEST])

    frames = max(recipe_frames(request.family), LEAST_FRAMES)
    return read_videos([Path(name) for name in names], SIZE, frames, square)


def square_video(decoder: Decoder, fd: int, size: int, crop: str, limits: Limits) -> SquareVideo:
    """Read an open video as training takes it, here and in `twofold train`; of the limits frames do not count.

    Raises:
        Unreadable: it is damaged, too large, or of no kind that is taken, or shows no face where `crop` is `face`.

    """
    try:
        found = square_frames(
            decoder,
            fd,
            size=size,
            crop=crop,
            most=MAX_FRAMES,
            frame_pixels=limits.frame_pixels,
            seconds=limits.seconds,
            find_cuts=scene_cuts,
        )
    except Problem as problem:
        raise Unreadable(f"cannot be used: {problem.detail}") from problem
    return SquareVideo(found.frames, found.numbers, found.stride, found.count, found.cuts, found.faceless, found.shape)


class Teller:
    """Tells the asker how training goes, and hears of a cancel: training then ends, and what it made is kept."""

    def __init__(self, report: Telling, told: list[str]) -> None:
        self.report, self.told = report, told
        self.steps, self.next_report, self.held_out, self.picture = 1, 0, "", ""
        self.stage, self.share = "", READ  # as they were told last
        self.stopped: Stopped | None = None
        self.holds_name = False  # the run, or the model, of that name is ours

    def listener(self) -> Listener:
        """Return what a run is to call."""
        return Listener(
            on_begun=self.on_begun,
            on_step=self.on_step,
            on_measure=self.on_measure,
            on_sample=self.on_sample,
            on_stage=lambda stage: self.tell(stage, MOVED if stage == "measuring" else self.share),
            on_motion=self.on_motion,
            on_found=self.told.append,
            enough=lambda: self.stopped is not None,
            hurried=lambda: self.stopped is not None,
        )

    def on_begun(self, steps: int) -> None:
        """Note how many steps there will be at most."""
        self.steps, self.holds_name = steps, True

    def on_step(self, step: int, terms: Mapping[str, float], frames_per_second: float) -> None:
        """Report now and then."""
        if step >= self.next_report:
            self.next_report = step + max(1, self.steps // REPORTS)
            self.tell(f"training{self.held_out}", READ + (TRAINED - READ) * step / self.steps)

    def on_motion(self, share: float) -> None:
        """Report now and then."""
        due = TRAINED + (MOVED - TRAINED) * share
        if due - self.share >= (MOVED - TRAINED) / MOTION_REPORTS:
            self.tell(self.stage, due)

    def on_sample(self, picture: bytes) -> None:
        """Keep what the model draws by now, for the report that comes next."""
        self.picture = f"data:image/webp;base64,{base64.b64encode(picture).decode()}"

    def on_measure(self, step: int, scores: Mapping[str, float]) -> None:
        """Report how well held-out clips are redrawn by now: with the events before, that is the curve."""
        self.held_out = f": {scores['reconstruction_psnr']:.2f} dB on held-out clips after {step} steps"
        self.tell(f"training{self.held_out}", READ + (TRAINED - READ) * step / self.steps, self.picture)

    def tell(self, stage: str, share: float, picture: str = "") -> None:
        """Report, also once it is enough: a purge may follow a cancel.

        Raises:
            Stopped: another attempt holds the job, or nothing of it is to stay.

        """
        self.stage, self.share = stage, share
        try:
            self.report(stage, share, picture)
        except Stopped as stopped:
            if stopped.why is not Why.CANCELED:
                raise
            self.stopped = stopped

    def end(self) -> None:
        """Let a cancel or a purge that came meanwhile end the job.

        Raises:
            Stopped: the asker has canceled.

        """
        self.tell(self.stage, self.share)
        if self.stopped is not None:
            raise self.stopped


def said(folder: Path, request: TrainRequest, told: list[str], run: RunFolder) -> dict[str, Any]:
    """Return what is told of a new model: its sizes and numbers, what was found in the clips, and how it learnt."""
    config = read_config(folder)
    curve = [
        {"step": entry["step"], "psnr_db": round(entry["reconstruction_psnr"], 3)}
        for entry in run.entries()
        if "reconstruction_psnr" in entry
    ]
    best = run.best()
    return {
        "model": config["name"],
        "digest": config["digest"],
        "family": config["family"],
        "static_dim": config["static_dim"],
        "dynamic_dim": config["dynamic_dim"],
        "motion": bool(config.get("motion")),
        "crop": request.crop,
        "found": told,
        "metrics": config["metrics"],
        "curve": curve,
        "best": asdict(best) if best else None,
    }
