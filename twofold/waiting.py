"""Waiting for a job by its event stream, taken up again where it was cut off; by asking, where there is none."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any

import httpx

from jobs.errors import Canceled, Problem, TwofoldError
from twofold.connection import GATEWAY, Connection, ServerUnreachable, id_of
from twofold.results import Job, ProgressCallback

PING = 15.0  # seconds of silence after which a server says that it is still there
SILENCE = 40.0  # seconds of it after which a stream counts as cut off
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 1.0  # seconds between two questions, or between two streams


class WaitedTooLong(TwofoldError):
    """The job still runs after the time that the caller gave it."""


class NoStream(Exception):
    """There is no event stream to be had: an older server, or a proxy that lets none through."""


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """One server-sent event."""

    id: str
    name: str
    data: dict[str, Any]


class Waiting(Connection):
    """A server whose jobs are waited for."""

    async def wait(
        self, job: Job | str, *, progress: ProgressCallback | None = None, timeout: float | None = None
    ) -> Job:
        """Return the job once it has ended well; `timeout` in seconds, else the client's.

        `progress` is called with the job each time it has moved. A server that goes away meanwhile, to start again,
        is given about a minute to come back.

        Raises:
            Problem: the job failed, or was canceled.
            WaitedTooLong: it still runs after the timeout.
            ServerUnreachable: the server went away and did not come back; the job goes on when it does.

        """
        seconds = self.timeout if timeout is None else timeout
        now: Job | None = None
        seen: Job | None = None
        async with aclosing(self._moves(id_of(job), seconds)) as moves:
            async for now in moves:
                if progress is not None and now != seen:
                    progress(now)
                seen = now
        assert now is not None, "a job that is asked for is told, or there is an exception"
        if now.status == "canceled":
            raise Canceled(f"job {now.id} was canceled")
        if now.error is not None:
            raise Problem.from_dict(now.error)
        return now

    async def _moves(self, job: str, seconds: float) -> AsyncGenerator[Job, None]:
        """Yield a job as it stands and each time it may have moved, until it is over."""
        deadline = time.monotonic() + seconds
        stream = _Stream()
        while True:
            now = await self._job(job, deadline)
            yield now
            if now.is_over:
                return
            if (left := deadline - time.monotonic()) <= 0:
                raise WaitedTooLong(f"job {job} is still {now.status} after {seconds:.4g} s; it goes on running")
            if stream.is_there and left > PING:
                async with aclosing(self._followed(stream, now, deadline)) as moves:
                    async for now in moves:
                        yield now
                if now.is_over:
                    return
            await self._network.sleep(min(stream.next_pause(), left))

    async def _followed(self, stream: _Stream, now: Job, deadline: float) -> AsyncGenerator[Job, None]:
        """Yield a job as its events move it, to its end, or until the stream is cut off or the time nearly over."""
        try:
            async with aclosing(self._events(now.id, stream.after)) as events:
                async for event in events:
                    if event is None:
                        # The server is there and has no news; but of a place in the queue it never sends any.
                        now = await self._job(now.id, deadline)
                    else:
                        stream.heard(event)
                        if event.name == "status" and not stream.is_as_of(now):
                            now = await self._job(now.id, deadline)
                        elif event.name == "progress" and stream.is_as_of(now):
                            progress = max(now.progress, event.data["progress"])
                            now = replace(now, progress=progress, stage=event.data["stage"])
                    yield now
                    if now.is_over or deadline - time.monotonic() <= PING:
                        return
        except httpx.TransportError:
            return
        except (NoStream, ValueError, KeyError):
            stream.is_there = False

    async def _events(self, job: str, after: str | None) -> AsyncGenerator[StreamEvent | None, None]:
        """Yield what the stream says after an event, and None when it says that it is still there.

        Raises:
            NoStream: what is answered is none, or nothing ever comes of it.
            httpx.TransportError: it was cut off.

        """
        headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": after} if after else {})
        async with self._network.stream(f"/jobs/{job}/events", headers, SILENCE) as (answer, lines):
            if answer.status_code == 204 or answer.status_code in GATEWAY:
                return
            if not answer.headers.get("Content-Type", "").startswith("text/event-stream"):
                raise NoStream
            spoke = False
            try:
                async with aclosing(parse(lines)) as events:
                    async for event in events:
                        spoke = True
                        yield event
            except httpx.ReadTimeout as error:
                if not spoke:
                    raise NoStream from error  # somebody in between keeps what the server says
                raise

    async def _job(self, job: str, deadline: float) -> Job:
        try:
            return Job.of(await self._told("GET", f"/jobs/{job}", patient=True, until=deadline))
        except ServerUnreachable as error:
            raise ServerUnreachable(f"{error} Job {job} is kept and goes on when it does") from error


@dataclass(slots=True)
class _Stream:
    """How far a job's event stream has been read, over all the connections that carried it."""

    is_there: bool = True
    after: str | None = None
    status: str = ""
    attempt: int = 0
    pause: float = FIRST_PAUSE

    def heard(self, event: StreamEvent) -> None:
        """Note what an event tells of the stream."""
        if event.id:
            self.after, self.pause = event.id, FIRST_PAUSE
        if event.name == "status":
            self.status = event.data["status"]
            self.attempt = event.data.get("attempts", self.attempt)

    def is_as_of(self, now: Job) -> bool:
        """Whether what is read now is of the attempt that the job is in: a stream begins with what has been."""
        return (self.status, self.attempt) == (now.status, now.attempts)

    def next_pause(self) -> float:
        """Return how long to wait before asking again; longer each time that nothing came of it."""
        pause, self.pause = self.pause, min(1.5 * self.pause, LONGEST_PAUSE)
        return pause


async def parse(lines: AsyncIterator[str]) -> AsyncGenerator[StreamEvent | None, None]:
    """Read server-sent events with JSON in them; None for a comment.

    An event that was cut off is none: what it said comes again after the id before it.
    """
    fields: dict[str, str] = {}
    async for line in lines:
        if line.startswith(":"):
            yield None
        elif line:
            name, _, value = line.partition(":")
            before = f"{fields[name]}\n" if name == "data" and name in fields else ""
            fields[name] = before + value.removeprefix(" ")
        elif fields:
            data = json.loads(fields.get("data", "{}"))
            yield StreamEvent(fields.get("id", ""), fields.get("event", ""), data)
            fields = {}
