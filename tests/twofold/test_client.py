"""The client against the real API (without a worker), and against a network that fails."""

import io
import os
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx
import numpy as np
import pytest

from jobs.errors import (
    Canceled,
    ConfigurationError,
    KeyInUse,
    Problem,
    QueueFull,
    UnknownClip,
    UnknownJob,
    UnknownModel,
    WrongValue,
)
from twofold import connection, network
from twofold.client import Client, ServerUnreachable, WaitedTooLong
from twofold.results import Job
from twofold.up import is_ready


@pytest.fixture
def client(server_url: str) -> Iterator[Client]:
    with Client(server_url, timeout=1) as made:
        yield made


def test_a_submitted_clip_waits_in_the_queue_and_can_be_canceled(client, picture):
    job = client.submit_encode(picture, stride=2)
    assert (job.kind, job.status, job.model, job.position) == ("encode", "queued", "mine", 1)
    assert client.job(job) == client.job(job.id)
    assert client.cancel(job).status == "canceled"
    with pytest.raises(Canceled):
        client.wait(job)


def test_waiting_ends_when_the_caller_said(client, picture):
    seen: list[Job] = []
    began = time.monotonic()
    with pytest.raises(WaitedTooLong, match="queued"):
        client.wait(client.submit_encode(picture), progress=seen.append, timeout=0.3)
    assert 0.3 <= time.monotonic() - began < 5
    assert [job.status for job in seen] == ["queued"]


def test_an_open_file_is_a_clip_too(client, picture):
    by_path = client.submit_encode(picture)
    by_file = client.submit_encode(io.BytesIO(picture.read_bytes()))
    assert by_file.id == by_path.id


def test_a_pipe_is_a_clip_too(client, picture):
    readable, writable = os.pipe()
    with open(readable, "rb") as pipe, open(writable, "wb") as end:
        writer = threading.Thread(target=lambda: (end.write(picture.read_bytes()), end.close()))
        writer.start()
        by_pipe = client.submit_encode(pipe)
        writer.join()
    assert by_pipe.id == client.submit_encode(picture).id


def test_numbers_of_numpy_are_numbers(client):
    job = client.submit_sample(identities=np.int64(2), seed=np.uint8(3), frames=np.int32(8))
    assert client.submit_sample(identities=2, seed=3, frames=8).id == job.id


