"""What was purged is soon in no file of the server's either."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import OutOfMemoryError

from jobs.connection import connect
from jobs.embedded import EmbeddedServer
from jobs.history import AFTER_PURGE, ANYWAY, PURGED, WRITTEN, forget_history, note_purge
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


@pytest.fixture
def writing(tmp_path: Path) -> Iterator[Redis]:
    """A server with an append-only file."""
    server = EmbeddedServer(tmp_path / "redis")
    server.start()
    try:
        with connect(server.url) as redis:
            yield redis
    finally:
        server.stop()


def test_a_purge_while_the_file_is_being_written_is_not_forgotten(writing: Redis) -> None:
    forget_history(writing, now=0.0)
    writing.mset({"a": 1, "b": 2})
    writing.config_set("rdb-key-save-delay", 500_000)  # microseconds a key
    writing.bgrewriteaof()
    note_purge(writing)
    assert not forget_history(writing, now=AFTER_PURGE), "it is writing already, and from what was there before"
    assert writing.exists(PURGED)
    writing.config_set("rdb-key-save-delay", 0)
    until = time.monotonic() + 20
    while writing.info("persistence")["aof_rewrite_in_progress"]:
        assert time.monotonic() < until
        time.sleep(0.05)
    assert forget_history(writing, now=AFTER_PURGE)
    assert not writing.exists(PURGED)


def test_a_purge_that_comes_after_the_order_is_not_forgotten(writing: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    forget_history(writing, now=0.0)
    note_purge(writing)
    order = writing.bgrewriteaof

    def and_a_purge() -> None:
        order()
        note_purge(writing)

    monkeypatch.setattr(writing, "bgrewriteaof", and_a_purge)
    assert forget_history(writing, now=AFTER_PURGE)
    assert writing.exists(PURGED)


def test_a_server_without_memory_to_note_it_is_given_no_order(writing: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    forget_history(writing, now=0.0)
    ordered = list[bool]()
    monkeypatch.setattr(writing, "bgrewriteaof", lambda: ordered.append(True))
    writing.config_set("maxmemory", 1)
    with pytest.raises(OutOfMemoryError):
        forget_history(writing, now=ANYWAY)
    assert not ordered


def test_a_server_that_takes_no_such_order_is_asked_no_more_often(writing: Redis) -> None:
    forget_history(writing, now=0.0)
    note_purge(writing)
    writing.execute_command("ACL", "SETUSER", "default", "-bgrewriteaof")
    assert not forget_history(writing, now=AFTER_PURGE)
    assert writing.exists(PURGED)
    assert float(writing.get(WRITTEN)) == AFTER_PURGE
