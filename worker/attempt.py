"""One attempt at a job: what it may do while it holds the job, and how it hears that it must stop."""

import threading
import time
import uuid
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import TypeVar

import structlog
from redis.exceptions import RedisError

from jobs.artifacts import Artifact
from jobs.errors import Problem
from jobs.records import Beat, JobRecord, JobStore

log = structlog.get_logger(__name__)
T = TypeVar("T")

PATIENCE = 60.0  # seconds that the end of a job waits for a Redis that does not answer


class Why(StrEnum):
    """Why an attempt stops before its end."""

    CANCELED = "canceled"  # the asker wants it no more
    PURGED = "purged"  # nor anything that it has made
    LOST = "lost"  # another attempt holds the job


WHY = {Beat.CANCEL: Why.CANCELED, Beat.PURGE: Why.PURGED, Beat.LOST: Why.LOST}


class Stopped(Exception):
    """The attempt must end now, without a result."""

    def __init__(self, why: Why) -> None:
        super().__init__(why)
        self.why = why


class Attempt:
    """A job in one worker's hands. The heartbeat thread beats for it; the main thread reports, and hears the answer."""

    def __init__(self, store: JobStore, record: JobRecord, execution: str) -> None:
        self.store, self.record, self.execution = store, record, execution
        self.since = time.monotonic()
        self._stop: Why | None = None
        self._lock = threading.Lock()

    @classmethod
    def begin(cls, store: JobStore, job_id: str) -> "Attempt | None":
        """Take the job, or learn that there is nothing to do: canceled, ended, gone, or running elsewhere."""
        execution = uuid.uuid4().hex
        record = store.begin(job_id, execution)
        return None if record is None else cls(store, record, execution)

    def report(self, stage: str, progress: float, picture: str = "") -> None:
        """Say how far the work is, and what it looks like; called between its steps.

        Raises:
            Stopped: there is no use in going on.

        """
        self.beat(progress, stage, picture)
        if self._stop is not None:
            raise Stopped(self._stop)

    def beat(self, progress: float | None = None, stage: str = "", picture: str = "") -> None:
        """Renew the lease and hear whether to go on. A silent Redis is no reason to stop: it may come back."""
        try:
            answer = self.store.beat(self.record.id, self.execution, progress, stage, picture)
        except RedisError as error:
            log.warning("no heartbeat", job=self.record.id, error=str(error))
            return
        if answer is not Beat.GO:
            self.stop(WHY[answer])

    def stop(self, why: Why) -> None:
        """Make the next report raise; the first reason counts, but for a purge of what is canceled already."""
        with self._lock:
            if self._stop is None or (self._stop, why) == (Why.CANCELED, Why.PURGED):
                self._stop = why

    def pin(self, artifacts: list[str]) -> None:
        """Say that the job uses what it is about to publish."""
        self._persistently("pin", lambda: self.store.pin(self.record.id, artifacts))

    def commit(self, results: Mapping[str, Artifact]) -> bool:
        """End the job with its results; False when this attempt no longer holds it, or it was canceled."""
        return self._persistently("commit", lambda: self.store.commit(self.record.id, self.execution, results))

    def fail(self, problem: Problem) -> bool:
        """End the job with a problem."""
        return self._persistently("fail", lambda: self.store.fail(self.record.id, self.execution, problem))

    def acknowledge_cancel(self) -> bool:
        """End the job as canceled."""
        return self._persistently("cancel", lambda: self.store.acknowledge_cancel(self.record.id, self.execution))

    def give_back(self) -> str:
        """Queue the job again, which is not to blame for our stop; the caller delivers it."""
        return self.store.take_back(self.record.id, self.execution, orderly=True)

    def _persistently(self, what: str, act: Callable[[], T]) -> T:
        """Do a last step through a Redis that is gone for a while: the work is done, only telling it is left."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return act()
            except RedisError as error:
                if time.monotonic() > deadline:
                    raise
                log.warning("Redis does not answer; trying again", step=what, job=self.record.id, error=str(error))
                time.sleep(0.5)
