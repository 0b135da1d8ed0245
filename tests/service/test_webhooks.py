"""Callbacks: who may be told, what is told and how it is signed, and what happens when nobody listens."""

import asyncio
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpcore
import pytest
import trustme
from standardwebhooks import Webhook

from jobs.callbacks import HELD, PAUSES, Outbox, Secrets, checked_callback, is_public
from jobs.errors import WrongValue
from service.forms import CALLBACK
from service.public_only import NotPublic, PublicOnly, resolve
from service.webhooks import Webhooks

NAME = "hooks.example"


@dataclass
class Receiver:
    """An https server that writes down what it is told."""

    url: str
    trust: ssl.SSLContext
    answers: list[int] = field(default_factory=list)
    told: list[tuple[dict[str, str], bytes]] = field(default_factory=list)


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@contextmanager
def receiving(authority) -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            receiver.told.append(({name.lower(): value for name, value in self.headers.items()}, body))
            status = receiver.answers.pop(0) if receiver.answers else 204
            self.send_response(status)
            if status == 302:
                self.send_header("Location", receiver.url + "-elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(NAME).configure_cert(context)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    receiver = Receiver(f"https://{NAME}:{server.server_port}/told", trust)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def receiver(authority):
    with receiving(authority) as made:
        yield made


async def here(host: str, port: int) -> list[str]:
    return ["127.0.0.1"]


@pytest.fixture
def asked(make_served, monkeypatch):
    """A server that sends nothing by itself: a test says when."""
    monkeypatch.setattr("service.webhooks.LOOK_EVERY", 3600.0)
    return make_served()


def sender(served, receiver) -> Webhooks:
    """A sender whose names all lead to this machine, which it may call for once."""
    network = PublicOnly(here, allowed=lambda address: True)
    return Webhooks(served.store, Secrets(served.settings.own_webhook_secret_file), network, receiver.trust)


def send(webhooks: Webhooks) -> int:
    async def all_that_is_due() -> int:
        return len(await asyncio.gather(*await webhooks.start_due(8)))

    return asyncio.run(all_that_is_due())


def later(served, seconds: float) -> None:
    """Let the outbox think that time has passed."""
    key = "twofold:webhooks"
    for entry, due in served.store.redis.zrange(key, 0, -1, withscores=True):
        served.store.redis.zadd(key, {entry: due - seconds})


def test_the_end_of_a_job_is_told_once_with_a_signature_that_the_standards_library_takes(asked, receiver):
    job = asked.job(asked.encode(callback=receiver.url))
    webhooks = sender(asked, receiver)
    assert send(webhooks) == 0, "it has not ended"
    asked.work(job)
    assert (send(webhooks), send(webhooks)) == (1, 0)
    [(headers, body)] = receiver.told
    secret = Secrets(asked.settings.own_webhook_secret_file).told("local")
    said = Webhook(secret).verify(body, headers)
    assert said["type"] == "job.succeeded"
    assert said["data"] == asked.http.get(f"/jobs/{job}").json()
    with pytest.raises(Exception, match="No matching signature"):
        Webhook(secret).verify(body.replace(b"succeeded", b"failed"), headers)


def test_a_finished_job_is_told_to_so_many_and_no_more(asked, receiver):
    asked.work(asked.job(asked.encode()))
    answers = [asked.encode(callback=f"{receiver.url}/{turn}").status_code for turn in range(17)]
    assert answers == [202] * 16 + [422]


def test_who_hangs_holds_up_nobody_else(asked, receiver, monkeypatch):
    hung, told = asyncio.Event(), []

    async def post(webhooks, due, record):
        if "hang" in due.url:
            await hung.wait()
        told.append(due.url)
        return 200

    async def for_a_while(webhooks):
        running = asyncio.create_task(webhooks.run())
        while len(told) < 9:
            await asyncio.sleep(0.01)
        running.cancel()

    monkeypatch.setattr(Webhooks, "_post", post)
    monkeypatch.setattr("service.webhooks.LOOK_EVERY", 0.01)
    for turn in range(12):
        asked.work(asked.job(asked.encode(start=str(turn), callback=f"{receiver.url}/{'hang' if turn < 3 else turn}")))
    asyncio.run(asyncio.wait_for(for_a_while(sender(asked, receiver)), 10))
    assert not any("hang" in url for url in told)


def test_a_canceled_and_a_failed_job_are_told_too(asked, receiver):
    from jobs.errors import NoVideo

    canceled = asked.job(asked.encode(callback=receiver.url))
    asked.http.delete(f"/jobs/{canceled}")
    failed = asked.job(asked.encode(stride="2", callback=receiver.url))
    asked.store.begin(failed, "e")
    asked.store.fail(failed, "e", NoVideo("no video"))
    send(sender(asked, receiver))
    types = {json.loads(body)["type"] for _, body in receiver.told}
    assert types == {"job.canceled", "job.failed"}


def test_json_requests_take_callbacks_and_one_request_with_another_callback_is_one_job(asked, receiver):
    first = asked.http.post("/sample", json={"seed": 5, "callback": receiver.url})
    second = asked.http.post("/sample", json={"seed": 5, "callback": receiver.url + "/2"})
    assert first.status_code == second.status_code == 202
    assert first.json()["id"] == second.json()["id"]
    asked.work(first.json()["id"])
    assert send(sender(asked, receiver)) == 2
    assert len({headers["webhook-id"] for headers, _ in receiver.told}) == 2


def test_a_job_that_has_ended_already_is_told_at_once(asked, receiver):
    asked.finished_encode()
    assert asked.encode(callback=receiver.url).status_code == 202
    assert send(sender(asked, receiver)) == 1


def test_a_failing_receiver_is_tried_again_later_under_the_same_id_and_given_up_at_last(asked, receiver):
    receiver.answers = [500, 302, 404] + [503] * 20
    asked.work(asked.job(asked.encode(callback=receiver.url)))
    webhooks = sender(asked, receiver)
    for pause in PAUSES:
        before = asked.store.now()
        assert send(webhooks) == 1
        [(_, due)] = asked.store.redis.zrange("twofold:webhooks", 0, -1, withscores=True)
        assert before + pause <= due <= asked.store.now() + pause
        later(asked, due - before)
    assert send(webhooks) == 1
    later(asked, 1e6)
    assert send(webhooks) == 0
    assert len(receiver.told) == len(PAUSES) + 1
    assert len({headers["webhook-id"] for headers, _ in receiver.told}) == 1
    assert Outbox(asked.store.redis).waiting() == 0
    assert asked.store.redis.hlen("twofold:webhook-tries") == 0


def test_a_sender_that_dies_holds_its_message_for_a_minute_only(asked, receiver):
    asked.work(asked.job(asked.encode(callback=receiver.url)))
    outbox = Outbox(asked.store.redis)
    assert len(outbox.take(asked.store.now(), 8)) == 1
    webhooks = sender(asked, receiver)
    assert send(webhooks) == 0
    later(asked, HELD + 1)
    assert send(webhooks) == 1
    assert len(receiver.told) == 1


def test_a_receiver_that_is_gone_is_told_no_more(asked, receiver):
    receiver.answers = [410]
    jobs = [asked.job(asked.encode(stride=str(n), callback=receiver.url)) for n in (1, 2)]
    webhooks = sender(asked, receiver)
    asked.work(jobs[0])
    send(webhooks)
    asked.work(jobs[1])
    assert send(webhooks) == 1
    assert len(receiver.told) == 1
    assert Outbox(asked.store.redis).waiting() == 0


def test_a_certificate_that_nobody_vouches_for_is_a_failed_try(asked, receiver):
    asked.work(asked.job(asked.encode(callback=receiver.url)))
    webhooks = sender(asked, receiver)
    webhooks.trust = ssl.create_default_context()
    assert send(webhooks) == 1
    assert receiver.told == []
    assert Outbox(asked.store.redis).waiting() == 1


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
        "255.255.255.255", "192.0.2.1", "::1", "::", "fe80::1", "fc00::1", "fec0::1", "ff02::1", "::ffff:127.0.0.1",
        "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:db8::1",
    ],
)  # fmt: skip
def test_no_private_address_is_called_though_a_public_name_leads_there(address):
    assert not is_public(address)

    async def lead(host, port):
        return ["93.184.216.34", address]

    with pytest.raises(NotPublic, match="not in public"):
        asyncio.run(PublicOnly(lead).connect_tcp(NAME, 443, timeout=1))


