"""A server's connection: requests that are sent again where that is safe, and what is known of jobs and models."""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncGenerator
from typing import Any, Literal
from urllib.parse import quote

import httpx

from jobs.errors import AlreadyFinished, KeyInUse, NotFinished, Problem, TwofoldError
from twofold.network import Network
from twofold.results import Job

Representation = Literal["json", "npz", "png", "mp4", "webp", "gif"]

DEFAULT_URL = "http://127.0.0.1:8000"
KEYED = "Idempotency-Key"
HARMLESS = ("GET", "HEAD", "DELETE")  # as often as one likes, with the same outcome
# Seconds between the tries of a request: few for an address that never answered, where most likely nobody is; about a
# minute for a server that did, which may be starting again.
STRANGER = (0.4, 0.8)
KNOWN = (0.4, 0.8, 1.6, 3.2, *[5.0] * 11)
BUSY_TRIES, LONGEST_RETRY_AFTER = 3, 10
NEVER_ARRIVED = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
GATEWAY = (502, 503, 504)  # what a proxy says while the server behind it is away


class ServerUnreachable(TwofoldError):
    """No server answers at the address, or what answers is none of ours."""


class Connection:
    """A server that is asked: what is known of its jobs and models, without the requests that make jobs."""

    def __init__(self, url: str, network: Network, timeout: float) -> None:
        self.url = url
        self.timeout = timeout
        self._network = network
        self._known = False  # whether a server has answered

    async def close(self) -> None:
        """Close the connections."""
        await self._network.close()

    async def job(self, job: Job | str) -> Job:
        """Return where a job stands."""
        return Job.of(await self._told("GET", f"/jobs/{id_of(job)}"))

    async def jobs(self, *, status: str | None = None, kind: str | None = None) -> AsyncGenerator[Job, None]:
        """Yield the caller's jobs, newest first, page after page as they are read."""
        wanted = {name: value for name, value in (("status", status), ("kind", kind)) if value is not None}
        cursor: str | None = None
        while True:
            page = await self._told("GET", "/jobs", params=wanted | ({"cursor": cursor} if cursor else {}))
            for job in page["jobs"]:
                yield Job.of(job)
            if (cursor := page["cursor"]) is None:
                return

    async def result(self, job: Job | str, representation: Representation = "npz") -> bytes:
        """Return a finished job's result in one representation; a movie is drawn when it is first asked for.

        Raises:
            NotFinished: the job has not ended yet; or its movie is not drawn within the client's timeout.

        """
        path, wanted = f"/jobs/{id_of(job)}/result", {"format": representation}
        until = time.monotonic() + self.timeout
        while True:
            try:
                return (await self._ask("GET", path, patient=True, until=until, params=wanted)).content
            except NotFinished:
                if time.monotonic() > until or (await self.job(job)).status != "succeeded":
                    raise
            await self._network.sleep(1)

    async def cancel(self, job: Job | str, *, purge: bool = False) -> Job:
        """Cancel a job; `purge` also deletes its inputs and results now."""
        try:
            return Job.of(await self._told("DELETE", f"/jobs/{id_of(job)}", params={"purge": "true"} if purge else {}))
        except AlreadyFinished:
            # Perhaps by us: a request whose answer was lost is sent again.
            if (now := await self.job(job)).status == "canceled":
                return now
            raise

    async def models(self) -> list[dict[str, Any]]:
        """Return what is served: each model's name, family, sizes, digest, data, licence and metrics."""
        answer = await self._told("GET", "/models")
        return list(answer["models"] if isinstance(answer, dict) else answer)

    async def model(self, name: str) -> dict[str, Any]:
        """Return what is known of one model."""
        return dict(await self._told("GET", f"/models/{quote(name, safe='')}"))

    async def _told(self, method: str, path: str, **request: Any) -> Any:
        answer = await self._ask(method, path, **request)
        try:
            return answer.json()
        except ValueError:
            raise ServerUnreachable(
                f"what answers at {self.url} is no Twofold server: expected JSON from {path}, "
                f"got {answer.headers.get('Content-Type', 'something else')}"
            ) from None

    async def _ask(
        self,
        method: str,
        path: str,
        *,
        harmless: bool = False,
        patient: bool = False,
        until: float | None = None,
        **request: Any,
    ) -> httpx.Response:
        """Send one request, again where that is safe, and return an answer that is no problem.

        A request that never reached the server, or that it refused for being busy, may always be sent again; one whose
        answer was lost only if it changes nothing (`harmless` says so where method and key do not), or carries an
        Idempotency-Key. `patient` also waits for what is behind the server, a Redis that starts again; nothing is
        tried after `until`, of `time.monotonic`.

        Raises:
            Problem: the server refused it.
            ServerUnreachable: nobody answers.

        """
        harmless = harmless or method in HARMLESS or KEYED in request.get("headers", {})
        tried = 0
        while True:
            pauses = KNOWN if self._known else STRANGER
            pause = pauses[tried] if tried < len(pauses) else None
            if until is not None and pause is not None and time.monotonic() + pause > until:
                pause = None
            tried += 1
            try:
                answer = await self._network.request(method, path, **request)
            except httpx.UnsupportedProtocol as error:
                raise ServerUnreachable(f"{self.url}: expected an address such as {DEFAULT_URL}") from error
            except httpx.TransportError as error:
                if pause is None or not (harmless or isinstance(error, NEVER_ARRIVED)):
                    raise ServerUnreachable(
                        f"no answer from {self.url} ({error or type(error).__name__}): is `twofold up` running there?"
                    ) from error
            else:
                self._known = True
                if answer.is_success:
                    return answer
                problem = problem_of(answer)
                asked = _asked_to_wait(answer, problem)
                if isinstance(problem, KeyInUse) and tried == BUSY_TRIES:
                    # Whoever reads our first try does not come to an end; should it yet, the same request is one job.
                    request["headers"] = {**request["headers"], KEYED: new_key()}
                elif asked is None or not (patient or tried < BUSY_TRIES):
                    pause = None
                if pause is None:
                    raise problem
                pause = asked or pause
            await self._network.sleep(pause)


def _asked_to_wait(answer: httpx.Response, problem: Problem) -> int | None:
    """Return after how many seconds a refusal may be gone, or None for one that will stay."""
    if type(problem) is Problem and answer.status_code in GATEWAY:
        return 0
    said = answer.headers.get("Retry-After", "")
    busy = answer.status_code in (429, 503) or isinstance(problem, KeyInUse)
    return int(said) if busy and said.isdigit() and int(said) <= LONGEST_RETRY_AFTER else None


def new_key() -> str:
    """Return what makes a request and its repetitions one."""
    return uuid.uuid4().hex


def problem_of(answer: httpx.Response) -> Problem:
    """Read a refusal, also one from a proxy in between, which knows nothing of our form."""
    if answer.headers.get("Content-Type", "").startswith("application/problem+json"):
        return Problem.from_dict(answer.json())
    if answer.is_redirect:
        return Problem(f"{answer.url} sends to {answer.headers.get('Location')}: give that server's address")
    return Problem(f"HTTP {answer.status_code} from {answer.url}: {answer.text[:200]}")


def id_of(job: Job | str) -> str:
    """Return a job's id as a part of a path, which cannot lead anywhere else."""
    return quote(job if isinstance(job, str) else job.id, safe="")
