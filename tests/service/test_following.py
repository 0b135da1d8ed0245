"""Requests by their ids: in the answer, in the job's record, and in the logs."""

import re

import pytest
import structlog

from jobs.records import JobStore
from tests.service.test_faults import until


def test_an_answer_carries_the_callers_id_or_a_new_one(served):
    answer = served.http.get("/livez", headers={"X-Request-ID": "mine-1.2_3"})
    assert answer.headers["X-Request-ID"] == "mine-1.2_3"
    first, second = (served.http.get("/jobs/nothing").headers["X-Request-ID"] for _ in range(2))
    assert re.fullmatch("[0-9a-f]{32}", first)
    assert first != second


@pytest.mark.parametrize("bad", ["", "x" * 65, "two words", 'quo"ted', "a;b"])
def test_an_id_that_could_do_harm_in_a_log_is_replaced(served, bad):
    assert re.fullmatch(
        "[0-9a-f]{32}", served.http.get("/livez", headers={"X-Request-ID": bad}).headers["X-Request-ID"]
    )


def test_a_refusal_at_the_door_has_an_id_too(served):
    answer = served.http.get("/models", headers={"Host": "evil.example", "X-Request-ID": "mine"})
    assert answer.status_code == 403
    assert answer.headers["X-Request-ID"] == "mine"


def test_a_job_remembers_the_request_that_made_it(served):
    job = served.job(served.encode(headers={"X-Request-ID": "mine"}))
    again = served.job(served.encode(headers={"X-Request-ID": "another"}))
    assert job == again
    assert served.store.get(job).asked_by == "mine"
    assert served.store.get(job).traceparent == "", "nobody asked for traces"


def test_a_record_from_before_there_were_ids_is_still_read(store_of_old_records):
    store, job = store_of_old_records
    assert store.get(job).asked_by == ""


@pytest.fixture
def store_of_old_records(served):
    job = served.job(served.encode())
    served.store.redis.hdel(f"twofold:job:{job}", "asked_by", "traceparent")
    return JobStore(served.store.redis, served.settings), job


def test_what_changes_something_or_fails_is_logged_with_its_problem(served):
    with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
        served.http.get("/livez")
        assert served.http.get("/readyz").status_code == 503, "as long as there is no worker, and asked every moment"
        served.http.get("/models")
        served.http.delete("/clips/nothing", headers={"X-Request-ID": "mine"})
        # An answer is sent before it is logged.
        assert until(lambda: any(one.get("request") == "mine" for one in lines))
    (line,) = [one for one in lines if one["event"] == "answered"]
    assert (line["method"], line["path"], line["status"]) == ("DELETE", "/clips/nothing", 422)
    assert (line["problem"], line["request"]) == ("wrong-value", "mine")
