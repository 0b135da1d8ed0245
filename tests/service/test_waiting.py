"""A wait for a job ends when its time is over, whatever happens meanwhile, and leaves nothing behind."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest

from jobs.connection import connect, connect_async
from jobs.events import stream_key
from service.waiting import Waiting


def waiting(redis_url: str, what: Callable[[Waiting], Awaitable[None]]) -> None:
    async def run() -> None:
        async with Waiting(connect_async(redis_url)) as streams:
            await what(streams)
            assert set(streams.cursors) == {streams.wake_key}
            assert not streams.bells

    asyncio.run(run())


@pytest.mark.parametrize("seconds", [0.0, 1e-5, 1e-4, 0.01])
def test_however_short_a_wait_is_its_stream_is_watched_no_longer(redis_url: str, seconds: float) -> None:
    async def ask(streams: Waiting) -> None:
        for _ in range(20):
            assert not await streams.until_ended("nothing", seconds)

    waiting(redis_url, ask)


def test_nor_is_that_of_a_caller_who_went_away_at_once(redis_url: str) -> None:
    async def go_away(streams: Waiting) -> None:
        for number in range(20):
            caller = asyncio.create_task(streams.until_ended("nothing", 60))
            for _ in range(number):
                await asyncio.sleep(0)
            caller.cancel()
            with pytest.raises(asyncio.CancelledError):
                await caller

    waiting(redis_url, go_away)


def test_news_in_between_do_not_make_a_wait_longer(redis_url: str) -> None:
    """Each piece of news is a question to Redis: a time that is over while one is asked is over nevertheless."""

    async def listen(streams: Waiting) -> None:
        async def waited(number: int) -> float:
            began = time.monotonic()
            assert not await streams.until_ended("busy", 0.3 + number / 100)
            return time.monotonic() - began

        async def news() -> None:
            with connect(redis_url) as redis:
                while True:
                    redis.xadd(stream_key("busy"), {"event": "progress", "data": "{}"}, maxlen=50)
                    await asyncio.sleep(0.01)

        telling = asyncio.create_task(news())
        try:
            took = await asyncio.wait_for(asyncio.gather(*(waited(number) for number in range(30))), 30)
        finally:
            telling.cancel()
        assert max(took) < 3

    waiting(redis_url, listen)
