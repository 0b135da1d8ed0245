"""The parent of warm workers: starts them, listens to their pulse, kills the stuck, starts the dead again.

It never imports torch, so it is small and hard to break. It hears a child's death at once and takes its job back then
and there; jobs of other machines' dead workers are found by `reap` when their lease runs out.
"""

import argparse
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import structlog
from redis.exceptions import RedisError

from jobs.catalogue import Catalogue
from jobs.connection import connect
from jobs.embedded import die_with_parent
from jobs.errors import ConfigurationError, UnknownModel
from jobs.logs import configure_logs
from jobs.queue import JobQueue, reap
from jobs.records import JobStore
from jobs.requests import QUEUES, SERVED, TRAINING
from jobs.settings import Settings, read_settings
from worker.private import keep_memory_private

log = structlog.get_logger("supervisor")

EXIT_CONFIGURATION = 78  # sysexits.h: what is wrong will not go away by trying again
SILENT_FOR = 30.0  # seconds without a pulse before a child is taken for stuck
LOADS_WITHIN = 180.0  # seconds for a child's first pulse: a slow disk may take most of them to load torch
OVERTIME = 15.0  # seconds that a job may run past its timeout, which is raised inside the child first
REAP_EVERY = 5.0
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 20.0  # seconds before a dead child is started again
SETTLED = 60.0  # seconds of life after which a death counts as the first again
STOPS_WITHIN = 20.0  # seconds that running jobs may take to end before they are handed back, and then killed


@dataclass(slots=True)
class Held:
    """A job in a child's hands, as its last pulse told."""

    job: str
    execution: str


@dataclass(slots=True)
class Child:
    """One worker process, and what is known of it."""

    queue: str
    process: subprocess.Popen[bytes] | None = None
    pipe: int = -1  # our end of its pulse
    buffered: bytes = b""
    started: float = 0.0
    heard: float = 0.0  # of its last pulse; 0 before the first
    held: Held | None = None
    working: float = 0.0  # seconds its job had been running at the last pulse
    deaths: int = 0
    start_after: float = 0.0
    was_ready: bool = field(default=False)


