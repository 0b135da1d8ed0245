"""What the asking commands share: a server (or this process), a progress bar, results to files and to the terminal."""

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import ArrayLike
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
from rich.table import Column, Table

from jobs.errors import TwofoldError
from twofold.client import DEFAULT_URL, Client, ClipFile, Representation, Source
from twofold.results import Job, ProgressCallback
from twofold.said import KEY


class CannotWrite(TwofoldError):
    """The result is there, and the file that was to hold it is not."""


class Answering(Protocol):
    """What both a server's client and this process can be asked."""

    def submit_encode(self, clip: ClipFile, **fields: Any) -> Job: ...  # noqa: D102
    def submit_swap(self, static: Sequence[Source], dynamic: Sequence[Source], **fields: Any) -> Job: ...  # noqa: D102
    def submit_latent_grid(self, **fields: Any) -> Job: ...  # noqa: D102
    def submit_predict(self, clip: Source | None = None, **fields: Any) -> Job: ...  # noqa: D102
    def submit_sample(self, **fields: Any) -> Job: ...  # noqa: D102
    def submit_interpolate(self, ends: Sequence[tuple[str, int]], **fields: Any) -> Job: ...  # noqa: D102
    def submit_decode(self, dynamic: ArrayLike, **fields: Any) -> Job: ...  # noqa: D102
    def wait(self, job: Job | str, *, progress: ProgressCallback | None = None) -> Job: ...  # noqa: D102
    def result(self, job: Job | str, representation: Representation) -> bytes: ...  # noqa: D102
    def models(self) -> list[dict[str, Any]]: ...  # noqa: D102


def server_at(url: str | None) -> Client:
    """Return the server at `url`, asked with the key of the command line or of TWOFOLD_KEY."""
    return Client(url or DEFAULT_URL, key=KEY.get())


@contextmanager
def asking(url: str | None, local: bool) -> Iterator[Answering]:
    """Yield whoever is to answer: this process, or the server at `url`."""
    if local:
        from twofold.local import Local

        with Local() as here:
            yield here
    else:
        with server_at(url) as client:
            yield client


def watch(server: Answering, job: Job, as_json: bool) -> Job:
    """Wait for a job, with a bar where somebody can see it; one who gives up is told what becomes of the job."""
    try:
        return _waited(server, job, as_json)
    except KeyboardInterrupt:
        if isinstance(server, Client):
            sys.stderr.write(
                f"twofold: interrupted; job {job.id} goes on at {server.url}. The same command waits for it again, "
                f"`twofold jobs --cancel {job.id}` stops it\n"
            )
        raise


def _waited(server: Answering, job: Job, as_json: bool) -> Job:
    console = Console(stderr=True)
    if as_json or not console.is_terminal:
        return server.wait(job)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(job.kind, total=1.0)

        def moved(now: Job) -> None:
            place = f" (number {now.position} in the queue)" if now.position else ""
            bar.update(task, completed=now.progress, description=f"{now.kind}: {now.stage or now.status}{place}")

        return server.wait(job, progress=moved)


def answer(server: Answering, job: Job, output: Sequence[Path], as_json: bool) -> None:
    """Wait for a job, write the files that were asked for, and say what came out."""
    done = watch(server, job, as_json)
    for path in output:
        with _drawing(path, as_json):
            content = server.result(done, representation_of(path))
        _write(path, content)
    said = json.loads(server.result(done, "json"))
    if as_json:
        print(json.dumps({"job": done.id, "written": [str(path) for path in output], **said}))
        return
    console = Console()
    console.print(summary(done.kind, said))
    for path in output:
        console.print(f"wrote {path} ({path.stat().st_size / 1000:,.0f} kB)", highlight=False)
    if not output:
        console.print("-o FILE keeps the result: .npz .json .png and, for clips, .mp4 .webp .gif", highlight=False)


