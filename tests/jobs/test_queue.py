"""The way through RQ: only our function runs, and a job that gets lost on the way is found."""

import json
import time

import pytest
from rq import SimpleWorker
from rq.serializers import JSONSerializer

from jobs import queue as queue_module
from jobs.queue import OnlyOurJob, RefusedFunction, only_one, reap, rq_queue


def pop(store, name="batch"):
    """Take a delivery as a worker does, and die with it."""
    moved = store.redis.lmove(f"rq:queue:twofold-{name}", f"rq:queue:twofold-{name}:intermediate", "LEFT", "RIGHT")
    return moved and moved.decode()


def test_a_delivery_carries_the_id_and_nothing_else(store, queue, submit):
    record = submit()
    job = OnlyOurJob.fetch(f"{record.id}-1", connection=store.redis, serializer=JSONSerializer)
    assert (job.func_name, job.args, job.kwargs) == ("worker.tasks.run_job", [record.id], {})
    assert json.loads(job.data) == ["worker.tasks.run_job", None, [record.id], {}]
    assert job.timeout == queue.settings.job_timeout


def test_delivering_twice_delivers_once(store, queue, submit):
    record = submit()
    queue.deliver(record)
    assert store.redis.llen("rq:queue:twofold-batch") == 1


@pytest.mark.parametrize(
    ("data", "extra"),
    [
        (["os.system", None, ["touch {path}"], {}], {}),
        (["worker.tasks.run_job", None, ["0" * 32, "more"], {}], {}),
        (["worker.tasks.run_job", None, [{"a": 1}], {}], {}),
        (["worker.tasks.run_job", None, [], {"job_id": "x"}], {}),
        (["join", "worker.tasks.run_job", ["x"], {}], {}),
        (
            ["os.system", None, ["true"], {}],
            {"failure_callback_name": "os.system", "success_callback_name": "os.system"},
        ),
    ],
)
def test_a_crafted_job_is_refused_and_nothing_runs(store, tmp_path, data, extra):
    path = tmp_path / "owned"
    text = json.dumps(data).replace("{path}", str(path))
    fields = {"data": text, "created_at": "2026-01-01T00:00:00.000000Z", "status": "queued", "origin": "twofold-batch"}
    store.redis.hset("rq:job:crafted", mapping=fields | {"timeout": "5"} | extra)
    store.redis.rpush("rq:queue:twofold-batch", "crafted")
    worker = SimpleWorker(
        [rq_queue("batch", store.redis)], connection=store.redis, job_class=OnlyOurJob, serializer=JSONSerializer
    )
    worker.work(burst=True, logging_level="CRITICAL")
    job = OnlyOurJob.fetch("crafted", connection=store.redis, serializer=JSONSerializer)
    assert job.get_status() == "failed"
    assert "refused to run" in job.latest_result().exc_string
    assert job.failure_callback is None
    assert job.success_callback is None
    assert not path.exists()


def test_what_is_refused_says_what_a_worker_runs(store):
    job = OnlyOurJob.create("os.system", args=("true",), connection=store.redis, serializer=JSONSerializer)
    with pytest.raises(RefusedFunction, match=r"refused to run 'os\.system': a worker runs worker\.tasks\.run_job"):
        _ = job.func


def test_a_job_whose_worker_died_is_delivered_again_under_a_new_name(store, queue, submit):
    record = submit()
    assert pop(store) == f"{record.id}-1"
    store.begin(record.id, "e1")
    assert reap(store, queue) == []
    time.sleep(0.25)
    assert reap(store, queue) == [record.id]
    assert store.redis.lrange("rq:queue:twofold-batch", 0, -1) == [f"{record.id}-2".encode()]
    assert store.begin(record.id, "e2").attempts == 2


def test_a_poison_job_fails_after_three_workers_and_the_next_one_goes_on(store, queue, submit):
    poison, good = submit(1), submit(2)
    for _ in range(3):
        assert pop(store)
        store.begin(poison.id, "e")
        time.sleep(0.22)
        reap(store, queue)
    assert store.get(poison.id).problem.slug == "worker-lost"
    assert store.get(good.id).status == "queued"


def test_a_delivery_that_a_worker_popped_and_died_with_is_found(store, queue, submit, monkeypatch):
    monkeypatch.setattr(queue_module, "LOST_AFTER", 0.1)
    record = submit()
    assert reap(store, queue) == []
    assert pop(store) == f"{record.id}-1"
    assert reap(store, queue) == [], "the worker may be about to begin"
    time.sleep(0.15)
    assert reap(store, queue) == [record.id]
    assert store.redis.lrange("rq:queue:twofold-batch", 0, -1) == [f"{record.id}-2".encode()]
    assert store.redis.llen("rq:queue:twofold-batch:intermediate") == 0
    assert reap(store, queue) == []


def test_a_job_whose_submitter_died_before_telling_rq_is_delivered(store, queue, ask, monkeypatch):
    monkeypatch.setattr(queue_module, "LOST_AFTER", 0.0)
    record = store.create_once(store.new_id(), ask(), "local")
    assert reap(store, queue) == [record.id]
    assert store.redis.llen("rq:queue:twofold-batch") == 1


def test_a_canceled_job_leaves_nothing_in_rq(store, queue, submit):
    record = submit()
    store.request_cancel(record.id)
    queue.withdraw(record)
    assert store.redis.llen("rq:queue:twofold-batch") == 0
    assert store.redis.keys("rq:job:*") == []


def test_a_chore_is_one_process_s_at_a_time(store):
    with only_one(store.redis, "sweep", 0.2) as first, only_one(store.redis, "sweep", 0.2) as second:
        assert (first, second) == (True, False)
    time.sleep(0.25)
    with only_one(store.redis, "sweep", 0.2) as again:
        assert again