class Ready(BaseHTTPRequestHandler):
    """Answers 200, whatever is asked."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_a_server_on_this_machine_is_asked_without_a_proxy(server_url, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with Client(server_url, timeout=1) as client:
        assert client.models()
    with HTTPServer(("127.0.0.1", 0), Ready) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        assert is_ready(f"http://127.0.0.1:{server.server_port}")


def test_a_refusal_of_the_server_is_told_as_it_was(server_url):
    with Client(server_url.replace("127.0.0.1", "localhost"), timeout=1) as client:
        client._server._network._http.headers["Host"] = "devbox:8000"
        with pytest.raises(Problem) as refused:
            client.models()
    assert (refused.value.slug, refused.value.status) == ("refused", 403)


def test_a_clip_is_uploaded_once_and_used_wherever_a_clip_is_asked_for(client, picture):
    clip = client.upload(picture)
    assert client.clip(clip) == client.clip(clip.id) == clip
    assert client.submit_encode(clip).id == client.submit_encode(picture).id
    assert client.submit_swap(clip, [picture, clip]).kind == "swap"
    assert client.submit_predict(clip, model="moving", observe=5).kind == "predict"
    client.delete_clip(clip)
    with pytest.raises(UnknownClip):
        client.submit_encode(clip)


def test_jobs_are_listed_over_all_pages(client, picture):
    made = [client.submit_sample(seed=seed).id for seed in range(23)]
    client.cancel(made[3])
    assert [job.id for job in client.jobs()] == made[::-1]
    assert [job.id for job in client.jobs(status="canceled")] == [made[3]]
    assert list(client.jobs(kind="encode")) == []


def test_a_callback_that_is_none_is_refused_with_its_field(client, picture):
    with pytest.raises(WrongValue) as caught:
        client.submit_encode(picture, callback="http://a.example")
    assert caught.value.errors[0]["field"] == "callback"
    with pytest.raises(WrongValue, match="callback"):
        client.submit_sample(callback="https://127.0.0.1/")


def test_problems_keep_their_kind_on_the_way(client, picture):
    with pytest.raises(UnknownModel, match="mine"):
        client.submit_encode(picture, model="yours")
    with pytest.raises(WrongValue, match="stride"):
        client.submit_encode(picture, stride=0)
    with pytest.raises(WrongValue) as caught:
        client.submit_latent_grid(seed=1, size=99)
    assert caught.value.errors[0]["field"] == "size"


def test_every_kind_is_queued_with_what_was_given(client, picture):
    jobs = [
        client.submit_sample(seed=3, identities=2),
        client.submit_decode(np.zeros((2, 2)), static=[0.5] * 16),
        client.submit_predict(picture, model="moving", observe=5),
    ]
    assert [(job.kind, job.status) for job in jobs] == [
        ("sample", "queued"),
        ("decode", "queued"),
        ("predict", "queued"),
    ]
    assert client.submit_sample(seed=3, identities=2).id == jobs[0].id


def test_what_no_model_can_do_is_refused_with_the_field(client, picture):
    with pytest.raises(WrongValue, match="mine has no motion model") as caught:
        client.predict(picture)
    assert caught.value.errors[0]["field"] == "model"
    with pytest.raises(WrongValue, match="expected 2 numbers"):
        client.decode([0.5] * 16, [[0.0] * 3])
    with pytest.raises(WrongValue, match="finite"):
        client.decode([0.5] * 16, [[np.inf, 0.0]])
    with pytest.raises(UnknownJob):
        client.interpolate(("0" * 32, 0), ("0" * 32, 3))
    with pytest.raises(UnknownJob):
        client.sample(static="0" * 32)
    with pytest.raises(UnknownJob):
        client.decode("0" * 32, [[0.0, 0.0]])


def test_models_are_listed_with_their_sizes(client):
    by_name = {model["name"]: model for model in client.models()}
    assert by_name["mine"]["licence"] == "mine"
    assert (by_name["mine"]["motion"], by_name["moving"]["motion"]) == (False, True)
    assert client.model("mine")["digest"] == by_name["mine"]["digest"]


def over(answer: Callable[[httpx.Request], httpx.Response]) -> Client:
    return Client("http://there", transport=httpx.MockTransport(answer))


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    slept: list[float] = []
    monkeypatch.setattr(network.time, "sleep", slept.append)
    return slept


JOB = {"id": "0" * 32, "kind": "encode", "status": "queued"}


def test_a_busy_server_is_asked_again_when_it_said_with_the_whole_file(pauses):
    bodies = []

    def answer(request: httpx.Request) -> httpx.Response:
        bodies.append(request.read())
        if len(bodies) == 1:
            problem = QueueFull("full").to_dict()
            headers = {"Retry-After": "7", "Content-Type": "application/problem+json"}
            return httpx.Response(503, json=problem, headers=headers)
        return httpx.Response(202, json=JOB)

    with over(answer) as client:
        assert client.submit_encode(io.BytesIO(b"pictures")).status == "queued"
    assert pauses == [7]
    assert all(b"pictures" in body for body in bodies)


def test_a_server_that_stays_busy_is_told(pauses):
    headers = {"Retry-After": "1", "Content-Type": "application/problem+json"}
    with (
        over(lambda request: httpx.Response(503, json=QueueFull("full").to_dict(), headers=headers)) as client,
        pytest.raises(QueueFull, match="full"),
    ):
        client.models()
    assert len(pauses) == connection.BUSY_TRIES - 1


def test_a_request_whose_answer_was_lost_is_sent_again_only_where_that_is_safe(pauses):
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append((request.method, request.headers.get("Idempotency-Key")))
        raise httpx.ReadError("cut off")

    with over(answer) as client:
        with pytest.raises(ServerUnreachable, match="cut off"):
            client.submit_encode(io.BytesIO(b"pictures"))
        ((method, key),) = set(asked)
        assert (method, len(asked)) == ("POST", len(connection.STRANGER) + 1)
        assert key is not None
        del asked[:]
        with pytest.raises(ServerUnreachable):
            client.cancel("0" * 32)
        assert len(asked) == len(connection.STRANGER) + 1
        del asked[:]
        with pytest.raises(ServerUnreachable):
            network.finished(client._server._ask("POST", "/encode"))
        assert asked == [("POST", None)]


def test_another_request_has_another_key(pauses):
    keys = []

    def answer(request: httpx.Request) -> httpx.Response:
        keys.append(request.headers["Idempotency-Key"])
        return httpx.Response(202, json=JOB)

    with over(answer) as client:
        client.submit_sample(seed=1)
        client.submit_sample(seed=1)
    assert len(set(keys)) == 2


def test_a_key_that_a_dead_server_holds_is_given_up(pauses):
    """The server is killed while it reads; the next one finds the key held by nobody, and for long."""
    keys = []

    def answer(request: httpx.Request) -> httpx.Response:
        keys.append(request.headers["Idempotency-Key"])
        if len(keys) == 1:
            raise httpx.ReadError("killed")
        if keys[-1] == keys[0]:
            headers = {"Retry-After": "2", "Content-Type": "application/problem+json"}
            return httpx.Response(409, json=KeyInUse("held").to_dict(), headers=headers)
        return httpx.Response(202, json=JOB)

    with over(answer) as client:
        assert client.submit_encode(io.BytesIO(b"pictures")).status == "queued"
    assert len(keys) == 4
    assert pauses[1:] == [2, 2]


def test_a_file_that_can_be_read_only_once_is_sent_again_all_the_same(pauses):
    class Piped(io.BytesIO):
        def seekable(self) -> bool:
            return False

    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.read())
        raise httpx.ReadError("cut off")

    with over(answer) as client, pytest.raises(ServerUnreachable):
        client.submit_encode(Piped(b"pictures"))
    assert len(asked) == 1 + len(pauses)
    assert all(b"pictures" in request for request in asked)


def test_a_server_that_was_there_is_given_time_to_start_again(pauses):
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        if 1 < len(asked) < 10:
            raise httpx.ConnectError("refused")
        return httpx.Response(200, json=[])

    with over(answer) as client:
        assert client.models() == client.models() == []
    assert sum(pauses) > 20


def test_what_answers_and_is_no_twofold_is_told():
    with (
        over(lambda request: httpx.Response(200, text="<html>hello</html>")) as client,
        pytest.raises(ServerUnreachable, match="no Twofold server"),
    ):
        client.models()


@pytest.mark.parametrize(
    ("url", "key", "said"),
    [("http://a:port", None, "no address"), ("http://a", "ключ", "copied whole"), ("http://a", "a\nb", "copied whole")],
)
def test_an_address_or_a_key_that_cannot_be_one_is_told_at_once(url, key, said):
    with pytest.raises(ConfigurationError, match=said):
        Client(url, key=key)


def test_an_address_without_its_scheme_is_told(pauses):
    with Client("localhost:8000") as client, pytest.raises(ServerUnreachable, match=r"such as http://127"):
        client.models()


def test_what_a_proxy_says_is_told_as_it_is(pauses):
    with (
        over(lambda request: httpx.Response(502, text="<html>Bad gateway</html>")) as client,
        pytest.raises(Problem, match=r"502.*Bad gateway"),
    ):
        client.models()


def test_an_answer_of_a_newer_server_is_still_read():
    with over(lambda request: httpx.Response(200, json={**JOB, "mood": "good"})) as client:
        assert client.job("0" * 32).status == "queued"


def test_an_id_cannot_reach_another_path():
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.raw_path)
        return httpx.Response(200, json=JOB)

    with over(answer) as client:
        client.job("../models?x=1")
    assert asked == [b"/jobs/..%2Fmodels%3Fx%3D1"]
