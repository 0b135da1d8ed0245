"""Waiting for jobs over a network that fails; a worker's part is played with the job store's own functions."""

import asyncio
import inspect
import io
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest
from redis import Redis

from jobs.errors import NoFace, NotFinished
from jobs.movie_request import NPZ
from tests.twofold.served import Proxy, served
from twofold import AsyncClient, Client, waiting
from twofold.results import Job
from twofold.waiting import StreamEvent, WaitedTooLong, parse


@contextmanager
def meanwhile(work: Callable[[], None]) -> Iterator[None]:
    """Let something happen while we wait, and hear of it if it fails."""
    failed: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        thread.join()
    assert not failed, failed


def moved(seen: list[Job]) -> list[tuple[str, float]]:
    return [(job.status, job.progress) for job in seen]


def until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_progress_is_told_as_it_happens_by_one_stream(proxy: Proxy, worker):
    with Client(proxy.url, timeout=60) as client:
        job, seen = client.submit_sample(seed=1), []

        def work() -> None:
            until(lambda: seen)
            worker.begin(job)
            for tenth in range(1, 10):
                worker.beat(job, tenth / 10)
                until(lambda: seen[-1].progress == tenth / 10)  # noqa: B023
            worker.commit(job)

        with meanwhile(work):
            done = client.wait(job, progress=seen.append)
    assert done.ended_well
    assert [one for one in moved(seen) if one[0] == "running"][-9:] == [
        ("running", tenth / 10) for tenth in range(1, 10)
    ]
    assert seen[-1] == done
    assert proxy.asked.count(f"GET /jobs/{job.id}/events") == 1
    assert proxy.asked.count(f"GET /jobs/{job.id}") <= 4  # one for each change of status, not one for each step


def test_a_connection_that_is_cut_is_taken_up_where_it_was_without_repeats(proxy: Proxy, worker):
    with Client(proxy.url, timeout=60) as client:
        job, seen = client.submit_sample(seed=1), []

        def work() -> None:
            worker.begin(job)
            until(lambda: f"GET /jobs/{job.id}/events" in proxy.asked)
            time.sleep(0.3)  # it has read what has been
            for fifth in range(1, 5):
                worker.beat(job, fifth / 5)
                until(lambda: seen and seen[-1].progress == fifth / 5)  # noqa: B023
                proxy.cut()
            worker.commit(job)

        with meanwhile(work):
            assert client.wait(job, progress=seen.append).ended_well
    progress = [job.progress for job in seen]
    assert progress == sorted(progress)
    assert {0.2, 0.4, 0.6, 0.8} <= set(progress)
    assert f"GET /jobs/{job.id}/events again" in proxy.asked


def test_a_server_that_is_away_for_some_seconds_is_waited_for(proxy: Proxy, worker):
    with Client(proxy.url, timeout=60) as client:
        job = client.submit_sample(seed=1)
        worker.begin(job)

        def work() -> None:
            until(lambda: f"GET /jobs/{job.id}/events" in proxy.asked)
            proxy.away = True
            proxy.cut()
            time.sleep(3)
            worker.commit(job)
            proxy.away = False

        with meanwhile(work):
            assert client.wait(job).ended_well


def test_a_server_that_is_stopped_and_started_again_mid_job_is_waited_for(settings, worker):
    with served(settings) as url:
        client = Client(url, timeout=60)
        job, seen = client.submit_sample(seed=1), []
        worker.begin(job)
        worker.beat(job, 0.5)
        thread = threading.Thread(target=lambda: seen.append(client.wait(job, progress=seen.append)))
        thread.start()
        until(lambda: seen and seen[-1].progress == 0.5)
    worker.commit(job)  # while nobody serves
    assert not seen[-1].is_over
    with served(settings.model_copy(update={"port": int(url.rsplit(":", 1)[1])})):
        thread.join(30)
    client.close()
    assert seen[-1].ended_well


def test_where_no_stream_is_to_be_had_the_job_is_asked_for(server_url, worker):
    class WithoutStream(httpx.HTTPTransport):
        refused = 0

        def handle_request(self, request: httpx.Request) -> httpx.Response:
            if request.url.path.endswith("/events"):
                self.refused += 1
                return httpx.Response(404, text="no such thing here")
            return super().handle_request(request)

    transport = WithoutStream()
    with Client(server_url, transport=transport) as client:
        job, seen = client.submit_sample(seed=1), []

        def work() -> None:
            worker.begin(job)
            worker.beat(job, 0.5)
            until(lambda: seen and seen[-1].progress == 0.5)
            worker.commit(job)

        with meanwhile(work):
            assert client.wait(job, progress=seen.append).ended_well
    assert transport.refused == 1


