"""What breaks around the service while somebody waits, and what somebody who leaves takes with them."""

import asyncio
import socket
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from redis.exceptions import ConnectionError as RedisGone

from jobs.embedded import EmbeddedServer
from jobs.records import JobStore
from service.app import _chore, _chores
from service.waiting import Waiting

MP4 = b"\x00\x00\x00\x18ftypisom" + bytes(3000)


def until(condition, seconds=5.0):
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def test_who_waits_while_redis_restarts_still_gets_the_result(make_served, tmp_path):
    redis = EmbeddedServer(tmp_path / "redis")
    redis.start()
    served = make_served(redis_url=redis.url)
    answers = []
    headers = {"Prefer": "wait=20", "Accept": "image/png"}
    waiter = threading.Thread(target=lambda: answers.append(served.encode(headers=headers)))
    waiter.start()
    try:
        assert until(lambda: served.store.queued("batch"))
        time.sleep(0.2)
        redis.stop()
        assert served.http.get("/livez").status_code == 200
        assert served.http.get("/readyz").status_code == 503
        time.sleep(0.5)
        redis.start()
        (job_id,) = served.store.queued("batch")
        served.work(job_id)
        waiter.join(15)
        assert [answer.status_code for answer in answers] == [200]
        assert answers[0].content.startswith(b"\x89PNG")
    finally:
        redis.stop()
        waiter.join(25)


def test_a_job_that_could_not_be_delivered_takes_no_place_of_its_owners(served, monkeypatch):
    def lost(self, record):
        raise RedisGone("Redis went away between the record and the queue")

    with monkeypatch.context() as until_then:
        until_then.setattr("jobs.queue.JobQueue.deliver", lost)
        assert served.encode().status_code == 503
    assert not [key for key in served.store.redis.keys("twofold:*") if b":active:" in key or b":job:" in key]
    assert not served.store.queued("batch")
    assert not list(served.artifacts.all())
    job_id = served.job(served.encode())
    assert served.work(job_id).status == "succeeded", "the same request, made again, is a job of its own"


def test_a_job_that_is_deleted_as_it_is_made_leaves_nothing(served, monkeypatch):
    get = JobStore.get

    def late(store, job_id):
        if record := get(store, job_id):
            store.abandon(job_id, record.inputs)
        return get(store, job_id)

    with monkeypatch.context() as until_then:
        until_then.setattr(JobStore, "get", late)
        answer = served.encode()
    assert answer.status_code == 503
    assert "make the request again" in answer.json()["detail"]
    assert not list(served.artifacts.all())
    assert not served.store.redis.keys("twofold:uses:*")
    assert served.encode().status_code == 202


def test_a_chore_that_fails_is_tried_again(monkeypatch):
    tried = []

    def failing(parts, redis):
        tried.append(len(tried))
        if len(tried) == 1:
            raise PermissionError("a file that somebody else owns")

    async def for_a_while():
        chores = asyncio.create_task(_chores(None, None))
        while len(tried) < 3:
            assert not chores.done(), "it has ended for good"
            await asyncio.sleep(0.01)
        chores.cancel()

    monkeypatch.setattr("service.app._chore", failing)
    monkeypatch.setattr("service.app.REAP_EVERY", 0.01)
    asyncio.run(asyncio.wait_for(for_a_while(), 10))


def test_what_expired_is_forgotten_whatever_the_sweep_meets(served, monkeypatch):
    def failing(redis, artifacts):
        raise PermissionError("a folder that somebody else owns")

    done = []
    redis = served.store.redis
    redis.delete("twofold:chore:sweep")
    monkeypatch.setattr("service.app.sweep", failing)
    monkeypatch.setattr("service.app.trim", lambda redis: done.append("trim"))
    monkeypatch.setattr("service.app.forget_history", lambda redis: done.append("forget"))
    parts = SimpleNamespace(store=served.store, artifacts=served.artifacts, queue=None)
    monkeypatch.setattr("service.app.reap", lambda store, queue: [])
    with pytest.raises(PermissionError):
        _chore(parts, redis)
    assert done == ["trim", "forget"]


