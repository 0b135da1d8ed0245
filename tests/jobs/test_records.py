"""The life of a job: one winner at every step, whoever races, dies or comes late."""

import threading
import time

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from jobs import events, request_parts
from jobs.artifacts import Artifact
from jobs.connection import connect
from jobs.errors import NoVideo, Problem, QueueFull, Unavailable, WrongValue
from jobs.records import Beat, JobStore
from jobs.requests import GridRequest, parse_request
from jobs.settings import Settings

RESULT = {"image/png": Artifact("a" * 64, 10)}


def statuses(store, job_id):
    return [event.data["status"] for event in events.read(store.redis, job_id) if event.name == "status"]


def test_a_job_that_goes_well(store, submit):
    record = submit()
    assert (record.status, store.position(record)) == ("queued", 1)
    begun = store.begin(record.id, "e1")
    assert (begun.status, begun.attempts, begun.execution) == ("running", 1, "e1")
    assert begun.parsed_request().clip == f"{0:064x}"
    assert store.beat(record.id, "e1", 0.5, "encoding") is Beat.GO
    assert store.commit(record.id, "e1", RESULT)
    done = store.get(record.id)
    assert (done.status, done.progress, done.results) == ("succeeded", 1, RESULT)
    assert done.created <= done.started <= done.ended < done.expires
    assert statuses(store, record.id) == ["queued", "running", "succeeded"]
    assert store.redis.ttl(f"twofold:job:{record.id}") > 0
    assert store.redis.ttl(events.stream_key(record.id)) > 0


def test_a_job_that_is_deleted_as_it_is_found_is_made_anew(store, ask, monkeypatch):
    earlier, get = store.create_once(store.new_id(), ask(), "local"), store.get

    def late(job_id):
        store.abandon(earlier.id, earlier.inputs)
        return get(job_id)

    monkeypatch.setattr(store, "get", late)
    made = store.create_once("a" * 32, ask(), "local")
    assert (made.id, made.status) == ("a" * 32, "queued")
    assert get(earlier.id) is None


def test_a_job_that_is_deleted_as_it_is_made_is_not_made_of_what_is_left(store, ask, monkeypatch):
    """Its pins went with it, and perhaps the files that it was to be made of."""
    made, get = [], store.get

    def late(job_id):
        made.append(job_id)
        store.abandon(job_id, [])
        return get(job_id)

    monkeypatch.setattr(store, "get", late)
    with pytest.raises(Unavailable, match="deleted meanwhile"):
        store.create_once("a" * 32, ask(), "local")
    assert made == ["a" * 32], "once"


def test_of_two_executions_one_begins(store, submit):
    record = submit()
    assert store.begin(record.id, "e1")
    assert store.begin(record.id, "e2") is None


def test_a_late_execution_is_refused_at_every_step(store, submit):
    record = submit()
    store.begin(record.id, "late")
    time.sleep(0.25)
    assert store.take_back(record.id) == "queued"
    assert store.begin(record.id, "second").attempts == 2
    assert store.beat(record.id, "late", 0.9) is Beat.LOST
    assert not store.commit(record.id, "late", RESULT)
    assert not store.fail(record.id, "late", NoVideo("none"))
    assert not store.acknowledge_cancel(record.id, "late")
    assert store.take_back(record.id, "late") == "refused"
    now = store.get(record.id)
    assert (now.status, now.execution, now.progress) == ("running", "second", 0)
    assert store.commit(record.id, "second", RESULT)


def test_a_lease_that_is_renewed_is_not_taken_back(store, submit):
    record = submit()
    store.begin(record.id, "e")
    for _ in range(4):
        time.sleep(0.1)
        assert store.beat(record.id, "e") is Beat.GO
        assert store.lapsed() == []
        assert store.take_back(record.id) == "refused"


def test_a_worker_that_gives_up_its_job_returns_it_at_once(store, submit):
    record = submit()
    store.begin(record.id, "e")
    assert store.take_back(record.id, "e") == "queued"
    assert store.get(record.id).deliveries == 2
    assert store.position(store.get(record.id)) == 1


def test_a_job_taken_back_keeps_its_place_before_younger_ones(store, submit):
    first, second = submit(1), submit(2)
    store.begin(first.id, "e")
    store.take_back(first.id, "e")
    assert [store.position(store.get(one.id)) for one in (first, second)] == [1, 2]


def test_orderly_stops_of_workers_are_no_deaths_that_a_job_may_cause(store, submit):
    record = submit()
    for attempt in range(5):
        assert store.begin(record.id, f"e{attempt}")
        assert store.take_back(record.id, f"e{attempt}", orderly=True) == "queued"
    for attempt in range(3):
        assert store.begin(record.id, f"f{attempt}"), "a lost attempt is counted by itself"
        outcome = store.take_back(record.id, f"f{attempt}")
    assert outcome == "failed"
    assert store.get(record.id).attempts == 8