def _drawing(path: Path, as_json: bool) -> AbstractContextManager[object]:
    """Say meanwhile that a representation is being made: a movie takes its time."""
    console = Console(stderr=True)
    return nullcontext() if as_json or not console.is_terminal else console.status(f"drawing {path}")


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise CannotWrite(
            f"{path} cannot be written: {error.strerror}; the same command with another -o finds its job done"
        ) from error


def representation_of(path: Path) -> Representation:
    """Return the representation that a file's name asks for; `options` has checked that there is one."""
    name: Representation = path.suffix.removeprefix(".").lower()  # type: ignore[assignment]
    return name


def summary(kind: str, said: Mapping[str, Any]) -> Table:
    """Return the few lines of a result that a person reads first."""
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_row("model", f"{said['model']}  {str(said['digest'])[:19]}…")
    if kind == "encode":
        table.add_row(
            "frames", f"{said['frames']} at {said['fps']:.4g} a second" if said.get("fps") else f"{said['frames']}"
        )
        table.add_row("codes", f"static {len(said['static'])}, dynamic {len(said['dynamic'][0])} a frame")
        table.add_row("fit", told_fit(said["fit"]))
    else:
        for name, value in said.items():
            if name not in ("model", "digest") and isinstance(value, str | int | float):
                table.add_row(name, f"{value}")
            elif name == "dims":
                table.add_row(name, ", ".join(map(str, value)))
            elif name == "fit":
                table.add_row(name, told_fit(value))
            elif name in ("static", "dynamic") and kind == "swap":
                for number, source in enumerate(value, start=1):
                    table.add_row(f"{name} {number}", f"{source['frames']} frames, fit {told_fit(source['fit'])}")
    return table


def told_fit(fit: Mapping[str, Any]) -> str:
    """Say whether a clip is like the model's training data."""
    parts = [f"{fit['psnr_db']:.1f} dB"] if fit.get("psnr_db") is not None else []
    if fit.get("percentile") is not None:
        parts.append(f"percentile {fit['percentile']:.0f} among held-out clips")
    if fit.get("typical") is False:
        parts.append(f"[bold red]not like the training data[/]: {fit.get('reason') or 'do not trust these codes'}")
    return ", ".join(parts) or "not measured for this model"


def show_jobs(jobs: Iterable[Job], as_json: bool) -> None:
    """List jobs."""
    if as_json:
        print(json.dumps([asdict(job) for job in jobs]))
        return
    table = Table(Column("job", min_width=32), "kind", "status", "model", "made", box=None)  # an id is for copying
    for job in jobs:
        status = f"{job.status} {job.progress:.0%}" if job.status == "running" else job.status
        table.add_row(job.id, job.kind, status, str(job.model), str(job.created)[:19].replace("T", " "))
    Console().print(table)


def show_models(models: Sequence[Mapping[str, Any]], as_json: bool) -> None:
    """List models."""
    if as_json:
        print(json.dumps(list(models)))
        return
    longest = max((len(str(model["name"])) for model in models), default=0)  # a name is for copying
    table = Table(
        Column("model", no_wrap=True, min_width=longest),
        "family",
        "picture",
        "static",
        "dynamic",
        "motion",
        "learnt from",
        "licence",
        box=None,
    )
    for model in models:
        data = model.get("data") or {}
        size = f"{model.get('image_size')}²×{model.get('channels')}"
        codes = (str(model.get("static_dim")), str(model.get("dynamic_dim")))
        # Of a licence only its name: whose work it was is in --json and in the model's card.
        about = (str(data.get("name", "")), re.split("[;:]", str(data.get("licence", "")))[0])
        motion = "yes" if model.get("motion") else "no"
        table.add_row(str(model["name"]), str(model["family"]), size, *codes, motion, *about)
    Console().print(table)
    if not models:
        sys.stderr.write("no models are served: TWOFOLD_MODELS_DIR names a folder of your own\n")
