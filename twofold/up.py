"""`twofold up`: page, API, a worker for each queue and an embedded server, from one terminal, until Ctrl-C."""

import signal
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from jobs.embedded import redis_server
from jobs.errors import ConfigurationError
from jobs.logs import configure_logs
from jobs.settings import Settings
from twofold.listening import address_of, listening, refuse_open_address
from twofold.processes import Child

READY_WITHIN = 120.0  # seconds; a slow disk may take most of them to load torch the first time
API_STOPS_WITHIN = 15.0  # seconds
WORKERS_STOP_WITHIN = 40.0  # seconds; the supervisor itself insists before that, and hands jobs back for the next start
EXIT_CONFIGURATION = 78  # what a process says that cannot start whenever it is tried (sysexits.h)
DEATHS_BEFORE_READY = 4  # of one child, after which there is no use in waiting


class Stop(Exception):
    """Somebody asked us to end."""


def bring_up(settings: Settings) -> None:
    """Run everything on this machine until a signal, and leave nothing running.

    Raises:
        ConfigurationError: the address may not or cannot be used, there is no Redis, or the parts do not come up.

    """
    configure_logs(settings)
    refuse_open_address(settings)
    try:
        with listening(settings) as listener, stopping_on_signals(), redis_server(settings) as redis:
            run_children(settings.model_copy(update={"redis_url": redis.url}), listener, redis.tend)
    except Stop:
        say("Stopped.")


def run_children(settings: Settings, listener: socket.socket, tend_redis: Callable[[], None]) -> None:
    """Start API and workers, say when they are ready, and keep all running; never returns but by `Stop`."""
    environment = settings.environment()
    api = Child("the API", ["serve", "--fd", str(listener.fileno())], environment, pass_fds=[listener.fileno()])
    workers = Child("the workers' supervisor", ["worker"], environment)
    address = address_of(listener)
    # The workers first: they are the ones that take seconds, to load torch and a model.
    say(f"Starting Twofold at {address} (data in {settings.data_dir})")
    try:
        tend_until_ready([workers, api], address)
        say(f"Twofold is ready: {address}   (Ctrl-C stops it)")
        while True:
            tend_redis()
            for child in (workers, api):
                child.tend()
            time.sleep(0.2)
    finally:
        say("Stopping … (a running job gets 20 s to end; one that needs longer goes on at the next start)")
        # The API first, so that nothing new comes while the workers finish.
        api.stop(API_STOPS_WITHIN)
        workers.stop(WORKERS_STOP_WITHIN)


def tend_until_ready(children: Sequence[Child], address: str) -> None:
    """Start the children and wait until the API says that warm workers have announced themselves.

    Raises:
        ConfigurationError: one of them keeps dying, or it takes too long.

    """
    deadline = time.monotonic() + READY_WITHIN
    while not is_ready(address):
        for child in children:
            child.tend()
            if child.deaths >= DEATHS_BEFORE_READY or child.last_code == EXIT_CONFIGURATION:
                raise ConfigurationError(f"{child.name} does not start: what it says is above")
        if time.monotonic() > deadline:
            raise ConfigurationError(f"not ready after {READY_WITHIN:.0f} s: {address}/readyz says what is missing")
        time.sleep(0.1)


def is_ready(address: str) -> bool:
    """Ask /readyz, here and not by a proxy that the environment names for other hosts."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(f"{address}/readyz", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, TimeoutError, ConnectionError):
        return False


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


def say(text: str) -> None:
    """Tell the person at the terminal."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
