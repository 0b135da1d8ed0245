"""A server's connection: requests that are sent again where that is safe, and jobs that are waited for."""

from __future__ import annotations

import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Literal, Self
from urllib.parse import quote

import httpx

from jobs.errors import Canceled, Problem, TwofoldError
from twofold.results import Job, ProgressCallback

Representation = Literal["json", "npz", "png", "mp4", "webp", "gif"]

DEFAULT_URL = "http://127.0.0.1:8000"
FIRST_POLL, SLOWEST_POLL = 0.05, 1.0
TRIES, LONGEST_RETRY_AFTER = 3, 10


class ServerUnreachable(TwofoldError):
    """No server answers at the address."""


class WaitedTooLong(TwofoldError):
    """The job still runs after the time that the caller gave it."""


class Connection:
    """A server that is asked: what is known of its jobs and models, without the requests that make jobs."""

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

    def jobs(self, *, status: str | None = None, kind: str | None = None) -> Iterator[Job]:
        """Yield the caller's jobs, newest first, page after page as they are read."""
        wanted = {name: value for name, value in (("status", status), ("kind", kind)) if value is not None}
        cursor: str | None = None
        while True:
            page = self._ask("GET", "/jobs", params=wanted | ({"cursor": cursor} if cursor else {})).json()
            yield from map(Job.of, page["jobs"])
            if (cursor := page["cursor"]) is None:
                return

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


def _id(job: Job | str) -> str:
    return quote(job if isinstance(job, str) else job.id, safe="")