def test_with_hardly_any_memory_left_jobs_end_and_are_purged_and_none_is_made(store, submit):
    first, second = submit(1), submit(2)
    store.begin(first.id, "e")
    used, _ = store.memory()
    store.redis.config_set("maxmemory", round(1.05 * used))
    try:
        store._looked_at = 0.0
        with pytest.raises(Unavailable, match="nearly full"):
            submit(3)
        assert store.beat(first.id, "e") is Beat.GO
        assert store.commit(first.id, "e", RESULT)
        assert store.request_cancel(second.id, purge=True) == "canceled"
        store.redis.config_set("maxmemory", round(0.5 * used))
        assert store.purge(store.get(second.id)) is not None
        assert store.get(second.id) is None
    finally:
        store.redis.config_set("maxmemory", 0)
    store._looked_at = 0.0
    assert submit(3).status == "queued"


def test_three_lost_attempts_are_the_end(store, submit):
    record = submit()
    for attempt in range(3):
        assert store.begin(record.id, f"e{attempt}")
        time.sleep(0.22)
        outcome = store.take_back(record.id)
    assert outcome == "failed"
    failed = store.get(record.id)
    assert (failed.status, failed.problem.slug, failed.attempts) == ("failed", "worker-lost", 3)
    assert store.begin(record.id, "e4") is None


def test_a_job_that_was_canceled_never_begins(store, submit):
    record = submit()
    assert store.request_cancel(record.id) == "canceled"
    assert store.begin(record.id, "e") is None
    assert store.request_cancel(record.id) == "again"
    assert store.request_cancel("f" * 32) == "missing"


def test_a_running_job_hears_of_its_cancel_and_cannot_succeed_any_more(store, submit):
    record = submit()
    store.begin(record.id, "e")
    assert store.request_cancel(record.id) == "asked"
    assert store.request_cancel(record.id) == "again"
    assert store.beat(record.id, "e", 0.7) is Beat.CANCEL
    assert not store.commit(record.id, "e", RESULT)
    done = store.get(record.id)
    assert (done.status, done.results) == ("canceled", {})
    assert store.request_cancel(record.id) == "again"


def test_a_canceled_job_whose_worker_died_is_not_tried_again(store, submit):
    record = submit()
    store.begin(record.id, "e")
    store.request_cancel(record.id)
    time.sleep(0.22)
    assert store.take_back(record.id) == "canceled"


def test_progress_never_falls_and_is_told_once(store, submit):
    record = submit()
    store.begin(record.id, "e")
    for progress in (0.2, 0.1, 0.2, 7.0):
        store.beat(record.id, "e", progress)
    told = [event.data["progress"] for event in events.read(store.redis, record.id) if event.name == "progress"]
    assert told == [0.2, 1]


def test_the_same_request_of_another_owner_is_another_job(store, ask):
    first = store.create_once(store.new_id(), ask(), "ann")
    assert store.create_once(store.new_id(), ask(), "ann").id == first.id
    assert store.create_once(store.new_id(), ask(), "bob").id != first.id


def test_no_result_of_a_version_that_answered_otherwise_is_given_again(store, ask, monkeypatch):
    first = store.create_once(store.new_id(), ask(), "ann")
    monkeypatch.setattr(request_parts, "ANSWERS", request_parts.ANSWERS + 1)
    assert store.create_once(store.new_id(), ask(), "ann").id != first.id


def test_what_does_not_change_the_result_does_not_change_the_fingerprint(ask):
    assert ask(stride="2").fingerprint("o") == ask(stride=2).fingerprint("o")
    assert ask(start="1").fingerprint("o") == ask(start="1.0").fingerprint("o")
    assert ask(crop="1, 2,3,4").fingerprint("o") == ask(crop="1,2,3,4").fingerprint("o")
    assert ask(stride="2").fingerprint("o") != ask(stride="3").fingerprint("o")
    grids = [
        GridRequest(model="m", digest="sha256:" + "0" * 64, static={"codes": "b" * 64, "job": job})
        for job in ("1" * 32, "2" * 32)
    ]
    assert grids[0].fingerprint("o") == grids[1].fingerprint("o")


def test_a_request_survives_its_way_through_redis(ask):
    for request in [ask(crop="1,2,3,4", end="2.5"), ask(max_frames=7)]:
        assert parse_request(request.model_dump(mode="json")) == request