def test_whoever_waits_for_a_job_that_is_gone_is_told(served, monkeypatch):
    monkeypatch.setattr("service.waiting.LOOK_EVERY", 0.05)
    answers = []
    waiter = threading.Thread(target=lambda: answers.append(served.encode(headers={"Prefer": "wait=30"})))
    waiter.start()
    assert until(lambda: served.store.queued("batch"))
    time.sleep(0.2)
    served.store.redis.flushall()
    waiter.join(10)
    assert answers[0].status_code == 410


def test_a_purge_ends_the_streams_of_all_who_follow(served):
    job_id, told = served.job(served.encode()), []

    def follow():
        with served.http.stream("GET", f"/jobs/{job_id}/events", timeout=30) as answer:
            told.append([line for line in answer.iter_lines() if line.startswith("data:")][-1])

    followers = [threading.Thread(target=follow) for _ in range(8)]
    for follower in followers:
        follower.start()
    time.sleep(0.5)
    assert served.http.delete(f"/jobs/{job_id}?purge=true").status_code == 200
    for follower in followers:
        follower.join(10)
    assert len(told) == 8
    assert all('"canceled"' in line for line in told)


def test_a_stream_whose_client_vanishes_is_given_up(make_served, monkeypatch):
    made = []
    start = Waiting.__init__

    def remember(self, *arguments):
        start(self, *arguments)
        made.append(self)

    monkeypatch.setattr(Waiting, "__init__", remember)
    served = make_served()
    job_id = served.job(served.encode())
    with socket.create_connection(("127.0.0.1", int(served.url.rsplit(":", 1)[1]))) as connection:
        connection.sendall(f"GET /jobs/{job_id}/events HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        told = b""
        while b"queued" not in told:
            told += connection.recv(65536)
        assert until(lambda: len(made[0].bells) == 1)
    assert until(lambda: not made[0].bells), "its place among the followed streams is kept"
    assert len(made[0].cursors) == 1


def test_a_waiter_who_leaves_does_not_cancel_the_job(served):
    body = b'--XX\r\nContent-Disposition: form-data; name="video"; filename="a.mp4"\r\n\r\n' + MP4 + b"\r\n--XX--\r\n"
    head = (
        "POST /encode HTTP/1.1\nHost: localhost\nPrefer: wait=30\n"
        f"Content-Type: multipart/form-data; boundary=XX\nContent-Length: {len(body)}"
    )
    served.raw(head, body, close_after=0.3)
    assert until(lambda: served.store.queued("batch"))
    (job_id,) = served.store.queued("batch")
    assert served.work(job_id).status == "succeeded"


def test_two_requests_under_one_key_at_once_are_one_job_and_a_409(served):
    body = b'--XX\r\nContent-Disposition: form-data; name="video"; filename="a.mp4"\r\n\r\n' + MP4
    head = (
        "POST /encode HTTP/1.1\nHost: localhost\nIdempotency-Key: k\n"
        f"Content-Type: multipart/form-data; boundary=XX\nContent-Length: {len(body) + 1000}"
    )
    slow = threading.Thread(target=served.raw, args=(head, body), kwargs={"close_after": 1.0})
    slow.start()
    assert until(lambda: served.store.redis.keys("twofold:idempotency:*"))
    answer = served.encode(headers={"Idempotency-Key": "k"})
    assert answer.status_code == 409
    assert answer.json()["type"] == "/problems/idempotency-key-in-use"
    slow.join()
    assert until(lambda: served.encode(headers={"Idempotency-Key": "k"}).status_code == 202)


def test_a_large_upload_takes_no_memory_to_speak_of(served):
    def resident():
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) // 1024

    def body():
        yield b'--XX\r\nContent-Disposition: form-data; name="video"; filename="a.mp4"\r\n\r\n' + MP4
        for _ in range(1600):
            yield piece
        yield b"\r\n--XX--\r\n"

    piece, headers = bytes(65536), {"Content-Type": "multipart/form-data; boundary=XX"}
    served.encode()
    before = resident()  # client and server are one process here
    answer = served.http.post("/encode", content=body(), headers=headers)
    assert answer.status_code == 202
    record = served.store.get(answer.json()["id"])
    assert served.artifacts.find(record.inputs[0]).bytes > 100 * 2**20
    assert resident() - before < 40
