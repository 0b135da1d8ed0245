"""`twofold up`: page, API, a worker for each queue and an embedded server, from one terminal, until Ctrl-C."""

import ipaddress
import logging
import signal
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from jobs.embedded import redis_server
from jobs.errors import ConfigurationError
from jobs.requests import QUEUES
from jobs.settings import Settings
from twofold.processes import Child, stop_all

READY_WITHIN = 120.0  # seconds; a slow disk may take most of them to load torch the first time
STOP_WITHIN = 20.0  # seconds for running jobs, which are taken up again at the next start if they need longer
DEATHS_BEFORE_READY = 4  # of one child, after which there is no use in waiting
BACKLOG = 2048


class Stop(Exception):
    """Somebody asked us to end."""


def bring_up(settings: Settings) -> None:
    """Run everything on this machine until a signal, and leave nothing running.

    Raises:
        ConfigurationError: the address may not or cannot be used, there is no Redis, or the parts do not come up.

    """
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    refuse_open_address(settings)
    try:
        with listening(settings) as listener, stopping_on_signals(), redis_server(settings) as redis_url:
            run_children(settings.model_copy(update={"redis_url": redis_url}), listener)
    except Stop:
        say("Stopped.")


def run_children(settings: Settings, listener: socket.socket) -> None:
    """Start API and workers, say when they are ready, and keep them running; never returns but by `Stop`."""
    environment = settings.environment()
    api = Child("the API", ["serve", "--fd", str(listener.fileno())], environment, pass_fds=[listener.fileno()])
    workers = [Child(f"the {queue} worker", ["worker", "--queue", queue], environment) for queue in QUEUES]
    address = address_of(listener)
    say(f"Starting Twofold at {address} (data in {settings.data_dir})")
    try:
        tend_until_ready([api, *workers], address)
        say(f"Twofold is ready: {address}   (Ctrl-C stops it)")
        while True:
            for child in (api, *workers):
                child.tend()
            time.sleep(0.2)
    finally:
        say("Stopping …")
        # The API first, so that nothing new comes while the workers finish.
        stop_all([api], STOP_WITHIN)
        stop_all(workers, STOP_WITHIN)


def tend_until_ready(children: Sequence[Child], address: str) -> None:
    """Start the children and wait until the API says that a warm worker has announced itself.

    Raises:
        ConfigurationError: one of them keeps dying, or it takes too long.

    """
    deadline = time.monotonic() + READY_WITHIN
    while not is_ready(address):
        for child in children:
            child.tend()
            if child.deaths >= DEATHS_BEFORE_READY:
                raise ConfigurationError(f"{child.name} does not start: what it says is above")
        if time.monotonic() > deadline:
            raise ConfigurationError(f"not ready after {READY_WITHIN:.0f} s: {address}/readyz says what is missing")
        time.sleep(0.1)


def is_ready(address: str) -> bool:
    """Ask /readyz."""
    try:
        with urllib.request.urlopen(f"{address}/readyz", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, TimeoutError, ConnectionError):
        return False


def refuse_open_address(settings: Settings) -> None:
    """Let nobody but this machine in, as long as there are no keys.

    Raises:
        ConfigurationError: the address can be reached from elsewhere.

    """
    if settings.insecure or is_loopback(settings.host):
        return
    raise ConfigurationError(
        f"{settings.host} can be reached from other machines, and anyone there could use this server: there are no "
        "keys. Listen on 127.0.0.1, or say --insecure where something else keeps strangers out"
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


@contextmanager
def stopping_on_signals() -> Iterator[None]:
    """Turn Ctrl-C, SIGTERM and a closed terminal into `Stop`; once stopping has begun, further ones are let pass."""
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def stop(number: int, frame: FrameType | None) -> None:
        for each in signals:
            signal.signal(each, signal.SIG_IGN)
        raise Stop

    before = {each: signal.signal(each, stop) for each in signals}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def settings_with(
    host: str | None = None, port: int | None = None, data_dir: Path | None = None, insecure: bool | None = None
) -> Settings:
    """Return the environment's settings, with what the command line says above them."""
    said: dict[str, Any] = {"host": host, "port": port, "data_dir": data_dir, "insecure": insecure}
    return Settings(**{name: value for name, value in said.items() if value is not None})


def say(text: str) -> None:
    """Tell the person at the terminal."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
