"""What happened to a job, in order: one Redis stream a job, read alike by waiting requests, event streams and tests.

Events are `status` (every change of state), `progress` and `result`. They are written by the transitions themselves.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from redis import Redis

PREFIX = "twofold:"
EVENT_ID = re.compile(r"[0-9]{1,19}-[0-9]{1,19}")  # two counts of 64 bits to Redis, which refuses larger ones
TERMINAL = frozenset({"succeeded", "failed", "canceled"})
BEGINNING = "0-0"


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of a job's stream; `id` is what an event stream's client sends back as `Last-Event-ID`."""

    id: str
    name: str
    data: dict[str, Any]

    @property
    def final(self) -> bool:
        """Whether it is the job's last: `result` comes before it."""
        return self.name == "status" and self.data.get("status") in TERMINAL


def order_of(event_id: str) -> tuple[int, int]:
    """Return what ids are ordered by: a time, and a count within it."""
    time, _, count = event_id.partition("-")
    return int(time), int(count)


def stream_key(job_id: str) -> str:
    """Return the key of a job's stream."""
    return f"{PREFIX}events:{job_id}"


def parse_entries(entries: list[tuple[bytes, dict[bytes, bytes]]]) -> Iterator[Event]:
    """Turn what Redis returns for a stream into events."""
    for entry_id, fields in entries:
        yield Event(entry_id.decode(), fields[b"event"].decode(), json.loads(fields[b"data"]))


def read(redis: Redis, job_id: str, after: str = BEGINNING, block: float | None = None) -> list[Event]:
    """Return a job's events after an id, waiting up to `block` seconds for the first."""
    milliseconds = None if block is None else max(1, round(block * 1000))
    answer: Any = redis.xread({stream_key(job_id): after}, block=milliseconds)
    return [event for _, entries in answer or [] for event in parse_entries(entries)]