def test_racing_submitters_make_one_job(store, ask, settings):
    made, barrier = [], threading.Barrier(8)

    def create():
        with connect(settings.redis_url) as redis:
            mine = JobStore(redis, settings)
            barrier.wait()
            made.append(mine.create_once(mine.new_id(), ask(), "local").id)

    threads = [threading.Thread(target=create) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 1
    assert store.queue_length("batch") == 1


def test_a_full_queue_takes_no_more_even_from_those_who_race(redis_url, tmp_path, ask):
    few = Settings(redis_url=redis_url, data_dir=tmp_path, queue_limit=2)
    with connect(redis_url) as redis:
        store = JobStore(redis, few)
        for number in (1, 2):
            store.create_once(store.new_id(), ask(number), "local")
        with pytest.raises(QueueFull, match="2 jobs already wait"):
            store.create_once(store.new_id(), ask(3), "local")
        assert store.create_once(store.new_id(), ask(2), "local").status == "queued", "it is there already"


def test_a_problem_is_the_same_after_its_way_through_redis(store, submit):
    record = submit()
    store.begin(record.id, "e")
    problem = WrongValue.for_field("crop", "lies outside the 64×48 picture")
    store.fail(record.id, "e", problem)
    found = store.get(record.id).problem
    assert type(found) is WrongValue
    assert found.to_dict() == problem.to_dict()
    told = Problem.from_dict({"type": "/problems/from-the-future", "title": "New", "status": 418, "detail": "x"})
    assert (type(told), told.slug, told.title, told.status, told.detail) == (
        Problem,
        "from-the-future",
        "New",
        418,
        "x",
    )
    assert Problem.from_dict({}).to_dict() == Problem("").to_dict()


class LifeOfAJob(RuleBasedStateMachine):
    """Whatever service, workers and reaper do in whatever order, a job ends once, with what its holder said."""

    redis_url = ""

    def __init__(self):
        super().__init__()
        settings = Settings(redis_url=self.redis_url, lease_seconds=3600, max_attempts=3)
        self.redis = connect(self.redis_url)
        self.redis.flushall()
        self.store = JobStore(self.redis, settings)
        request = parse_request({"kind": "encode", "model": "m", "digest": "sha256:" + "0" * 64, "clip": "c" * 64})
        self.job = self.store.create_once(self.store.new_id(), request, "local").id
        self.holder = None
        self.executions = []
        self.ended = None

    def teardown(self):
        self.redis.close()

    @rule()
    def begin(self):
        execution = f"e{len(self.executions)}"
        self.executions.append(execution)
        begun = self.store.begin(self.job, execution)
        assert (begun is not None) == (self.holder is None and self.ended is None)
        if begun:
            self.holder = execution

    @precondition(lambda self: self.executions)
    @rule(data=st.data(), how=st.sampled_from(["commit", "fail", "acknowledge"]))
    def end(self, data, how):
        execution = data.draw(st.sampled_from(self.executions))
        canceling = self.store.get(self.job).cancel
        if how == "commit":
            self.store.commit(self.job, execution, RESULT)
        elif how == "fail":
            self.store.fail(self.job, execution, NoVideo("none"))
        else:
            self.store.acknowledge_cancel(self.job, execution)
        if execution == self.holder:
            reached = {"commit": "succeeded", "fail": "failed", "acknowledge": "canceled"}[how]
            self.ended, self.holder = "canceled" if canceling else reached, None

    @rule()
    def lose_the_worker(self):
        self.redis.zadd("twofold:running", {self.job: 0}, xx=True)
        outcome = self.store.take_back(self.job)
        assert (outcome != "refused") == (self.holder is not None)
        if outcome != "refused":
            self.holder = None
            self.ended = None if outcome == "queued" else outcome

    @rule()
    def cancel(self):
        outcome = self.store.request_cancel(self.job)
        if outcome == "canceled":
            self.ended = "canceled"
        assert (outcome == "finished") == (self.ended in ("succeeded", "failed"))

    @invariant()
    def the_record_says_what_happened(self):
        record = self.store.get(self.job)
        expected = self.ended or ("running" if self.holder else "queued")
        assert record.status == expected
        assert bool(record.results) == (expected == "succeeded")
        assert record.attempts <= 3
        assert (self.store.queue_length("batch") == 1) == (expected == "queued")
        assert (self.redis.zcard("twofold:running") == 1) == (expected == "running")
        finals = [one for one in events.read(self.redis, self.job) if one.final]
        assert [one.data["status"] for one in finals] == ([self.ended] if self.ended else [])


def test_whatever_happens_a_job_ends_once(redis_url):
    machine = type("Machine", (LifeOfAJob,), {"redis_url": redis_url})
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(machine, settings=hypothesis_settings(max_examples=40, stateful_step_count=15))