def test_a_stream_that_somebody_holds_back_is_given_up(server_url, worker, monkeypatch):
    monkeypatch.setattr(waiting, "SILENCE", 0.2)

    class Buffering(httpx.HTTPTransport):
        held = 0

        def handle_request(self, request: httpx.Request) -> httpx.Response:
            if not request.url.path.endswith("/events"):
                return super().handle_request(request)
            self.held += 1

            def silent() -> Iterator[bytes]:
                time.sleep(0.2)
                raise httpx.ReadTimeout("nothing came")
                yield b""

            return httpx.Response(200, headers={"Content-Type": "text/event-stream"}, content=silent())

    transport = Buffering()
    with Client(server_url, transport=transport) as client:
        job = client.submit_sample(seed=1)
        worker.begin(job)

        def work() -> None:
            time.sleep(1)
            worker.commit(job)

        with meanwhile(work):
            assert client.wait(job).ended_well
    assert transport.held == 1


def test_what_an_earlier_attempt_had_reached_is_not_told_of_this_one(server_url, worker, settings):
    """The stream begins with what has been: a first attempt that was lost at 90 %."""
    with Client(server_url, timeout=60) as client:
        job, seen = client.submit_sample(seed=1), []
        worker.begin(job)
        worker.beat(job, 0.9)
        Redis.from_url(settings.redis_url).zadd("twofold:running", {job.id: 1})  # its lease ran out long ago
        worker.begin(job, "second")
        worker.beat(job, 0.2, "second")

        def work() -> None:
            until(lambda: seen)
            worker.beat(job, 0.4, "second")
            until(lambda: seen[-1].progress == 0.4)
            worker.commit(job, "second")

        with meanwhile(work):
            client.wait(job, progress=seen.append)
    assert [job.progress for job in seen][:2] == [0.2, 0.4]
    assert {job.attempts for job in seen} == {2}


def test_a_job_that_fails_raises_its_problem(server_url, worker):
    with Client(server_url, timeout=60) as client:
        job = client.submit_sample(seed=1)
        worker.begin(job)

        def work() -> None:
            time.sleep(0.3)
            worker.store.fail(job.id, "first", NoFace("nobody is seen"))

        with meanwhile(work), pytest.raises(NoFace, match="nobody is seen"):
            client.wait(job)


def no_arrays() -> bytes:
    buffer = io.BytesIO()
    zipfile.ZipFile(buffer, "w").close()
    return buffer.getvalue()


def test_a_movie_that_is_long_in_the_drawing_is_waited_for(server_url, worker, monkeypatch):
    monkeypatch.setattr("service.movies.PATIENCE", 0.05)
    with Client(server_url) as client:
        job = client.submit_sample()
        with pytest.raises(NotFinished, match="is queued"):
            client.result(job, "mp4")
        worker.begin(job)
        stored = {"application/json": worker.artifacts.write(b"{}"), NPZ: worker.artifacts.write(no_arrays())}
        assert worker.store.commit(job.id, "first", stored)

        def draw() -> None:
            while not (movies := worker.store.queued("interactive")):
                time.sleep(0.01)
            time.sleep(0.2)
            assert worker.store.begin(movies[0], "first")
            assert worker.store.commit(movies[0], "first", {"video/mp4": worker.artifacts.write(b"drawn")})

        with meanwhile(draw):
            assert client.result(job, "mp4") == b"drawn"
    with Client(server_url, timeout=0.0) as client, pytest.raises(NotFinished, match="gif of job"):
        client.result(job, "gif")


def test_waiting_ends_when_the_caller_said_although_the_stream_speaks(server_url, worker, monkeypatch):
    monkeypatch.setattr(waiting, "PING", 0.5)
    with Client(server_url, timeout=60) as client:
        job, seen = client.submit_sample(seed=1), []
        worker.begin(job)
        over = threading.Event()

        def work() -> None:
            for step in range(1, 900):
                worker.beat(job, step / 1000)
                if over.wait(0.01):
                    return

        began = time.monotonic()
        with meanwhile(work):
            try:
                with pytest.raises(WaitedTooLong, match=r"running after 3 s"):
                    client.wait(job, progress=seen.append, timeout=3)
            finally:
                over.set()
        assert 3 <= time.monotonic() - began < 12
    assert len(seen) > 12  # by the stream; asking, which slows down, would have told it a few times


