"""The address that a server listens on: who may reach it, whether it is free, what to open."""

import ipaddress
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from jobs.errors import ConfigurationError
from jobs.keys import KeyFile
from jobs.settings import Settings

BACKLOG = 2048


def refuse_open_address(settings: Settings) -> None:
    """Let nobody but this machine in, as long as there are no keys.

    Raises:
        ConfigurationError: the address can be reached from elsewhere, or the file of keys cannot be read.

    """
    if settings.insecure or settings.published_on_loopback or is_loopback(settings.host):
        return
    if KeyFile(settings.own_keys_file).read():
        return
    raise ConfigurationError(
        f"{settings.host} can be reached from other machines, and anyone there could use this server: there are no "
        f"keys in {settings.own_keys_file}. Make one with `twofold keys add NAME`, listen on 127.0.0.1, or say "
        "--insecure where something else keeps strangers out"
    )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches the address; a name counts by what it resolves to, all of it."""
    try:
        found = {info[4][0] for info in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    except OSError:
        return False
    return bool(found) and all(ipaddress.ip_address(str(address).split("%")[0]).is_loopback for address in found)


@contextmanager
def listening(settings: Settings) -> Iterator[socket.socket]:
    """Hold the port ourselves, so that an API that is started again finds its callers still waiting.

    Raises:
        ConfigurationError: the address is taken, or is not ours.

    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((settings.host, settings.port))
        except OSError as error:
            raise ConfigurationError(
                f"cannot listen on {settings.host}:{settings.port}: {error.strerror}; "
                "choose another with --port, or --port 0 for any free one"
            ) from error
        listener.listen(BACKLOG)
        yield listener


def address_of(listener: socket.socket) -> str:
    """Return the URL to open."""
    host, port = listener.getsockname()[:2]
    if ipaddress.ip_address(host).is_unspecified:
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
