"""A real server on a real port over a real Redis; a worker's part is played with the job store's own functions."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import uvicorn

from jobs.connection import connect
from jobs.folder_store import FolderStore
from jobs.records import JobRecord, JobStore
from jobs.settings import Settings
from jobs.workers import WarmWorker, announce
from service.app import create_app

DIGEST = "sha256:" + "ab" * 32
OTHER_DIGEST = "sha256:" + "cd" * 32
PNG = b"\x89PNG\r\n\x1a\n" + bytes(2000)
MP4 = b"\x00\x00\x00\x18ftypisom" + bytes(3000)
RESULTS = {
    "application/json": b'{"static": [0.5]}',
    "image/png": PNG,
    "video/mp4": MP4,
    "application/x-npz": b"PK\x03\x04" + bytes(100),
}


@dataclass
class Served:
    """A server under test and what a worker beside it would hold."""

    url: str
    settings: Settings
    store: JobStore
    artifacts: FolderStore
    http: httpx.Client

    def encode(self, content: bytes = MP4, name: str = "clip.mp4", headers=None, **fields) -> httpx.Response:
        return self.http.post("/encode", files={"video": (name, content)}, data=fields, headers=headers)

    def job(self, answer: httpx.Response) -> str:
        assert answer.status_code == 202, answer.text
        return answer.json()["id"]

    def work(self, job_id: str, results=RESULTS) -> JobRecord:
        """Do what a worker does with a job that goes well."""
        assert self.store.begin(job_id, "attempt") is not None
        stored = {media_type: self.artifacts.write(content) for media_type, content in results.items()}
        assert self.store.commit(job_id, "attempt", stored)
        return self.store.get(job_id)

    def work_next(self, results=RESULTS, seconds: float = 10.0) -> threading.Thread:
        """Do the next job that comes, in the background."""

        def wait_and_work() -> None:
            deadline = time.monotonic() + seconds
            while time.monotonic() < deadline:
                for queue in ("batch", "interactive"):
                    for job_id in self.store.queued(queue):
                        time.sleep(0.05)
                        self.work(job_id, results)
                        return
                time.sleep(0.01)

        thread = threading.Thread(target=wait_and_work)
        thread.start()
        return thread

    def finished_encode(self, content: bytes = MP4, **fields) -> str:
        job_id = self.job(self.encode(content, **fields))
        self.work(job_id)
        return job_id

    def unfinished(self) -> list[Path]:
        return list(self.artifacts.unfinished())

    def raw(self, head: str, body: bytes = b"", close_after: float | None = None, timeout: float = 10.0) -> bytes:
        """Send bytes as they are and return all that comes back; `close_after` seconds the client hangs up."""
        port = int(self.url.rsplit(":", 1)[1])
        with socket.create_connection(("127.0.0.1", port), timeout=timeout) as connection:
            connection.sendall(head.replace("\n", "\r\n").encode("latin-1") + b"\r\n\r\n" + body)
            if close_after is not None:
                time.sleep(close_after)
                return b""
            answer = b""
            while chunk := connection.recv(65536):
                answer += chunk
            return answer


@contextmanager
def running(settings: Settings) -> Iterator[str]:
    server = uvicorn.Server(
        uvicorn.Config(create_app(settings), port=0, log_config=None, lifespan="on", timeout_graceful_shutdown=2)
    )
    listener = socket.socket()
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.bind(("127.0.0.1", 0))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])))
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        time.sleep(0.005)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()


def write_model(folder: Path, name: str, digest: str = DIGEST) -> None:
    (folder / name).mkdir(parents=True, exist_ok=True)
    config = {
        "format": 1,
        "name": name,
        "family": "unordered_vae",
        "digest": digest,
        "image_size": 64,
        "channels": 3,
        "static_dim": 256,
        "dynamic_dim": 8,
        "weights": {"file": "model.safetensors", "bytes": 5, "parameters": 7},
        "data": {"name": "drawn", "licence": "CC0-1.0"},
        "metrics": {"psnr_db": 30.0},
    }
    (folder / name / "config.json").write_text(json.dumps(config))


@contextmanager
def serving(folder: Path, **changes) -> Iterator[Served]:
    write_model(folder / "own-models", "tiny")
    write_model(folder / "own-models", "other", OTHER_DIGEST)
    said = {"data_dir": folder / "data", "models_dir": folder / "own-models", "default_model": "tiny"}
    settings = Settings(**{**said, "min_free_bytes": 0, **changes})
    with (
        running(settings) as url,
        connect(settings.redis_url) as redis,
        httpx.Client(base_url=url, timeout=20) as http,
    ):
        yield Served(url, settings, JobStore(redis, settings), FolderStore(settings.artifact_dir), http)


@pytest.fixture
def make_served(redis_url: str, tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """Start a server with settings of a test's own."""
    with ExitStack() as stack:
        yield lambda **changes: stack.enter_context(serving(tmp_path, **{"redis_url": redis_url, **changes}))


@pytest.fixture(scope="module")
def _served(_redis_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One server for a module's tests; it looks after its jobs more often than others do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("service.app.REAP_EVERY", 0.2)
        with serving(tmp_path_factory.mktemp("served"), redis_url=_redis_server) as served:
            yield served


@pytest.fixture
def served(_served: Served, redis_url: str) -> Served:
    """The module's server, with an empty Redis and an empty store."""
    for stored in list(_served.artifacts.all()):
        _served.artifacts.delete(stored.sha256)
    for path in _served.artifacts.unfinished():
        path.unlink()
    return _served


@pytest.fixture
def warm(served: Served) -> Served:
    for name, queue in (("w1", "batch"), ("w2", "interactive")):
        announce(served.store.redis, WarmWorker(name, queue, "cpu", {"tiny": DIGEST}), 30)
    return served
