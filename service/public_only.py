"""Connections to the open internet alone: a name is resolved once, looked at, and then that very address is called.

Asking for the name twice, to look and then to call, would let a hostile name server answer differently the second time.
"""

import socket
from collections.abc import Awaitable, Callable, Iterable

from anyio import CapacityLimiter, to_thread
from anyio.lowlevel import RunVar
from httpcore import AnyIOBackend, AsyncNetworkBackend, AsyncNetworkStream, ConnectError

from jobs.callbacks import is_public

SocketOption = tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]
Resolve = Callable[[str, int], Awaitable[list[str]]]
# Awaited at the same time: as many as messages are sent, so that a name nobody answers for holds up no other. The
# thread of one that was given up ends when the resolver does.
LOOKUPS = 32
_lookups: RunVar[CapacityLimiter] = RunVar("_lookups")  # of an event loop


class NotPublic(ConnectError):
    """The name leads to a machine that is not in public."""


async def resolve(host: str, port: int) -> list[str]:
    """Return the addresses of a name.

    Threads of its own ask for them. Those of the event loop are few, and its chores need them: a name server that says
    nothing would have them all.

    Raises:
        ConnectError: it has none.

    """
    try:
        limiter = _lookups.get()
    except LookupError:
        limiter = CapacityLimiter(LOOKUPS)
        _lookups.set(limiter)
    try:
        found = await to_thread.run_sync(
            lambda: socket.getaddrinfo(host.encode("ascii"), port, type=socket.SOCK_STREAM),
            limiter=limiter,
            abandon_on_cancel=True,
        )
    except OSError as error:
        raise ConnectError(f"{host}: {error}") from error
    return list(dict.fromkeys(str(info[4][0]) for info in found))


class PublicOnly(AsyncNetworkBackend):
    """A network of public addresses."""

    def __init__(self, resolve: Resolve = resolve, allowed: Callable[[str], bool] = is_public) -> None:
        self._network = AnyIOBackend()
        self._resolve = resolve
        self._allowed = allowed

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[SocketOption] | None = None,
    ) -> AsyncNetworkStream:
        """Connect to a name's address; a single private one among several spoils them all.

        Raises:
            NotPublic: it has one.
            ConnectError: nobody answers.

        """
        addresses = await self._resolve(host, port)
        if hidden := [one for one in addresses if not self._allowed(one)]:
            raise NotPublic(f"{host} is {hidden[0]}, which is not in public")
        failure = ConnectError(f"{host} has no address")
        for address in addresses:
            try:
                return await self._network.connect_tcp(address, port, timeout, local_address, socket_options)
            except ConnectError as error:
                failure = error
        raise failure

    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[SocketOption] | None = None
    ) -> AsyncNetworkStream:
        """Refuse: a file of this machine is not in public."""
        raise NotPublic("no Unix sockets")

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await self._network.sleep(seconds)
