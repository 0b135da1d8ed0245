"""A job store over a real server, and a request to put into it."""

from pathlib import Path

import pytest

from jobs.connection import connect
from jobs.folder_store import FolderStore
from jobs.queue import JobQueue
from jobs.records import JobStore
from jobs.requests import parse_request
from jobs.settings import Settings


@pytest.fixture
def settings(redis_url: str, tmp_path: Path) -> Settings:
    return Settings(redis_url=redis_url, data_dir=tmp_path / "data", lease_seconds=0.2, min_free_bytes=0)


@pytest.fixture
def store(settings: Settings):
    with connect(settings.redis_url) as redis:
        yield JobStore(redis, settings)


@pytest.fixture
def queue(store: JobStore, settings: Settings) -> JobQueue:
    return JobQueue(store.redis, settings)


@pytest.fixture
def artifacts(settings: Settings) -> FolderStore:
    return FolderStore(settings.artifact_dir)


@pytest.fixture
def ask():
    """Make a request; another number, another request."""

    def make(number: int = 0, **fields):
        said = {"kind": "encode", "model": "m", "digest": "sha256:" + "0" * 64, "clip": f"{number:064x}"}
        return parse_request(said | fields)

    return make


@pytest.fixture
def submit(store, queue, ask):
    """Make a job as the service does, and hand it to RQ."""

    def make(number: int = 0, **fields):
        record = store.create_once(store.new_id(), ask(number, **fields), "local")
        queue.deliver(record)
        return record

    return make
