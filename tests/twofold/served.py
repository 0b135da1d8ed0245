"""The real API on a real port, a network in front of it that can be cut, and a worker's part beside it."""

import asyncio
import contextlib
import selectors
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import uvicorn

from jobs.connection import connect
from jobs.folder_store import FolderStore
from jobs.records import JobStore
from jobs.settings import Settings
from service.app import create_app
from twofold.listening import address_of, listening
from twofold.results import Job


class Ending(uvicorn.Server):
    """A server in a thread that ends like a process, whose connections all close with it.

    Uvicorn's own leaves one open that is accepted while it shuts down, and its client would wait for an answer.
    """

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Shut down, then close what is left."""
        await super().shutdown(sockets)
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await asyncio.sleep(0)  # what has been aborted is closed in the loop's next round


@contextmanager
def served(settings: Settings) -> Iterator[str]:
    """Serve the API in a thread, and yield its address."""
    with listening(settings) as listener:
        config = uvicorn.Config(create_app(settings), log_config=None, timeout_graceful_shutdown=1)
        server = Ending(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield address_of(listener)
        finally:
            server.should_exit = True
            thread.join()


class Proxy:
    """A TCP proxy: what lies between a client and its server, and may fail between any two bytes."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.target = (str(parts.hostname), int(parts.port or 0))
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = address_of(self.listener)
        self.pairs: list[tuple[socket.socket, socket.socket]] = []
        self.asked: list[str] = []
        self.away = False
        self.lose_answers = 0
        self.thread = threading.Thread(target=self._accept)
        self.thread.start()

    def cut(self) -> None:
        """Cut every connection that there is."""
        for pair in self.pairs:
            for end in pair:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.cut()
        self.thread.join()
        self.listener.close()

    def _accept(self) -> None:
        threads = []
        with contextlib.suppress(OSError):
            while True:
                near = self.listener.accept()[0]
                if self.away:
                    near.close()
                    continue
                far = socket.create_connection(self.target)
                self.pairs.append((near, far))
                threads.append(threading.Thread(target=self._carry, args=(near, far)))
                threads[-1].start()
        for thread in threads:
            thread.join()

    def _carry(self, near: socket.socket, far: socket.socket) -> None:
        with near, far, selectors.DefaultSelector() as selector, contextlib.suppress(OSError):
            selector.register(near, selectors.EVENT_READ, far)
            selector.register(far, selectors.EVENT_READ, near)
            while True:
                for key, _ in selector.select():
                    content = key.fileobj.recv(65536)
                    if not content:
                        return
                    if key.fileobj is near and content[:4] in (b"GET ", b"POST", b"DELE"):
                        self.asked.append(content.split(b"\r\n", 1)[0].decode().rsplit(" ", 1)[0])
                        if b"last-event-id: " in content.lower():
                            self.asked[-1] += " again"
                    if key.fileobj is far and self.lose_answers:
                        self.lose_answers -= 1
                        return
                    key.data.sendall(content)


class Worker:
    """What a worker does to a job's record, step by step."""

    def __init__(self, settings: Settings) -> None:
        self.store = JobStore(connect(settings.redis_url), settings)
        self.artifacts = FolderStore(settings.artifact_dir, 0)

    def begin(self, job: Job, execution: str = "first") -> None:
        assert self.store.begin(job.id, execution) is not None

    def beat(self, job: Job, progress: float, execution: str = "first") -> None:
        self.store.beat(job.id, execution, progress, f"{progress:.0%}")

    def commit(self, job: Job, execution: str = "first") -> None:
        assert self.store.commit(job.id, execution, {"application/json": self.artifacts.write(b"{}")})
