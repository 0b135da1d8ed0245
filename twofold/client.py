"""The HTTP client: files and names in, numpy arrays out, errors as exceptions that say what to do."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Literal, Self, cast
from urllib.parse import quote

import httpx

from jobs.errors import Canceled, Problem, TwofoldError
from twofold.results import Encoded, Job, LatentGrid, ProgressCallback, Swapped

ClipFile = str | os.PathLike[str] | IO[bytes]
"""A clip to upload: a file's path, or a file opened for reading in binary."""

Source = ClipFile | Encoded
"""One side of a swap: a clip to upload, or an earlier encode, whose codes are used again."""

Representation = Literal["json", "npz", "png", "mp4", "webp", "gif"]

DEFAULT_URL = "http://127.0.0.1:8000"
ASK_FOR_THE_JOB = {"Prefer": "respond-async", "Accept": "application/json"}
FIRST_POLL, SLOWEST_POLL = 0.05, 1.0
TRIES, LONGEST_RETRY_AFTER = 3, 10


class ServerUnreachable(TwofoldError):
    """No server answers at the address."""


class WaitedTooLong(TwofoldError):
    """The job still runs after the time that the caller gave it."""


class Client:
    """A Twofold server, as methods: `encode`, `swap`, `latent_grid`, and what is known of jobs and models.

    Each of the three waits for its job; `progress` is called with the job each time it has moved. A client may be
    used as a context manager, which closes its connections.

    Raises:
        Problem: the server refused the request, or the job failed or was canceled (`jobs.errors` has the tree);
            `slug`, `status` and `detail` say why.
        ServerUnreachable: nothing answers at `url`.
        WaitedTooLong: the job ran longer than `timeout` seconds; it goes on running.

    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        key: str | None = None,
        timeout: float = 3600.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        self.timeout = timeout
        self._http = httpx.Client(
            base_url=self.url,
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=httpx.Timeout(60.0, connect=5.0),
            transport=transport,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def encode(
        self,
        clip: ClipFile,
        *,
        model: str | None = None,
        start: float | None = None,
        end: float | None = None,
        stride: int | None = None,
        max_frames: int | None = None,
        crop: str | None = None,
        progress: ProgressCallback | None = None,
    ) -> Encoded:
        """Return the static and dynamic codes of a clip, and how well it fits the model.

        `start` and `end` in seconds; `crop` is none, center, face or "x,y,w,h" in pixels.
        """
        fields = {"model": model, "start": start, "end": end, "stride": stride, "max_frames": max_frames, "crop": crop}
        job = self.wait(self.submit_encode(clip, **fields), progress=progress)
        return Encoded.of(job.id, {name: self.result(job, name) for name in ("json", "npz")})

    def swap(
        self,
        static: Source | Sequence[Source],
        dynamic: Source | Sequence[Source],
        *,
        model: str | None = None,
        transfer: Literal["raw", "prior"] | None = None,
        progress: ProgressCallback | None = None,
    ) -> Swapped:
        """Return every static source doing the motion of every dynamic one; up to 8 of each."""
        job = self.wait(self.submit_swap(static, dynamic, model=model, transfer=transfer), progress=progress)
        return Swapped.of(job.id, {name: self.result(job, name) for name in ("json", "npz")})

    def latent_grid(
        self,
        *,
        model: str | None = None,
        static: Encoded | str | None = None,
        seed: int | None = None,
        size: int | None = None,
        dims: str | tuple[int, int] | None = None,
        extent: float | None = None,
        spacing: Literal["linear", "quantile"] | None = None,
        progress: ProgressCallback | None = None,
    ) -> LatentGrid:
        """Return the dynamic plane of one identity: an earlier encode's (or its job's id), or one drawn by seed."""
        fields = {
            "model": model,
            "static_job": static.job if isinstance(static, Encoded) else static,
            "seed": seed,
            "size": size,
            "dims": ",".join(map(str, dims)) if isinstance(dims, tuple) else dims,
            "extent": extent,
            "spacing": spacing,
        }
        job = self.wait(self.submit_latent_grid(**fields), progress=progress)
        return LatentGrid.of(job.id, {name: self.result(job, name) for name in ("json", "npz")})

    def submit_encode(self, clip: ClipFile, **fields: Any) -> Job:
        """Queue an encode and return its job at once; the fields are those of `encode`."""
        return self._submit("/encode", [("video", clip)], fields)

    def submit_swap(self, static: Source | Sequence[Source], dynamic: Source | Sequence[Source], **fields: Any) -> Job:
        """Queue a swap and return its job at once; the fields are those of `swap`."""
        sources = [
            (side, each) for side, given in (("static", static), ("dynamic", dynamic)) for each in _listed(given)
        ]
        return self._submit("/swap", sources, fields)

    def submit_latent_grid(self, **fields: Any) -> Job:
        """Queue a latent grid and return its job at once; the fields are those of the request's query."""
        answer = self._ask("GET", "/latent-grid", params={**_given(fields), "wait": 0}, headers=ASK_FOR_THE_JOB)
        return Job.of(answer.json()) if answer.status_code == 202 else self.job(_job_named_by(answer))

    def wait(self, job: Job | str, *, progress: ProgressCallback | None = None, timeout: float | None = None) -> Job:
        """Return the job once it has ended well; `timeout` in seconds, else the client's."""
        now, pause = self.job(job), FIRST_POLL
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        seen: Job | None = None
        while True:
            if progress is not None and now != seen:
                progress(now)
            if now.is_over:
                break
            if time.monotonic() > deadline:
                raise WaitedTooLong(
                    f"job {now.id} is still {now.status} after {self.timeout:.0f} s; it goes on running"
                )
            time.sleep(pause)
            pause = min(1.5 * pause, SLOWEST_POLL)
            seen, now = now, self.job(now)
        if now.status == "canceled":
            raise Canceled(f"job {now.id} was canceled")
        if now.error is not None:
            raise Problem.from_dict(now.error)
        return now

    def job(self, job: Job | str) -> Job:
        """Return where a job stands."""
        return Job.of(self._ask("GET", f"/jobs/{_id(job)}").json())

    def result(self, job: Job | str, representation: Representation = "npz") -> bytes:
        """Return a finished job's result in one representation."""
        return self._ask("GET", f"/jobs/{_id(job)}/result", params={"format": representation}).content

    def cancel(self, job: Job | str, *, purge: bool = False) -> Job:
        """Cancel a job; `purge` also deletes its inputs and results now."""
        answer = self._ask("DELETE", f"/jobs/{_id(job)}", params={"purge": "true"} if purge else {})
        return Job.of(answer.json())

    def models(self) -> list[dict[str, Any]]:
        """Return what is served: each model's name, family, sizes, digest, data, licence and metrics."""
        answer = self._ask("GET", "/models").json()
        return list(answer["models"] if isinstance(answer, dict) else answer)

    def model(self, name: str) -> dict[str, Any]:
        """Return what is known of one model."""
        return dict(self._ask("GET", f"/models/{quote(name, safe='')}").json())

    def _submit(self, path: str, sources: Sequence[tuple[str, Source]], fields: Mapping[str, Any]) -> Job:
        with contextlib.ExitStack() as opened:
            # Everything is a part of one multipart form, in order: the order of the sources is that of the rows.
            parts = [_part(opened, name, source) for name, source in sources]
            parts += [(name, (None, value)) for name, value in _given(fields).items()]
            return Job.of(self._ask("POST", path, files=parts, headers=ASK_FOR_THE_JOB).json())

    def _ask(self, method: str, path: str, **request: Any) -> httpx.Response:
        """Send one request, again where that is safe, and return an answer that is no problem.

        A request that never reached the server, or that it refused for being busy, may always be sent again; one whose
        answer was lost only if it changes nothing.
        """
        for attempt in range(1, TRIES + 1):
            last = attempt == TRIES
            try:
                answer = self._http.request(method, path, **request)
            except httpx.TransportError as error:
                never_arrived = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
                if last or not (never_arrived or method == "GET"):
                    raise ServerUnreachable(
                        f"no answer from {self.url} ({error or type(error).__name__}): is `twofold up` running there?"
                    ) from error
                time.sleep(0.2 * 2**attempt)
            else:
                if answer.is_success:
                    return answer
                pause = answer.headers.get("Retry-After", "") if answer.status_code in (429, 503) else ""
                if last or not pause.isdigit() or int(pause) > LONGEST_RETRY_AFTER:
                    raise _problem(answer)
                time.sleep(int(pause))
            for _, (_, content) in request.get("files", ()):
                if not isinstance(content, str):
                    content.seek(0)
        raise AssertionError("the last try returns or raises")


