"""How jobs end: well, refused, canceled, taken from a dead worker and handed back."""

import json
import os
import signal
import threading
import time
from types import SimpleNamespace

import pytest
from redis.exceptions import ConnectionError as RedisGone

from jobs.artifacts import ArtifactWriter
from jobs.connection import connect
from jobs.errors import ConfigurationError, InternalError
from jobs.queue import OnlyOurJob, reap
from jobs.records import Beat
from jobs.requests import EncodeRequest, SwapRequest
from jobs.workers import announced
from tests.worker.doing import run, submit, work
from tests.worker.drawn import film, moving_square
from worker.__main__ import lay_out
from worker.attempt import Attempt
from worker.results import JSON, NPZ
from worker.warm import Pulse, WarmWorker


def test_a_broken_clip_fails_with_its_problem_and_the_next_job_works(bench, digest, upload):
    broken = submit(bench, EncodeRequest(model="tiny", digest=digest, clip=upload(b"no film at all, only words")))
    sound = submit(bench, EncodeRequest(model="tiny", digest=digest, clip=upload(film(moving_square(3)))))
    work(bench)
    assert bench.store.get(broken.id).problem.slug == "not-a-media"
    assert bench.store.get(sound.id).status == "succeeded"


def test_too_many_pictures_of_a_swap_are_refused(settings, upload, bench, digest):
    short = settings.model_copy(update={"max_clip_frames": 10})
    small = lay_out(short)
    clip = {"clip": upload(film(moving_square(10)))}
    record = run(small, SwapRequest(model="tiny", digest=digest, static=[clip] * 3, dynamic=[clip] * 3))
    assert record.problem.slug == "too-many-frames"
    assert "90 pictures; at most 80" in record.problem.detail
    small.close()


def test_what_is_ours_to_mend_is_an_internal_error_without_a_trace_of_the_inside(bench, digest, upload):
    record = submit(bench, EncodeRequest(model="tiny", digest=digest, clip=upload(film(moving_square(3)))))
    bench.artifacts.root.joinpath("incoming").rmdir()  # results have nowhere to go
    work(bench)
    problem = bench.store.get(record.id).problem
    assert type(problem) is InternalError
    assert problem.detail == "internal error; the server's log says more"


@pytest.mark.parametrize(("device", "poisoned"), [("cpu", False), ("cuda", True)])
def test_after_what_is_ours_to_mend_a_gpu_is_not_trusted_any_more(bench, digest, upload, monkeypatch, device, poisoned):
    def broken(*arguments):
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    record = submit(bench, EncodeRequest(model="tiny", digest=digest, clip=upload(film(moving_square(3)))))
    monkeypatch.setattr(bench.shelf, "device", device)
    monkeypatch.setattr("worker.tasks.perform", broken)
    work(bench)
    assert type(bench.store.get(record.id).problem) is InternalError
    assert bench.poisoned is poisoned


def test_a_deleted_clip_is_told(bench, digest, upload):
    clip = upload(film(moving_square(3)))
    record = submit(bench, EncodeRequest(model="tiny", digest=digest, clip=clip))
    bench.artifacts.delete(clip)
    work(bench)
    assert bench.store.get(record.id).problem.slug == "unknown-clip"


def test_a_job_canceled_while_it_runs_ends_canceled_within_a_second(bench, digest, upload):
    clip = upload(film(moving_square(1500), options={"preset": "ultrafast"}))
    record = submit(bench, EncodeRequest(model="tiny", digest=digest, clip=clip))
    canceled = []

    def cancel():
        while bench.store.get(record.id).progress <= 0:
            time.sleep(0.01)
        assert bench.store.request_cancel(record.id) == "asked"
        canceled.append(time.monotonic())

    thread = threading.Thread(target=cancel)
    thread.start()
    work(bench)
    ended = time.monotonic()
    thread.join()
    stood = bench.store.get(record.id)
    assert stood.status == "canceled"
    assert not stood.results
    assert ended - canceled[0] < 3, "a second, and what a busy machine adds"