@pytest.mark.parametrize("address", ["93.184.216.34", "8.8.8.8", "2606:4700::1111"])
def test_public_addresses_are(address):
    assert is_public(address)


def test_the_address_that_was_looked_at_is_the_one_that_is_called(asked, receiver):
    """A name server that answers otherwise the second time is not asked a second time."""
    answers = [["127.0.0.1"], ["10.0.0.1"]]

    async def rebinding(host, port):
        return answers.pop(0)

    asked.work(asked.job(asked.encode(callback=receiver.url)))
    webhooks = sender(asked, receiver)
    webhooks.network = PublicOnly(rebinding, allowed=lambda address: address == "127.0.0.1")
    send(webhooks)
    assert len(receiver.told) == 1
    assert answers == [["10.0.0.1"]]


def test_a_private_receiver_is_refused_when_it_is_told(asked, receiver):
    asked.work(asked.job(asked.encode(callback=receiver.url)))
    webhooks = sender(asked, receiver)
    webhooks.network = PublicOnly(here)
    assert send(webhooks) == 1
    assert receiver.told == []


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example/", "ftp://hooks.example/", "https://", "https:///path", "hooks.example", "",
        "https://user:word@hooks.example/", "https://localhost/", "https://a.localhost/", "https://printer.local/",
        "https://127.0.0.1/", "https://[::1]/", "https://2130706433/", "https://0x7f.1/", "https://0177.0.0.1/",
        "https://10.0.0.1:8443/", "https://169.254.169.254/latest/", "https://[::ffff:127.0.0.1]/",
        "https://hooks.example:99999/", "https://hooks.example/a b", "https://hooks.example/\n", "https://hööks.example/",
        "https://hooks.example/" + "x" * 2000,
    ],
)  # fmt: skip
def test_what_is_no_public_https_address_is_refused_before_any_job(url):
    with pytest.raises(WrongValue, match="callback"):
        checked_callback(url)


