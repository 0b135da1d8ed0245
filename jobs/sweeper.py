"""Removes the artifacts that no job has any use for: uploads cut short, results of jobs that have expired."""

import time
from dataclasses import dataclass
from pathlib import Path

from redis import Redis

from jobs.artifacts import ArtifactStore
from jobs.events import PREFIX
from jobs.records import TO_PURGE, JobStore

UNFINISHED_FOR = 3600.0  # seconds without a write before an unfinished file is taken for abandoned
UNUSED_FOR = 3600.0  # seconds since a file appeared before it must have a job


@dataclass(frozen=True, slots=True)
class Swept:
    """What one sweep removed."""

    unfinished: int
    unused: int


def sweep(
    redis: Redis, artifacts: ArtifactStore, unfinished_for: float = UNFINISHED_FOR, unused_for: float = UNUSED_FOR
) -> Swept:
    """Remove abandoned and unused ones. An artifact is used while a job or clip that pinned it has a record.

    Raises:
        StorageUnavailable: the store is a bucket that does not answer; the next sweep goes on.

    """
    unfinished, unused = sweep_unfinished(artifacts, unfinished_for), 0
    now = time.time()
    for stored in artifacts.all():
        if now - stored.written.timestamp() >= unused_for and not _used(redis, stored.sha256):
            unused += artifacts.delete(stored.sha256)
    return Swept(unfinished, unused)


def sweep_unfinished(artifacts: ArtifactStore, unfinished_for: float = UNFINISHED_FOR) -> int:
    """Remove what a killed process of this machine had begun to write; return how many files that were."""
    now = time.time()
    abandoned = [path for path in artifacts.unfinished() if _age(path, now) >= unfinished_for]
    for path in abandoned:
        path.unlink(missing_ok=True)
    return len(abandoned)


def purge_asked(store: JobStore, artifacts: ArtifactStore) -> None:
    """Forget the jobs that have ended since their purge was asked for."""
    for job_id in store.to_purge():
        record = store.get(job_id)
        if record is None:
            store.redis.srem(TO_PURGE, job_id)
        elif record.ended_at_all:
            for sha256 in store.purge(record):
                artifacts.delete(sha256)


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