def test_a_purge_of_an_equal_clip_while_results_are_made_takes_none_of_them(bench, digest, upload, monkeypatch):
    clip = upload(film(moving_square(3)))
    first = run(bench, EncodeRequest(model="tiny", digest=digest, clip=clip))
    publish = ArtifactWriter.publish

    def purging(writer):
        made = publish(writer)
        if bench.store.get(first.id) is not None:
            for sha256 in bench.store.purge(bench.store.get(first.id)):
                bench.artifacts.delete(sha256)
        return made

    monkeypatch.setattr(ArtifactWriter, "publish", purging)
    second = run(bench, EncodeRequest(model="tiny", digest=digest, clip=clip, max_frames=1000))
    assert bench.store.get(first.id) is None
    assert second.results[NPZ] == first.results[NPZ], "equal arrays are one artifact"
    lost = [kind for kind, made in second.results.items() if not bench.artifacts.exists(made.sha256)]
    assert not lost


def test_what_a_job_wrote_in_the_moment_of_its_cancel_is_deleted(bench, digest, upload, monkeypatch):
    commit = Attempt.commit

    def canceled(attempt, results):
        assert all(bench.artifacts.exists(one.sha256) for one in results.values())
        assert bench.store.request_cancel(attempt.record.id) == "asked"
        return commit(attempt, results)

    monkeypatch.setattr(Attempt, "commit", canceled)
    clip = upload(film(moving_square(3)))
    record = run(bench, EncodeRequest(model="tiny", digest=digest, clip=clip))
    assert record.status == "canceled"
    assert [stored.sha256 for stored in bench.artifacts.all()] == [clip]


def test_an_attempt_that_lost_its_job_commits_nothing(bench, digest, upload):
    record = submit(bench, EncodeRequest(model="tiny", digest=digest, clip=upload(film(moving_square(3)))))
    late = Attempt.begin(bench.store, record.id)
    assert bench.store.take_back(record.id, late.execution) == "queued"
    bench.queue.deliver(bench.store.get(record.id))
    work(bench)
    done = bench.store.get(record.id)
    assert done.status == "succeeded"
    assert done.attempts == 2
    assert not late.commit({JSON: bench.artifacts.write(b"{}")})
    assert bench.store.get(record.id).results == done.results
    assert bench.store.beat(record.id, late.execution) is Beat.LOST


def test_a_worker_that_is_told_to_stop_hands_its_job_back_however_often(bench, digest, upload):
    record = submit(bench, EncodeRequest(model="tiny", digest=digest, clip=upload(film(moving_square(3)))))
    for _ in range(bench.store.settings.max_attempts + 2):
        assert Attempt.begin(bench.store, record.id).give_back() == "queued"


def test_a_job_that_was_popped_and_lost_is_delivered_again(bench, digest, upload, monkeypatch):
    monkeypatch.setattr("jobs.queue.LOST_AFTER", 0.0)
    record = submit(bench, EncodeRequest(model="tiny", digest=digest, clip=upload(film(moving_square(3)))))
    queue = bench.queue.queues["batch"]
    bench.store.redis.lmove(queue.key, queue.intermediate_queue_key)  # a worker took it, and died
    assert reap(bench.store, bench.queue) == [record.id]
    work(bench)
    assert bench.store.get(record.id).status == "succeeded"


def test_a_worker_runs_no_function_but_ours(bench, tmp_path):
    victim = tmp_path / "victim"
    victim.mkdir()
    queue = bench.queue.queues["batch"]
    queue.enqueue_call("os.rmdir", args=(str(victim),), job_id="crafted")
    work(bench)
    assert victim.exists()
    job = OnlyOurJob.fetch("crafted", connection=bench.store.redis, serializer=queue.serializer)
    assert job.get_status() == "failed"
    assert "refused to run" in job.latest_result().exc_string


