"""The network below a client: the one place where waiting is blocking or awaited.

All that a client does is written once, as coroutines over a `Network`. Over `BlockingNetwork` those never suspend, so
`finished` runs one to its end in a plain call, without an event loop; over `AsyncNetwork` the caller's loop runs them.
"""

import time
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol, TypedDict, TypeVar, cast

import anyio
import httpx

T = TypeVar("T")
SILENCE, CONNECTED_WITHIN = 60.0, 5.0  # seconds


class Setup(TypedDict):
    """What both kinds of `httpx` client are made with."""

    base_url: str
    headers: dict[str, str]
    trust_env: bool  # whether a proxy that the environment names is asked


class Network(Protocol):
    """A server's address and the connections to it; what fails is an `httpx.TransportError`."""

    async def request(self, method: str, path: str, **request: Any) -> httpx.Response:
        """Send a request and return the whole answer."""

    def stream(
        self, path: str, headers: Mapping[str, str], silence: float
    ) -> AbstractAsyncContextManager[tuple[httpx.Response, AsyncIterator[str]]]:
        """Open an answer and yield it with its lines, as they come; `silence` seconds without one are a failure."""

    async def sleep(self, seconds: float) -> None:
        """Wait."""

    async def close(self) -> None:
        """Close the connections."""


class AsyncNetwork:
    """A network that is awaited, under asyncio or trio."""

    def __init__(self, setup: Setup, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._http = httpx.AsyncClient(**setup, timeout=_timeout(), transport=transport)

    async def request(self, method: str, path: str, **request: Any) -> httpx.Response:
        """Send a request and return the whole answer."""
        return await self._http.request(method, path, **request)

    @asynccontextmanager
    async def stream(
        self, path: str, headers: Mapping[str, str], silence: float
    ) -> AsyncGenerator[tuple[httpx.Response, AsyncIterator[str]], None]:
        """Open an answer and yield it with its lines."""
        async with self._http.stream("GET", path, headers=headers, timeout=_timeout(silence)) as answer:
            yield answer, answer.aiter_lines()

    async def sleep(self, seconds: float) -> None:
        """Wait, while others run."""
        await anyio.sleep(seconds)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()


class BlockingNetwork:
    """A network whose coroutines block where they would be awaited, and never suspend."""

    def __init__(self, setup: Setup, transport: httpx.BaseTransport | None = None) -> None:
        self._http = httpx.Client(**setup, timeout=_timeout(), transport=transport)

    async def request(self, method: str, path: str, **request: Any) -> httpx.Response:
        """Send a request and return the whole answer."""
        return self._http.request(method, path, **request)

    @asynccontextmanager
    async def stream(
        self, path: str, headers: Mapping[str, str], silence: float
    ) -> AsyncGenerator[tuple[httpx.Response, AsyncIterator[str]], None]:
        """Open an answer and yield it with its lines."""
        with self._http.stream("GET", path, headers=headers, timeout=_timeout(silence)) as answer:
            yield answer, _each(answer.iter_lines())

    async def sleep(self, seconds: float) -> None:
        """Wait, and the thread with us."""
        time.sleep(seconds)

    async def close(self) -> None:
        """Close the connections."""
        self._http.close()


def finished(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine over a `BlockingNetwork` to its end, and return what it returns."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return cast(T, end.value)
    coroutine.close()
    raise AssertionError("what runs over a blocking network never suspends")


def each_finished(generator: AsyncGenerator[T, None]) -> Iterator[T]:
    """Yield what an asynchronous generator over a `BlockingNetwork` yields."""
    try:
        while True:
            try:
                one = finished(generator.__anext__())
            except StopAsyncIteration:
                return
            yield one
    finally:
        finished(generator.aclose())


async def _each(lines: Iterator[str]) -> AsyncGenerator[str, None]:
    for line in lines:
        yield line


def _timeout(silence: float = SILENCE) -> httpx.Timeout:
    return httpx.Timeout(SILENCE, connect=CONNECTED_WITHIN, read=silence)
