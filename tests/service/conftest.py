"""A real server on a real port over a real Redis; a worker's part is played with the job store's own functions."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import uvicorn

from jobs.artifacts import ArtifactStore
from jobs.connection import connect
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
    artifacts: ArtifactStore
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
        uvicorn.Config(create_app(settings), port=0, log_level="error", lifespan="on", timeout_graceful_shutdown=2)
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


@pytest.fixture
def make_served(redis_url: str, tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """Start a server, with other settings where a test needs them."""
    models = tmp_path / "own-models"
    write_model(models, "tiny")
    write_model(models, "other", OTHER_DIGEST)
    stops = []

    def make(**changes) -> Served:
        said = {"redis_url": redis_url, "data_dir": tmp_path / "data", "models_dir": models, "default_model": "tiny"}
        settings = Settings(**{**said, "min_free_bytes": 0, **changes})
        context = running(settings)
        url = context.__enter__()
        redis = connect(settings.redis_url)
        http = httpx.Client(base_url=url, timeout=20)
        stops.append(lambda: (http.close(), redis.close(), context.__exit__(None, None, None)))
        artifacts = ArtifactStore(settings.artifact_dir)
        return Served(url, settings, JobStore(redis, settings), artifacts, http)

    yield make
    for stop in stops:
        stop()


@pytest.fixture
def served(make_served: Callable[..., Served]) -> Served:
    return make_served()


@pytest.fixture
def warm(served: Served) -> Served:
    announce(served.store.redis, WarmWorker("w1", "batch", "cpu", {"tiny": DIGEST}), 30)
    return served
