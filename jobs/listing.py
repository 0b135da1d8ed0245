"""An owner's jobs, newest first, a page at a time: a sorted set an owner, which outlives its jobs and is trimmed."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from redis import Redis

from jobs.errors import WrongValue
from jobs.events import PREFIX
from jobs.records import JobRecord, JobStore

CURSOR = re.compile(r"([0-9]{1,16})-([0-9a-f]{32})")
AT_ONCE = 200  # entries of one look


@dataclass(frozen=True, slots=True)
class Page:
    """Some jobs, and where the next page begins; None after the last."""

    jobs: tuple[JobRecord, ...]
    cursor: str | None


def list_jobs(
    store: JobStore, owner: str, limit: int, cursor: str | None = None, wanted: Mapping[str, str] | None = None
) -> Page:
    """Return up to `limit` of an owner's jobs, newest first, those after a cursor.

    Jobs that are made meanwhile neither shift pages nor show twice. `wanted` names what a record's fields must be.

    Raises:
        WrongValue: the cursor is not one of ours.

    """
    found: list[JobRecord] = []
    at = _parse(cursor)
    while entries := _after(store.redis, f"{PREFIX}jobs:{owner}", at):
        with store.redis.pipeline(transaction=False) as pipeline:
            for _, job_id in entries:
                pipeline.hgetall(f"{PREFIX}job:{job_id}")
            raws = pipeline.execute()
        for entry, raw in zip(entries, raws, strict=True):
            record = JobRecord.from_hash(entry[1], raw) if raw else None
            if record and all(getattr(record, name) == value for name, value in (wanted or {}).items()):
                if len(found) == limit:
                    return Page(tuple(found), f"{at[0]}-{at[1]}" if at else None)
                found.append(record)
            at = entry
    return Page(tuple(found), None)


def trim(redis: Redis) -> int:
    """Drop the entries of jobs that have expired; return how many."""
    dropped = 0
    for key in redis.scan_iter(match=f"{PREFIX}jobs:*", count=1000):
        members: Any = redis.zrange(key, 0, -1)
        for start in range(0, len(members), AT_ONCE):
            block = members[start : start + AT_ONCE]
            with redis.pipeline(transaction=False) as pipeline:
                for member in block:
                    pipeline.exists(f"{PREFIX}job:{member.decode()}")
                alive = pipeline.execute()
            if dead := [member for member, lives in zip(block, alive, strict=True) if not lives]:
                dropped += redis.zrem(key, *dead)
    return dropped


def _parse(cursor: str | None) -> tuple[int, str] | None:
    if cursor is None:
        return None
    match = CURSOR.fullmatch(cursor)
    if match is None:
        raise WrongValue.for_field("cursor", f"expected the cursor of an earlier page, got {cursor!r:.60}")
    return int(match[1]), match[2]


def _after(redis: Redis, key: str, at: tuple[int, str] | None) -> list[tuple[int, str]]:
    """Return the next entries, by time and then by id, both falling."""
    highest: int | str = "+inf" if at is None else at[0]
    skip = 0
    while True:
        answer: Any = redis.zrevrangebyscore(key, highest, "-inf", start=skip, num=AT_ONCE, withscores=True)
        entries = [(int(score), member.decode()) for member, score in answer]
        later = [entry for entry in entries if at is None or entry < at]
        if later or not entries:
            return later
        skip += AT_ONCE