class Supervisor:
    """Keeps one worker running for each queue it is given; a queue named twice has two."""

    def __init__(self, settings: Settings, queues: Sequence[str]) -> None:
        if settings.redis_url is None:
            raise ConfigurationError("TWOFOLD_REDIS_URL is not set: workers need the Redis that their jobs come from")
        self.settings = settings
        redis = connect(settings.redis_url)
        self.store, self.queue = JobStore(redis, settings), JobQueue(redis, settings)
        self.children = [Child(queue) for queue in queues]
        self.selector = selectors.DefaultSelector()
        self.exit_code: int | None = None
        self._reaped = 0.0
        self._waker, self._alarm = os.pipe()
        os.set_blocking(self._alarm, False)

    def run(self) -> int:
        """Supervise until told to stop, or until a worker says that it can never start; return the exit code."""
        before = {number: signal.signal(number, self._asked_to_stop) for number in (signal.SIGTERM, signal.SIGINT)}
        self.selector.register(self._waker, selectors.EVENT_READ)
        try:
            while self.exit_code is None:
                self.step(timeout=0.5)
        finally:
            self.stop()
            for number, handler in before.items():
                signal.signal(number, handler)
        return self.exit_code or 0

    def step(self, timeout: float) -> None:
        """Listen for a while, then look after everybody once."""
        for key, _ in self.selector.select(timeout):
            if key.data is not None:
                self._listen(key.data)
        now = time.monotonic()
        for child in self.children:
            self._look_after(child, now)
        if now - self._reaped >= REAP_EVERY:
            self._reaped = now
            self._reap()

    def stop(self) -> None:
        """End every child: first by asking, so that a job may finish; then by insisting, which hands its job back."""
        running = [child for child in self.children if child.process is not None]
        for number, patience in ((signal.SIGTERM, STOPS_WITHIN), (signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)):
            for child in running:
                if child.process is not None and child.process.poll() is None:
                    child.process.send_signal(number)
            deadline = time.monotonic() + patience
            while time.monotonic() < deadline and any(_alive(child) for child in running):
                for key, _ in self.selector.select(0.05):
                    if key.data is not None:
                        self._listen(key.data)
        for child in running:
            if not _alive(child):
                self._bury(child, time.monotonic())

    def _asked_to_stop(self, number: int, frame: FrameType | None) -> None:
        self.exit_code = 0
        os.write(self._alarm, b"!")

    def _look_after(self, child: Child, now: float) -> None:
        if child.process is None:
            if now >= child.start_after:
                self._start(child, now)
            return
        if child.process.poll() is not None:
            self._bury(child, now)
            return
        reason = self._stuck(child, now)
        if reason:
            log.warning("killing a stuck worker", queue=child.queue, pid=child.process.pid, reason=reason)
            child.process.kill()

    def _stuck(self, child: Child, now: float) -> str | None:
        if child.heard == 0.0:
            return "it never got warm" if now - child.started > LOADS_WITHIN else None
        if now - child.heard > SILENT_FOR:
            return "no pulse"
        if child.held and child.working + (now - child.heard) > self.settings.timeout_of(child.queue) + OVERTIME:
            return "its job runs past its timeout"
        return None

    def _start(self, child: Child, now: float) -> None:
        ours, theirs = os.pipe()
        child.process = subprocess.Popen(
            [sys.executable, "-m", "worker", "--queue", child.queue, "--pulse", str(theirs)],
            env=self.settings.environment(),
            pass_fds=[theirs],
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C reaches us alone, and we say who stops when
            preexec_fn=die_with_parent(),
        )
        os.close(theirs)
        os.set_blocking(ours, False)
        child.pipe, child.buffered, child.started, child.heard, child.held = ours, b"", now, 0.0, None
        self.selector.register(ours, selectors.EVENT_READ, child)
        log.info("started a worker", queue=child.queue, pid=child.process.pid)

    def _listen(self, child: Child) -> None:
        try:
            received = os.read(child.pipe, 65536)
        except BlockingIOError:
            return
        if not received:  # it is dying; a closed pipe would wake us without end
            self.selector.unregister(child.pipe)
            os.close(child.pipe)
            child.pipe = -1
            return
        *lines, child.buffered = (child.buffered + received).split(b"\n")
        for line in lines:
            self._hear(child, json.loads(line))

    def _hear(self, child: Child, said: dict[str, Any]) -> None:
        child.heard, child.was_ready = time.monotonic(), True
        child.held = Held(said["job"], said["execution"]) if said["job"] else None
        child.working = float(said.get("seconds", 0.0))

    def _bury(self, child: Child, now: float) -> None:
        assert child.process is not None
        while child.pipe >= 0:
            self._listen(child)  # its last words say which job it held
        code, child.process = child.process.returncode, None
        if child.held is not None:
            self._take_back(child.held)
            child.held = None
        if self.exit_code is not None:
            return
        if code == EXIT_CONFIGURATION and not child.was_ready:
            log.error("a worker cannot start; what it says is above", queue=child.queue)
            self.exit_code = EXIT_CONFIGURATION
            return
        child.deaths = 1 if now - child.started > SETTLED else child.deaths + 1
        pause = min(FIRST_PAUSE * 2 ** (child.deaths - 1), LONGEST_PAUSE)
        child.start_after = now + pause
        log.warning("a worker ended; starting another", queue=child.queue, code=code, pause=pause)

    def _take_back(self, held: Held) -> None:
        """Give a dead child's job to the next worker, without waiting for its lease to run out."""
        try:
            outcome = self.store.take_back(held.job, held.execution)
            if outcome == "queued" and (record := self.store.get(held.job)):
                self.queue.deliver(record)
            log.warning("took a job back", job=held.job, outcome=outcome)
        except RedisError as error:
            log.warning("could not take a job back; its lease will run out", job=held.job, error=str(error))

    def _reap(self) -> None:
        try:
            moved = reap(self.store, self.queue)
        except RedisError as error:
            log.warning("Redis does not answer", error=str(error))
            return
        if moved:
            log.warning("took jobs back from silent workers", jobs=moved)


def _alive(child: Child) -> bool:
    return child.process is not None and child.process.poll() is None


def supervise(settings: Settings, queues: Sequence[str] = ()) -> int:
    """Run a worker for each queue, or for all that are served here, until a signal; return the exit code.

    Raises:
        ConfigurationError: no Redis address is set.

    """
    keep_memory_private()
    configure_logs(settings)
    try:
        Catalogue(settings).find(None)  # a worker would find out after seconds that it spends on loading torch
    except UnknownModel as error:
        print(f"supervisor: the default model cannot be served: {error}", file=sys.stderr, flush=True)
        return EXIT_CONFIGURATION
    return Supervisor(settings, queues or served(settings)).run()


def served(settings: Settings) -> tuple[str, ...]:
    """Return the queues that are worked on here unless others are named."""
    return (*SERVED, TRAINING) if settings.training else SERVED


def main(arguments: Sequence[str] | None = None) -> int:
    """`python -m worker.supervisor --queue interactive --queue batch`."""
    parser = argparse.ArgumentParser(prog="python -m worker.supervisor", description=__doc__)
    parser.add_argument(
        "--queue", choices=QUEUES, action="append", help="once for each worker; all that are served by default"
    )
    chosen = parser.parse_args(arguments)
    try:
        return supervise(read_settings(), chosen.queue or ())
    except ConfigurationError as error:
        print(f"supervisor: {error}", file=sys.stderr, flush=True)
        return EXIT_CONFIGURATION


if __name__ == "__main__":
    sys.exit(main())
