"""Clips that were uploaded to be used more than once: an owner's claim on an artifact, for as long as results live."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import cast

from jobs.artifacts import Artifact
from jobs.events import PREFIX
from jobs.records import JobStore


@dataclass(frozen=True, slots=True)
class Clip:
    """An upload; `id` is the SHA-256 of its content."""

    id: str
    bytes: int
    title: str  # of its container, for people
    created: datetime
    expires: datetime


class ClipStore:
    """Who has uploaded what."""

    def __init__(self, store: JobStore) -> None:
        self.store = store
        self.redis = store.redis
        self.kept_for = store.settings.result_ttl

    def pin(self, owner: str, sha256: str) -> None:
        """Keep a purge from removing the clip before it is saved."""
        self.store.pin_for(_user(owner, sha256), [sha256])

    def save(self, owner: str, artifact: Artifact, title: str) -> Clip:
        """Keep a clip; one that is uploaded again lives from then."""
        now = self.store.now()
        key = f"{PREFIX}{_user(owner, artifact.sha256)}"
        with self.redis.pipeline() as pipeline:
            pipeline.hset(key, mapping={"bytes": artifact.bytes, "title": title, "created": now})
            pipeline.expire(key, self.kept_for)
            pipeline.execute()
        return self._clip(artifact.sha256, artifact.bytes, title, now)

    def find(self, owner: str, sha256: str) -> Clip | None:
        """Return the owner's clip of this id, if there is one."""
        raw = cast(Mapping[bytes, bytes], self.redis.hgetall(f"{PREFIX}{_user(owner, sha256)}"))
        if not raw:
            return None
        return self._clip(sha256, int(raw[b"bytes"]), raw[b"title"].decode(), float(raw[b"created"]))

    def delete(self, owner: str, sha256: str) -> list[str]:
        """Forget a clip and return its artifact if no job uses it, for the caller to delete."""
        return self.store.release(_user(owner, sha256), [sha256])

    def _clip(self, sha256: str, num_bytes: int, title: str, created: float) -> Clip:
        began = datetime.fromtimestamp(created, UTC)
        return Clip(sha256, num_bytes, title, began, began + timedelta(seconds=self.kept_for))


def _user(owner: str, sha256: str) -> str:
    return f"clip:{owner}:{sha256}"
