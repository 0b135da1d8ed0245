"""What was purged is soon in no file of the server's either."""

import time
from collections.abc import Callable
from pathlib import Path

from jobs.connection import connect
from jobs.embedded import EmbeddedServer
from jobs.history import AFTER_PURGE, ANYWAY, PURGED, forget_history, note_purge
from jobs.records import JobRecord, JobStore


def written(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file() and "socket" not in path.name)


def test_a_purged_value_leaves_the_append_only_file(tmp_path: Path) -> None:
    server = EmbeddedServer(tmp_path / "redis")
    server.start()
    try:
        with connect(server.url) as redis:
            redis.set("face", "a-code-of-somebody")
            redis.delete("face")
            assert not forget_history(redis, now=0.0), "it has just begun to count"
            note_purge(redis)
            assert b"a-code-of-somebody" in written(server.folder)
            assert not forget_history(redis, now=AFTER_PURGE - 1)
            assert forget_history(redis, now=AFTER_PURGE)
            until = time.monotonic() + 20
            while b"a-code-of-somebody" in written(server.folder):
                assert time.monotonic() < until
                time.sleep(0.05)
            assert not redis.exists(PURGED)
            assert not forget_history(redis, now=AFTER_PURGE + 1)
    finally:
        server.stop()


def test_what_expired_leaves_it_within_a_day(redis_url: str) -> None:
    with connect(redis_url) as redis:
        assert not forget_history(redis, now=0.0)
        assert not forget_history(redis, now=ANYWAY - 1)
        assert forget_history(redis, now=ANYWAY), "also where there is no such file: there is nothing to do then"


def test_a_purge_says_so(store: JobStore, submit: Callable[..., JobRecord]) -> None:
    record = submit()
    assert not store.redis.exists(PURGED)
    store.request_cancel(record.id)
    store.purge(record)
    assert store.redis.exists(PURGED)