def _problem(answer: httpx.Response) -> Problem:
    """Read a refusal, also one from a proxy in between, which knows nothing of our form."""
    if answer.headers.get("Content-Type", "").startswith("application/problem+json"):
        return Problem.from_dict(answer.json())
    return Problem(f"HTTP {answer.status_code} from {answer.url}: {answer.text[:200]}")


def _given(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: str(value) for name, value in fields.items() if value is not None}


def _listed(sources: Source | Sequence[Source]) -> list[Source]:
    return list(sources) if isinstance(sources, list | tuple) else [cast(Source, sources)]


def _part(opened: contextlib.ExitStack, name: str, source: Source) -> tuple[str, tuple[str | None, IO[bytes] | str]]:
    if isinstance(source, Encoded):
        if source.job is None:
            raise ValueError("these codes were made without a server, which knows nothing of them: give it the clip")
        return f"{name}_job", (None, source.job)
    if isinstance(source, str | os.PathLike):
        return name, (Path(source).name, opened.enter_context(Path(source).open("rb")))
    return name, (Path(str(getattr(source, "name", "clip"))).name, source)


def _id(job: Job | str) -> str:
    return quote(job if isinstance(job, str) else job.id, safe="")


def _job_named_by(answer: httpx.Response) -> str:
    return answer.headers["Location"].rsplit("/", 1)[-1]
