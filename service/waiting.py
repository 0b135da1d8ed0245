"""Waiting for jobs: one blocking read a process over the streams of all the jobs that somebody waits for.

The reader only says that a stream has grown. Whoever follows a job then reads the stream itself from where it stopped,
so nothing is lost or repeated, however many wait, and whatever Redis does in between.
"""

import asyncio
import contextlib
import logging
import math
import secrets
import time
from collections import defaultdict
from collections.abc import AsyncGenerator
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from jobs.connection import LONGEST_BLOCK
from jobs.events import BEGINNING, PREFIX, Event, parse_entries, stream_key

PAUSE = 0.5  # seconds after Redis failed
LOOK_EVERY = 15.0  # seconds of silence after which it is made sure that there is anything to wait for
AT_ONCE = 200  # events of one read
log = logging.getLogger(__name__)


class Waiting:
    """The streams that are followed in this process, and the task that watches them."""

    def __init__(self, redis: Redis) -> None:
        self.redis = redis
        self.wake_key = f"{PREFIX}wake:{secrets.token_hex(8)}"
        self.cursors: dict[str, str] = {self.wake_key: BEGINNING}
        self.bells: dict[str, set[asyncio.Event]] = defaultdict(set)
        self.task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Waiting":
        self.task = asyncio.create_task(self._watch(), name="twofold-waiting")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self.task is not None:
            self.task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self.task
        with contextlib.suppress(RedisError):
            await self.redis.delete(self.wake_key)
        await self.redis.aclose()

    async def follow(
        self, job_id: str, after: str = BEGINNING, silence: float | None = None, seconds: float = math.inf
    ) -> AsyncGenerator[Event | None, None]:
        """Yield a job's events after an id, the last one last; None whenever nothing came for `silence` seconds.

        Where the job's events are gone, purged or expired, nothing will come any more, and that is the end, too. So it
        is when `seconds` are over; no question to Redis is broken off for that, which may leave its answer to another.
        """
        key, bell, cursor = stream_key(job_id), asyncio.Event(), after
        until = time.monotonic() + seconds
        try:
            await self._subscribe(key, bell)
            while True:
                bell.clear()
                try:
                    entries: Any = await self.redis.xrange(key, min=f"({cursor}", count=AT_ONCE)
                except RedisError:
                    await asyncio.sleep(PAUSE)
                    if time.monotonic() >= until:
                        return
                    yield None
                    continue
                _heed_cancel()
                for event in parse_entries(entries):
                    cursor = event.id
                    yield event
                    if event.final:
                        return
                left = until - time.monotonic()
                if left <= 0:
                    return
                if not entries:
                    try:
                        async with asyncio.timeout(min(silence or LOOK_EVERY, left)):
                            await bell.wait()
                    except TimeoutError:
                        if await self._gone(key):
                            return
                        yield None
        finally:
            self._unsubscribe(key, bell)

    async def until_ended(self, job_id: str, seconds: float) -> bool:
        """Wait for a job's end; False when it did not come in time."""
        async with contextlib.aclosing(self.follow(job_id, seconds=seconds)) as events:
            async for event in events:
                if event is not None and event.final:
                    return True
        return False

    async def last_id(self, job_id: str) -> str:
        """Return the id of a job's latest event."""
        entries: Any = await self.redis.xrevrange(stream_key(job_id), count=1)
        return next(parse_entries(entries)).id if entries else BEGINNING

    async def _gone(self, key: str) -> bool:
        try:
            return not await self.redis.exists(key)
        except RedisError:
            return False

    async def _subscribe(self, key: str, bell: asyncio.Event) -> None:
        self.bells[key].add(bell)
        if key not in self.cursors:
            self.cursors[key] = BEGINNING
            with contextlib.suppress(RedisError):
                # Ends the read that is under way, which does not know this stream.
                async with self.redis.pipeline(transaction=False) as pipeline:
                    pipeline.xadd(self.wake_key, {"for": key}, maxlen=1, approximate=False)
                    pipeline.expire(self.wake_key, 3600)
                    await pipeline.execute()

    def _unsubscribe(self, key: str, bell: asyncio.Event) -> None:
        self.bells[key].discard(bell)
        if not self.bells[key]:
            del self.bells[key]
            self.cursors.pop(key, None)

    async def _watch(self) -> None:
        while True:
            try:
                cursors: Any = dict(self.cursors)
                answer: Any = await self.redis.xread(cursors, count=AT_ONCE, block=round(LONGEST_BLOCK * 1000))
            except RedisError as error:
                log.warning("cannot watch jobs: %s", error)
                await asyncio.sleep(PAUSE)
                self._ring_all()
                continue
            _heed_cancel()
            for raw_key, entries in answer or []:
                key = raw_key.decode()
                if key in self.cursors:
                    self.cursors[key] = entries[-1][0].decode()
                for bell in self.bells.get(key, ()):
                    bell.set()

    def _ring_all(self) -> None:
        for bells in self.bells.values():
            for bell in bells:
                bell.set()


def _heed_cancel() -> None:
    """End a task that was told to end while it asked Redis.

    redis-py asks by `asyncio.wait_for`, which before Python 3.12 loses a cancel that comes when the answer does.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
