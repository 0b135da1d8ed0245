"""A server's answers without a server: the worker's own functions in this process, for `twofold --local`."""

import hashlib
import io
import os
import sys
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import IO, Any, BinaryIO, Self

import numpy as np
import structlog
from numpy.typing import ArrayLike

from jobs.ability import check_ability
from jobs.catalogue import Catalogue
from jobs.errors import ConfigurationError, NotAcceptable, UnknownJob, WrongValue
from jobs.movie_request import MOVIES, NPZ, filmed
from jobs.requests import MovieRequest, TrainRequest, parse_request
from jobs.settings import Settings, read_settings
from models.checkpoint import CheckpointError, LoadedModel
from twofold.client import ClipFile, Representation, Source, as_numbers
from twofold.results import Encoded, Job, ProgressCallback, Uploaded
from worker.kinds import Answerable, Tools, perform
from worker.media import Decoder
from worker.moving import movie
from worker.results import JSON, PNG
from worker.shelf import Shelf

MEDIA_TYPES: Mapping[Representation, str] = {
    "json": JSON,
    "npz": NPZ,
    "png": PNG,
    "mp4": MOVIES["mp4"],
    "webp": MOVIES["webp"],
    "gif": MOVIES["gif"],
}


class Local:
    """Asked like a `Client`; a job is done when it is waited for, a representation made when it is read."""

    def __init__(self, settings: Settings | None = None) -> None:
        # What goes to standard output is the answer.
        structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
        self._settings = settings or read_settings()
        self._catalogue = Catalogue(self._settings)
        self._shelf = Shelf(self._settings)
        self._decoder = Decoder()
        self._requests: dict[str, Answerable] = {}
        self._makers: dict[str, dict[str, Callable[[], bytes]]] = {}
        self._inputs: dict[str, Path] = {}
        self._folder = TemporaryDirectory(prefix="twofold-")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._decoder.close()
        self._folder.cleanup()

    def submit_encode(self, clip: ClipFile, **fields: Any) -> Job:
        """Take an encode; see `Client.encode`."""
        return self._take("encode", fields, clip=self._input(clip))

    def submit_swap(self, static: Sequence[Source], dynamic: Sequence[Source], **fields: Any) -> Job:
        """Take a swap; see `Client.swap`."""
        sides = {
            side: [self._source(source) for source in sources]
            for side, sources in (("static", static), ("dynamic", dynamic))
        }
        return self._take("swap", fields, **sides)

    def submit_latent_grid(self, static_job: str | None = None, **fields: Any) -> Job:
        """Take a latent grid; see `Client.latent_grid`."""
        if static_job is not None:
            return self._take("latent-grid", fields, static=self._codes(static_job))
        return self._take("latent-grid", {"seed": 0, **_said(fields)})

    def submit_predict(self, clip: Source | None = None, *, job: str | None = None, **fields: Any) -> Job:
        """Take a prediction; see `Client.predict`."""
        if job is None and clip is not None:
            return self._take("predict", fields, source=self._source(clip))
        return self._take("predict", fields, source=self._codes(str(job)))

    def submit_sample(self, static_job: str | None = None, **fields: Any) -> Job:
        """Take samples; see `Client.sample`."""
        return self._take("sample", fields, static=None if static_job is None else self._codes(static_job))

    def submit_interpolate(self, ends: Sequence[tuple[str, int]], **fields: Any) -> Job:
        """Take a path between two frames; see `Client.interpolate`."""
        return self._take(
            "interpolate", fields, ends=[{"source": self._codes(job), "frame": frame} for job, frame in ends]
        )

    def submit_decode(
        self, dynamic: ArrayLike, *, static: ArrayLike | None = None, static_job: str | None = None, **fields: Any
    ) -> Job:
        """Take codes to be decoded; see `Client.decode`."""
        return self._take(
            "decode",
            fields,
            static=None if static is None else as_numbers(static),
            identity=None if static_job is None else self._codes(static_job),
            dynamic=as_numbers(dynamic),
        )

    def wait(self, job: Job | str, *, progress: ProgressCallback | None = None) -> Job:
        """Do the job, and return it.

        Raises:
            Problem: it cannot be done.

        """
        job_id = job if isinstance(job, str) else job.id
        request = self._request(job_id)

        def report(stage: str, share: float) -> None:
            if progress is not None:
                progress(_view(job_id, request, "running", share, stage))

        report("loading", 0.0)
        tools = Tools(self._decoder, self._open, self._shelf.device, self._settings)
        self._makers[job_id] = dict(perform(request, self._loaded(request), tools, report))
        report("done", 1.0)
        return _view(job_id, request, "succeeded", 1.0, "done")

    def result(self, job: Job | str, representation: Representation = "npz") -> bytes:
        """Make one representation of a job that was waited for."""
        job_id = job if isinstance(job, str) else job.id
        makers, of = self._makers[job_id], filmed(self._request(job_id).kind)
        if make := makers.get(MEDIA_TYPES[representation]):
            return make()
        if of is None or representation not in MOVIES:
            has = ", ".join(name for name, media_type in MEDIA_TYPES.items() if media_type in makers)
            raise NotAcceptable(f"this has no {representation}; it has {has}")
        with np.load(io.BytesIO(makers[NPZ]()), allow_pickle=False) as arrays:
            return movie(of, arrays, representation, lambda stage, share: None)

    def models(self) -> list[dict[str, Any]]:
        """Return the models on this machine."""
        return [
            {
                **{key: entry.config.get(key) for key in ("image_size", "channels", "static_dim", "dynamic_dim")},
                "name": entry.name,
                "family": entry.family,
                "digest": entry.digest,
                "motion": entry.motion,
                "draws_identities": entry.draws_identities,
                "data": entry.config.get("data", {}),
                "metrics": entry.config.get("metrics", {}),
            }
            for entry in self._catalogue.models().values()
        ]

    def _take(self, kind: str, fields: Mapping[str, Any], **inputs: Any) -> Job:
        said = _said(fields)
        # Without a model the codes say whose they are.
        entry = self._catalogue.find(said.pop("model", None) or self._model_of(inputs))
        request = parse_request({**said, **inputs, "kind": kind, "model": entry.name, "digest": entry.digest})
        assert not isinstance(request, TrainRequest | MovieRequest), "no method here takes one: they need no job"
        check_ability(request, self._catalogue)
        job_id = uuid.uuid4().hex
        self._requests[job_id] = request
        return _view(job_id, request, "queued", 0.0, "waiting")

    def _model_of(self, inputs: Any) -> str | None:
        """Return the model of the encode that a request's inputs name first, if they name one."""
        if isinstance(inputs, Mapping):
            if isinstance(job := inputs.get("job"), str):
                return self._requests[job].model
            inputs = inputs.values()
        elif not isinstance(inputs, list):
            return None
        return next((found for one in inputs if (found := self._model_of(one))), None)

    def _request(self, job_id: str) -> Answerable:
        if job_id not in self._requests:
            raise UnknownJob(
                f"there is no job {job_id} in this process; without a server give the clip itself (--clip)"
            )
        return self._requests[job_id]

    def _loaded(self, request: Answerable) -> LoadedModel:
        try:
            return self._shelf.take(request.model, request.digest)
        except CheckpointError as error:
            raise ConfigurationError(str(error)) from error

    def _source(self, source: Source) -> dict[str, Any]:
        if isinstance(source, Uploaded):
            raise WrongValue(f"the clip {source.id} lies at a server; without one give the file itself")
        if isinstance(source, Encoded):
            return self._codes(str(source.job))
        return {"clip": self._input(source)}

    def _codes(self, job_id: str) -> dict[str, Any]:
        if (kind := self._request(job_id).kind) != "encode":
            raise WrongValue(f"expected an encode, {job_id} is a {kind}")
        path = Path(self._folder.name) / f"{job_id}.npz"
        path.write_bytes(self.result(job_id, "npz"))
        return {"codes": self._input(path), "job": job_id}

    def _input(self, clip: ClipFile) -> str:
        path = Path(clip) if isinstance(clip, str | os.PathLike) else self._kept(clip)
        with path.open("rb") as file:
            name = hashlib.file_digest(file, "sha256").hexdigest()
        self._inputs[name] = path
        return name

    def _kept(self, file: IO[bytes]) -> Path:
        path = Path(self._folder.name) / uuid.uuid4().hex
        path.write_bytes(file.read())
        return path

    def _open(self, name: str) -> BinaryIO:
        return self._inputs[name].open("rb")


def _said(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _view(job_id: str, request: Answerable, status: str, progress: float, stage: str) -> Job:
    return Job(
        id=job_id,
        kind=request.kind,
        status=status,
        model=request.model,
        digest=request.digest,
        progress=progress,
        stage=stage,
        results={},
    )