def test_an_answer_that_was_lost_made_its_job_once(proxy: Proxy, picture):
    with Client(proxy.url, timeout=60) as client:
        proxy.lose_answers = 1
        job = client.submit_encode(picture)
        assert [one.id for one in client.jobs()] == [job.id]
    assert proxy.asked.count("POST /encode") == 2


def test_a_callback_that_fails_ends_the_waiting_and_leaves_the_client_whole(server_url, worker):
    with Client(server_url, timeout=60) as client:
        job = client.submit_sample(seed=1)

        def refuse(now: Job) -> None:
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            client.wait(job, progress=refuse)
        assert client.job(job).status == "queued"


def test_many_jobs_are_awaited_at_once_while_the_loop_runs_on(proxy: Proxy, worker):
    async def run() -> tuple[list[Job], list[float], int]:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                await asyncio.sleep(0.01)
                ticks += 1

        async with AsyncClient(proxy.url, timeout=60) as client:
            ticking = asyncio.create_task(tick())
            jobs = [await client.submit_sample(seed=seed) for seed in range(5)]
            seen: list[float] = []

            def work() -> None:
                for job in jobs:
                    worker.begin(job)
                    worker.beat(job, 0.5)
                time.sleep(0.5)
                proxy.cut()
                time.sleep(0.5)
                for job in jobs:
                    worker.commit(job)

            working = asyncio.create_task(asyncio.to_thread(work))
            done = await asyncio.gather(
                *(client.wait(job, progress=lambda now: seen.append(now.progress)) for job in jobs)
            )
            await working
            listed = [job.id async for job in client.jobs()]
            assert listed == [job.id for job in jobs[::-1]]
            ticking.cancel()
            return list(done), seen, ticks

    done, seen, ticks = asyncio.run(run())
    assert all(job.ended_well for job in done)
    assert seen.count(0.5) >= 5
    assert ticks > 30


def test_what_is_awaited_can_be_given_up(server_url):
    async def run() -> str:
        async with AsyncClient(server_url, timeout=60) as client:
            job = await client.submit_sample(seed=1)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(client.wait(job), 0.5)
            return (await client.cancel(job)).status

    assert asyncio.run(run()) == "canceled"


def test_a_blocking_client_works_where_a_loop_runs_already(server_url):
    """As in a notebook."""

    async def run() -> list[Job]:
        with Client(server_url, timeout=60) as client:
            job = client.submit_sample(seed=1)
            assert client.cancel(job).status == client.cancel(job).status == "canceled"
            return list(client.jobs())

    assert len(asyncio.run(run())) == 1


def test_both_clients_have_the_same_methods_with_the_same_arguments():
    names = {name for name, member in inspect.getmembers(AsyncClient, inspect.isfunction) if not name.startswith("_")}
    assert names == {
        name for name, member in inspect.getmembers(Client, inspect.isfunction) if not name.startswith("_")
    }
    assert {"encode", "swap", "jobs", "wait", "upload"} <= names
    for name in names:
        awaited, blocked = getattr(AsyncClient, name), getattr(Client, name)
        assert inspect.signature(awaited).parameters.keys() == inspect.signature(blocked).parameters.keys(), name
        assert inspect.iscoroutinefunction(awaited) or inspect.isasyncgenfunction(awaited), name
        assert not inspect.iscoroutinefunction(blocked), name
        assert awaited.__doc__ == blocked.__doc__ != None, name  # noqa: E711


def test_events_are_read_as_they_are_defined():
    lines = [
        "retry: 1000",
        "",
        ": still here",
        "",
        "id: 1-0",
        "event: progress",
        "data: {",
        'data: "a": 1}',
        "",
        "id:2-0",
        'data:{"cut": "off"}',
    ]

    async def given():
        for line in lines:
            yield line

    async def read():
        return [event async for event in parse(given())]

    assert asyncio.run(read()) == [StreamEvent("", "", {}), None, StreamEvent("1-0", "progress", {"a": 1})]