def test_a_missing_default_model_is_the_operators_to_mend(settings, tmp_path):
    with pytest.raises(ConfigurationError, match="no model 'tiny'"):
        lay_out(settings.model_copy(update={"models_dir": tmp_path / "nowhere"}))
    with pytest.raises(ConfigurationError, match="TWOFOLD_REDIS_URL is not set"):
        lay_out(settings.model_copy(update={"redis_url": None}))


def test_a_warm_worker_announces_itself_and_says_goodbye(bench):
    seen = []

    def look():
        with connect(bench.store.settings.redis_url) as redis:
            deadline = time.monotonic() + 20
            while not seen and time.monotonic() < deadline:
                seen.extend(announced(redis))
                time.sleep(0.02)

    thread = threading.Thread(target=look)
    thread.start()
    with connect(bench.store.settings.redis_url, answer_timeout=None) as redis:
        WarmWorker("interactive", redis, bench).work(max_idle_time=2, logging_level="ERROR")
    thread.join()
    assert [(one.queue, one.device, list(one.models)) for one in seen] == [("interactive", "cpu", ["tiny"])]
    assert announced(bench.store.redis) == []


def test_an_idle_worker_that_lost_redis_looks_for_it_every_few_seconds(bench, monkeypatch):
    waits = []

    def gone(*arguments, **options):
        if len(waits) < 10:
            raise RedisGone("Redis is away")

    monkeypatch.setattr("rq.queue.Queue.dequeue_any", gone)
    monkeypatch.setattr("rq.worker.base.time", SimpleNamespace(sleep=waits.append))
    work(bench)
    assert len(waits) == 10
    assert max(waits) <= 5


def test_no_command_of_a_worker_waits_for_minutes(bench):
    with connect(bench.store.settings.redis_url, answer_timeout=None) as redis:
        worker = WarmWorker("interactive", redis, bench)
        assert redis.connection_pool.connection_kwargs["socket_timeout"] <= 20
        assert worker.dequeue_timeout < 20, "a wait for a job ends before the connection is taken for dead"


@pytest.fixture
def pulse():
    """A supervisor's end of a worker's pulse, and the worker's."""
    ours, theirs = os.pipe()
    os.set_blocking(ours, False)
    yield ours, Pulse(theirs)
    os.close(ours)
    os.close(theirs)


def heard(pipe):
    try:
        return [json.loads(line) for line in os.read(pipe, 65536).splitlines()]
    except BlockingIOError:
        return []


def test_a_worker_has_a_pulse_while_redis_is_frozen(bench, pulse, monkeypatch):
    monkeypatch.setattr("worker.warm.ANNOUNCED_FOR", 4.0)  # each beat has to do with Redis
    server, said = bench.store.redis.info("server")["process_id"], []

    def freeze():
        time.sleep(1.5)
        os.kill(server, signal.SIGSTOP)
        try:
            time.sleep(0.5)
            heard(pulse[0])
            time.sleep(4)  # less than any connection has patience for
            said.extend(heard(pulse[0]))
        finally:
            os.kill(server, signal.SIGCONT)

    thread = threading.Thread(target=freeze)
    thread.start()
    with connect(bench.store.settings.redis_url, answer_timeout=None) as redis:
        WarmWorker("interactive", redis, bench, pulse[1]).work(max_idle_time=8, logging_level="ERROR")
    thread.join()
    assert len(said) >= 2


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_worker_whose_heartbeat_has_died_has_no_pulse(bench, pulse, monkeypatch):
    def broken(self):
        raise ValueError("not Redis's trouble")

    monkeypatch.setattr(WarmWorker, "_announce", broken)
    with connect(bench.store.settings.redis_url, answer_timeout=None) as redis:
        WarmWorker("interactive", redis, bench, pulse[1]).work(max_idle_time=4, logging_level="ERROR")
    assert len(heard(pulse[0])) <= 1
