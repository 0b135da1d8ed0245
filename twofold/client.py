"""The clients: `AsyncClient`, whose methods are awaited, and `Client`, whose same methods block."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from functools import wraps
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

import httpx

from jobs.errors import ConfigurationError
from twofold.connection import DEFAULT_URL, Representation, ServerUnreachable
from twofold.network import AsyncNetwork, BlockingNetwork, Setup, each_finished, finished
from twofold.server import ClipFile, End, Server, Source, as_numbers
from twofold.waiting import WaitedTooLong

P = ParamSpec("P")
T = TypeVar("T")


class AsyncClient(Server):
    """A Twofold server, as methods to await: one for each kind of job, and what is known of jobs and models.

    Each kind's method waits for its job; `progress` is called with the job each time it has moved. A client may be
    used as an asynchronous context manager, which closes its connections. It works under asyncio and trio.

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
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        url = url.rstrip("/")
        super().__init__(url, AsyncNetwork(_setup(url, key), transport), timeout)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


def blocking(method: Callable[Concatenate[Server, P], Coroutine[Any, Any, T]]) -> Callable[Concatenate[Client, P], T]:
    """Return a server's method as a client's that blocks until it is done."""

    @wraps(method)
    def call(client: Client, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return finished(method(client._server, *args, **kwargs))

    return call


def blocking_each(
    method: Callable[Concatenate[Server, P], AsyncGenerator[T, None]],
) -> Callable[Concatenate[Client, P], Iterator[T]]:
    """Return a server's method that yields as a client's that blocks for each."""

    @wraps(method)
    def call(client: Client, /, *args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
        return each_finished(method(client._server, *args, **kwargs))

    return call


class Client:
    """As `AsyncClient`, whose methods these are, but each blocks until it is done; it raises what they raise.

    A client may be used as a context manager, which closes its connections.
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
        self._server = Server(self.url, BlockingNetwork(_setup(self.url, key), transport), timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def timeout(self) -> float:
        """Seconds that a job is waited for, unless told otherwise."""
        return self._server.timeout

    encode = blocking(Server.encode)
    swap = blocking(Server.swap)
    latent_grid = blocking(Server.latent_grid)
    predict = blocking(Server.predict)
    sample = blocking(Server.sample)
    interpolate = blocking(Server.interpolate)
    decode = blocking(Server.decode)
    train = blocking(Server.train)

    submit_encode = blocking(Server.submit_encode)
    submit_swap = blocking(Server.submit_swap)
    submit_latent_grid = blocking(Server.submit_latent_grid)
    submit_predict = blocking(Server.submit_predict)
    submit_sample = blocking(Server.submit_sample)
    submit_interpolate = blocking(Server.submit_interpolate)
    submit_decode = blocking(Server.submit_decode)
    submit_train = blocking(Server.submit_train)

    upload = blocking(Server.upload)
    clip = blocking(Server.clip)
    delete_clip = blocking(Server.delete_clip)

    wait = blocking(Server.wait)
    job = blocking(Server.job)
    jobs = blocking_each(Server.jobs)
    result = blocking(Server.result)
    cancel = blocking(Server.cancel)
    models = blocking(Server.models)
    model = blocking(Server.model)
    close = blocking(Server.close)


def _setup(url: str, key: str | None) -> Setup:
    if key is not None and not (key.isascii() and key.isprintable()):
        raise ConfigurationError("a key has only plain letters, digits and signs; this one was not copied whole")
    try:
        host = httpx.URL(url).host
    except httpx.InvalidURL as error:
        raise ConfigurationError(f"{url!r:.80} is no address ({error}); expected one such as {DEFAULT_URL}") from None
    # A proxy cannot reach a server on this machine, whatever the environment says of the network outside.
    here = host == "localhost" or host.startswith("127.") or host == "::1"
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return {"base_url": url, "headers": headers, "trust_env": not here}


__all__ = [
    "DEFAULT_URL",
    "AsyncClient",
    "Client",
    "ClipFile",
    "End",
    "Representation",
    "ServerUnreachable",
    "Source",
    "WaitedTooLong",
    "as_numbers",
]
