"""What Redis has written down of the past: its append-only file keeps every command until it is written anew.

So what was purged or has expired can be read in the file for as long as that takes, and a quiet server may never come
to it by itself. Here it is asked to: soon after a purge, and once a day for what expired.
"""

import time
import uuid
from contextlib import suppress

from redis import Redis
from redis.exceptions import NoPermissionError, OutOfMemoryError, ResponseError

from jobs.events import PREFIX

AFTER_PURGE = 600.0  # seconds from one rewriting to the next at the soonest
ANYWAY = 86_400.0
WRITTEN, PURGED = f"{PREFIX}history:written", f"{PREFIX}history:purged"
FORGET_NOTE = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"


def note_purge(redis: Redis) -> None:
    """Say that the file holds what was purged; without memory left to say it in, it is purged none the less."""
    with suppress(OutOfMemoryError):
        redis.set(PURGED, uuid.uuid4().hex)  # each a note of its own: the next may come while the file is written


def forget_history(redis: Redis, now: float | None = None) -> bool:
    """Have the append-only file written anew where that is due; returns whether it was asked for.

    A Redis without such a file writes none, and one that does not take orders (a managed one) has its own ways. One
    that is writing already may have begun before the purge: it is asked again at the next call.
    """
    now = time.time() if now is None else now
    said: bytes | None = redis.get(WRITTEN)  # type: ignore[assignment]
    if said is None:
        redis.set(WRITTEN, now)  # a day from the first time that anybody asks
        said = str(now).encode()
    purged: bytes | None = redis.get(PURGED)  # type: ignore[assignment]
    if now - float(said) < (AFTER_PURGE if purged else ANYWAY):
        return False
    redis.set(WRITTEN, now)  # first: without memory left to say so it would be asked for again and again
    try:
        if redis.info("persistence").get("aof_enabled"):
            redis.bgrewriteaof()
    except ResponseError as error:
        if not _for_good(error):
            redis.set(WRITTEN, said)
        return False
    if purged:
        redis.eval(FORGET_NOTE, 1, PURGED, purged)  # that note and no younger one
    return True


def _for_good(error: ResponseError) -> bool:
    """Whether the order itself is refused, and not only now."""
    return isinstance(error, NoPermissionError) or str(error).startswith("unknown command")