def test_a_callback_may_be_as_long_as_the_description_says_and_no_longer():
    longest = "https://hooks.example/".ljust(CALLBACK["maxLength"], "x")
    assert checked_callback(longest) == longest
    with pytest.raises(WrongValue, match=f"at most {len(longest)} characters"):
        checked_callback(longest + "x")


def test_a_refused_callback_is_422_and_makes_no_job(asked):
    answer = asked.encode(callback="https://127.0.0.1/")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "callback"
    assert asked.http.post("/sample", json={"callback": 3}).status_code == 422
    assert asked.http.get("/jobs").json()["jobs"] == []


def test_each_owner_has_a_secret_of_its_own_that_lasts(tmp_path):
    first, again = Secrets(tmp_path / "secret"), Secrets(tmp_path / "secret")
    assert first.of("a") == again.of("a") != first.of("b")
    assert (tmp_path / "secret").stat().st_mode & 0o077 == 0
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]


def test_the_network_of_callbacks_has_no_other_ways(tmp_path):
    with pytest.raises(httpcore.ConnectError):
        asyncio.run(PublicOnly().connect_unix_socket(str(tmp_path / "socket")))


def test_a_silent_name_server_takes_no_thread_of_the_event_loop(monkeypatch):
    answered, asked = threading.Event(), []

    def silent(*arguments, **options):
        asked.append(arguments)
        assert answered.wait(20)
        return []

    async def look() -> None:
        lookups = [asyncio.create_task(resolve(f"{number}.example", 443)) for number in range(64)]
        while len(asked) < 4:
            await asyncio.sleep(0.01)
        try:
            await asyncio.wait_for(asyncio.to_thread(lambda: None), 5)
            for lookup in lookups:
                lookup.cancel()
            ended = await asyncio.wait_for(asyncio.gather(*lookups, return_exceptions=True), 5)
            assert {type(one) for one in ended} == {asyncio.CancelledError}
        finally:
            answered.set()

    monkeypatch.setattr(socket, "getaddrinfo", silent)
    asyncio.run(look())
    assert len(asked) <= 32


def test_a_name_is_resolved_to_its_addresses_or_to_none(monkeypatch):
    def unknown(*arguments, **options):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    assert "127.0.0.1" in asyncio.run(resolve("localhost", 443))
    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(httpcore.ConnectError, match=r"hooks\.example: .*not known"):
        asyncio.run(resolve(NAME, 443))
