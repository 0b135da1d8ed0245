"""A thousand who listen at once: a bounded number of connections to Redis, and every one of them hears."""

import resource
import selectors
import socket
import time

import pytest

STREAMS = 1000
MOST_CONNECTIONS = 8 + 40 + 10  # the asynchronous ones, a thread each, and the test's own


@pytest.fixture(autouse=True)
def _open_files():
    """Client and server of every stream are in this process."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * STREAMS + 500
    if before[1] != resource.RLIM_INFINITY and before[1] < wanted:
        pytest.skip(f"this machine lets a process open {before[1]} files, {wanted} are needed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(before[0], wanted), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def listen(served, job_id):
    port = int(served.url.rsplit(":", 1)[1])
    connection = socket.create_connection(("127.0.0.1", port), timeout=60)
    connection.sendall(f"GET /jobs/{job_id}/events HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    connection.setblocking(False)
    return connection


def read_until(connections, heard, word, seconds=90.0):
    """Read from all of them until each has said a word."""
    deadline = time.monotonic() + seconds
    waiting = {index for index, text in enumerate(heard) if word not in text}
    with selectors.DefaultSelector() as selector:
        for index in waiting:
            selector.register(connections[index], selectors.EVENT_READ, index)
        while waiting and time.monotonic() < deadline:
            for key, _ in selector.select(1.0):
                heard[key.data] += connections[key.data].recv(65536)
                if word in heard[key.data] and key.data in waiting:
                    waiting.discard(key.data)
                    selector.unregister(connections[key.data])
    return not waiting


def test_a_thousand_idle_streams_share_a_few_connections_and_all_hear(served):
    jobs = [served.job(served.encode(stride=str(n))) for n in range(1, 21)]
    connections = [listen(served, jobs[index % len(jobs)]) for index in range(STREAMS)]
    try:
        heard = [b""] * STREAMS
        assert read_until(connections, heard, b'"queued"')
        assert len(served.store.redis.client_list()) <= MOST_CONNECTIONS
        for job_id in jobs:
            served.work(job_id)
        assert read_until(connections, heard, b'"succeeded"')
        assert all(text.count(b"event: result") == 1 for text in heard)
    finally:
        for connection in connections:
            connection.close()
