"""Removes the artifacts that no job has any use for: uploads cut short, results of jobs that have expired."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from redis import Redis

from jobs.artifacts import ArtifactStore
from jobs.errors import StorageUnavailable
from jobs.events import PREFIX
from jobs.records import TO_PURGE, JobStore

UNFINISHED_FOR = 3600.0  # seconds without a write before an unfinished file is taken for abandoned
UNUSED_FOR = 3600.0  # seconds since a file appeared before it must have a job
FAILING_FOR = 30.0  # seconds of failures after which a sweep gives up: not some file is the trouble, but the store
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Swept:
    """What one sweep removed."""

    unfinished: int
    unused: int


def sweep(
    redis: Redis, artifacts: ArtifactStore, unfinished_for: float = UNFINISHED_FOR, unused_for: float = UNUSED_FOR
) -> Swept:
    """Remove abandoned and unused ones. An artifact is used while a job or clip that pinned it has a record.

    A file that cannot be removed is left to the next sweep, and keeps no other.

    Raises:
        StorageUnavailable: the store is a bucket that does not answer; the next sweep goes on.
        OSError: the store cannot be listed, or has refused for long.

    """
    unfinished, unused = sweep_unfinished(artifacts, unfinished_for), 0
    now, failures = time.time(), _Failures()
    for stored in artifacts.all():
        if now - stored.written.timestamp() >= unused_for and not _used(redis, stored.sha256):
            with failures.counted():
                unused += artifacts.delete(stored.sha256)
    failures.tell()
    return Swept(unfinished, unused)


def sweep_unfinished(artifacts: ArtifactStore, unfinished_for: float = UNFINISHED_FOR) -> int:
    """Remove what a killed process of this machine had begun to write; return how many files that were."""
    now = time.time()
    abandoned = [path for path in artifacts.unfinished() if _age(path, now) >= unfinished_for]
    removed, failures = 0, _Failures()
    for path in abandoned:
        with failures.counted():
            path.unlink(missing_ok=True)
            removed += 1
    failures.tell()
    return removed


def purge_asked(store: JobStore, artifacts: ArtifactStore) -> None:
    """Forget the jobs that have ended since their purge was asked for.

    A file that cannot be removed is left to a sweep.

    Raises:
        OSError, StorageUnavailable: as `sweep`.

    """
    failures = _Failures()
    for job_id in store.to_purge():
        record = store.get(job_id)
        if record is None:
            store.redis.srem(TO_PURGE, job_id)
        elif record.ended_at_all:
            for sha256 in store.purge(record):
                with failures.counted():
                    artifacts.delete(sha256)
    failures.tell()


class _Failures:
    """What could not be removed; told in one line, for there may be thousands, and again at each sweep."""

    def __init__(self) -> None:
        self.first, self.number, self.seconds = "", 0, 0.0

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Go on after a failure, unless they have taken too long already."""
        began = time.monotonic()
        try:
            yield
        except (OSError, StorageUnavailable) as error:
            self.first, self.number = self.first or str(error), self.number + 1
            self.seconds += time.monotonic() - began
            if self.seconds > FAILING_FOR:
                self.tell()
                raise

    def tell(self) -> None:
        if self.number:
            log.warning("files that could not be removed: %d, the first for: %s", self.number, self.first)


def _age(path: Path, now: float) -> float:
    try:
        return now - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0  # it was finished or removed meanwhile


def _used(redis: Redis, sha256: str) -> bool:
    uses = f"{PREFIX}uses:{sha256}"
    pins: list[tuple[bytes, float]] = redis.zrange(uses, 0, -1, withscores=True)  # type: ignore[assignment]
    for user, pinned in pins:
        if redis.exists(f"{PREFIX}{user.decode()}") or time.time() - pinned < UNUSED_FOR:
            return True
        redis.zrem(uses, user)
    return False
