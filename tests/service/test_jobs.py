"""/jobs/{id}: state, result, events, cancel and purge."""

import json
import threading
import time

import pytest

from jobs.errors import NoVideo, Problem, StorageUnavailable
from service.problems import problem_response
from tests.service.conftest import RESULTS
from twofold.connection import LONGEST_RETRY_AFTER

UNKNOWN = "0" * 32


def test_a_job_is_told_in_every_state(served):
    job_id = served.job(served.encode())
    served.store.begin(job_id, "e")
    served.store.beat(job_id, "e", 0.25, "decoding")
    running = served.http.get(f"/jobs/{job_id}").json()
    assert (running["status"], running["progress"], running["stage"], running["attempts"]) == (
        "running",
        0.25,
        "decoding",
        1,
    )
    assert running["position"] is None
    assert running["started"].endswith("Z")
    assert running["results"] == {}
    served.store.commit(job_id, "e", {"image/png": served.artifacts.write(b"\x89PNG")})
    done = served.http.get(f"/jobs/{job_id}").json()
    assert (done["status"], done["progress"], done["error"]) == ("succeeded", 1, None)
    assert done["results"] == {"image/png": f"/jobs/{job_id}/result?format=png"}
    assert done["expires"] > done["ended"]


def test_a_failed_job_carries_the_problem_that_it_would_have_answered(served):
    job_id = served.job(served.encode())
    served.store.begin(job_id, "e")
    served.store.fail(job_id, "e", NoVideo("the file has one audio stream and no video"))
    job = served.http.get(f"/jobs/{job_id}").json()
    assert job["status"] == "failed"
    assert job["error"]["type"] == "/problems/no-video"
    assert job["error"]["status"] == 422
    answer = served.http.get(f"/jobs/{job_id}/result")
    assert answer.status_code == 422
    assert answer.json()["detail"] == job["error"]["detail"]


def test_a_failed_jobs_503_says_when_to_ask_again_and_no_client_of_ours_waits_for_it(served):
    job_id = served.job(served.encode())
    served.store.begin(job_id, "e")
    served.store.fail(job_id, "e", StorageUnavailable("away", headers={"Retry-After": "5"}))
    answer = served.http.get(f"/jobs/{job_id}/result")
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/storage-unavailable")
    assert int(answer.headers["Retry-After"]) > LONGEST_RETRY_AFTER, "the job stays failed"


@pytest.mark.parametrize(("status", "always"), [(429, True), (503, True), (422, False), (507, False)])
def test_problems_that_pass_say_when_to_ask_again(status, always):
    kinds = [kind for kind in Problem.known.values() if kind.status == status]
    assert kinds
    for kind in kinds:
        assert ("Retry-After" in problem_response(kind("so"), "/").headers) is always
        own = problem_response(kind("so", headers={"Retry-After": "7"}), "/")
        assert own.headers["Retry-After"] == "7"


def test_places_in_the_queue_are_counted_from_one(served):
    ids = [served.job(served.encode(stride=str(n))) for n in (1, 2, 3)]
    assert [served.http.get(f"/jobs/{one}").json()["position"] for one in ids] == [1, 2, 3]


def test_a_malformed_id_is_422_and_an_unknown_one_404(served):
    for path in ["", "/result", "/events"]:
        assert served.http.get(f"/jobs/not-an-id{path}").status_code == 422
        assert served.http.get(f"/jobs/{UNKNOWN}{path}").status_code == 404
    assert served.http.delete("/jobs/not-an-id").status_code == 422
    assert served.http.delete(f"/jobs/{UNKNOWN}").status_code == 404


def test_another_owners_job_is_unknown(served):
    job_id = served.finished_encode()
    served.store.redis.hset(f"twofold:job:{job_id}", "owner", "somebody")
    for path in ["", "/result", "/events"]:
        assert served.http.get(f"/jobs/{job_id}{path}").status_code == 404
    assert served.http.delete(f"/jobs/{job_id}?purge=true").status_code == 404
    assert served.store.get(job_id) is not None


@pytest.mark.parametrize(
    ("named", "media_type"),
    [("json", "application/json"), ("png", "image/png"), ("mp4", "video/mp4"), ("npz", "application/x-npz")],
)
def test_a_result_is_given_as_named_or_as_accepted(served, named, media_type):
    job_id = served.finished_encode()
    by_name = served.http.get(f"/jobs/{job_id}/result", params={"format": named})
    by_type = served.http.get(f"/jobs/{job_id}/result", headers={"Accept": media_type})
    assert by_name.status_code == by_type.status_code == 200
    assert by_name.headers["Content-Type"] == by_type.headers["Content-Type"] == media_type
    sha256 = served.store.get(job_id).results[media_type].sha256
    assert by_name.content == by_type.content == served.artifacts.path(sha256).read_bytes()


def test_a_format_that_was_not_made_or_does_not_exist_is_406(served):
    job_id = served.finished_encode()
    assert served.http.get(f"/jobs/{job_id}/result?format=xml").status_code == 406
    still = served.job(served.encode(b"GIF89a another clip"))
    served.work(still, {"application/json": b"{}"})
    assert served.http.get(f"/jobs/{still}/result?format=png").status_code == 406
    assert served.http.get(f"/jobs/{still}/result?format=gif").status_code == 406, "there is nothing to draw it from"
    assert served.http.get(f"/jobs/{job_id}/result", headers={"Accept": "application/xml"}).status_code == 406


def test_a_result_before_the_end_is_409_and_says_when_to_ask_again(served):
    job_id = served.job(served.encode())
    answer = served.http.get(f"/jobs/{job_id}/result")
    assert answer.status_code == 409
    assert answer.headers["Retry-After"] == "1"
    assert answer.json()["type"] == "/problems/not-finished"


def test_a_result_that_the_client_has_is_304(served):
    job_id = served.finished_encode()
    url = f"/jobs/{job_id}/result?format=png"
    tag = served.http.get(url).headers["ETag"]
    assert not tag.startswith("W/")
    for sent in [tag, f'"x", {tag}', "*", f"W/{tag}"]:
        answer = served.http.get(url, headers={"If-None-Match": sent})
        assert (answer.status_code, answer.content, answer.headers["ETag"]) == (304, b"", tag)
    assert served.http.get(url, headers={"If-None-Match": '"other"'}).status_code == 200
    assert served.http.get(url.replace("png", "json")).headers["ETag"] != tag


def test_ranges(served):
    job_id = served.finished_encode()
    url = f"/jobs/{job_id}/result?format=mp4"
    whole = served.http.get(url)
    assert whole.headers["Accept-Ranges"] == "bytes"
    size = len(whole.content)

    def ranged(value):
        return served.http.get(url, headers={"Range": value})

    first = ranged("bytes=0-0")
    assert (first.status_code, first.content) == (206, whole.content[:1])
    assert first.headers["Content-Range"] == f"bytes 0-0/{size}"
    assert ranged("bytes=4-11").content == whole.content[4:12]
    assert ranged("bytes=-5").content == whole.content[-5:]
    past = ranged(f"bytes={size}-")
    assert past.status_code == 416
    assert past.headers["Content-Range"] == f"bytes */{size}"
    assert past.headers["Content-Type"] == "application/problem+json"
    for garbage in ["bytes=abc", "bytes=5-2", "lines=1-2", "bytes", "bytes=-", "bytes=٣-٤".encode()]:
        assert ranged(garbage).status_code == 400, garbage
    assert ranged("bytes=" + ",".join(f"{n}-{n}" for n in range(101))).status_code == 200
    assert ranged("bytes=0-0,4-5").status_code == 206
    assert served.http.get(url, headers={"Range": "bytes=0-0", "If-Range": '"other"'}).status_code == 200
    assert served.http.get(url, headers={"Range": f"bytes={size}-", "If-Range": '"other"'}).status_code == 200


@pytest.mark.parametrize("validator", ["ETag", "Last-Modified"])
def test_a_wrong_range_of_what_the_client_has_is_a_problem(served, validator):
    url = f"/jobs/{served.finished_encode()}/result?format=mp4"
    whole = served.http.get(url)
    for sent, status in [("garbage", 400), ("bytes=5-2", 400), ("bytes=99999-", 416)]:
        answer = served.http.get(url, headers={"Range": sent, "If-Range": whole.headers[validator]})
        assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json"), sent
        assert answer.json()["status"] == status
    held = served.http.get(url, headers={"Range": "bytes=4-11", "If-Range": whole.headers[validator]})
    assert (held.status_code, held.content) == (206, whole.content[4:12])


def test_what_is_meant_for_reading_says_nothing_to_a_request_that_makes_a_job(served):
    job_id = served.finished_encode()
    tag = served.http.get(f"/jobs/{job_id}/result").headers["ETag"]
    for header in [{"If-None-Match": tag}, {"Range": "bytes=0-0"}, {"Range": "bytes=99999-"}]:
        answer = served.encode(headers={"Prefer": "wait=5", **header})
        assert (answer.status_code, answer.content) == (200, RESULTS["application/json"])


def test_head_is_get_without_the_body(served):
    job_id = served.finished_encode()
    for path in [f"/jobs/{job_id}", f"/jobs/{job_id}/result?format=png", "/", "/docs"]:
        head, get = served.http.head(path), served.http.get(path)
        assert head.status_code == 200
        assert head.content == b""
        assert head.headers["Content-Length"] == str(len(get.content))
        assert head.headers["Content-Type"] == get.headers["Content-Type"]


def test_cancel_while_queued_running_and_afterwards(served):
    queued = served.job(served.encode())
    answer = served.http.delete(f"/jobs/{queued}")
    assert (answer.status_code, answer.json()["status"]) == (200, "canceled")
    assert served.http.delete(f"/jobs/{queued}").status_code == 200
    assert served.store.begin(queued, "e") is None
    assert served.store.redis.llen("rq:queue:twofold-batch") == 0
    assert served.http.get(f"/jobs/{queued}/result").status_code == 409

    running = served.job(served.encode(stride="2"))
    served.store.begin(running, "e")
    answer = served.http.delete(f"/jobs/{running}")
    assert (answer.status_code, answer.json()["stage"]) == (202, "canceling")
    assert served.http.delete(f"/jobs/{running}").status_code == 200
    assert served.store.beat(running, "e") == "cancel"
    assert served.store.acknowledge_cancel(running, "e")
    assert served.http.get(f"/jobs/{running}").json()["status"] == "canceled"

    finished = served.finished_encode(stride="3")
    answer = served.http.delete(f"/jobs/{finished}")
    assert answer.status_code == 409
    assert answer.json()["type"] == "/problems/already-finished"
    assert served.http.get(f"/jobs/{finished}/result").status_code == 200


def test_purge_deletes_what_nobody_else_uses(served):
    mine = served.finished_encode()
    other = served.job(served.encode(stride="2"))
    record = served.store.get(mine)
    assert served.http.delete(f"/jobs/{mine}?purge=maybe").status_code == 422
    assert served.http.delete(f"/jobs/{mine}?purge=true").status_code == 200
    assert served.http.get(f"/jobs/{mine}").status_code == 410
    assert served.http.get(f"/jobs/{mine}/result").status_code == 410
    assert not any(served.artifacts.exists(one.sha256) for one in record.results.values() if one.bytes > 3100)
    assert served.artifacts.exists(record.inputs[0]), "the other job still reads it"
    assert served.http.delete(f"/jobs/{other}?purge=true").status_code == 200
    assert not served.artifacts.exists(record.inputs[0])
    assert not list(served.artifacts.all())


def test_a_file_that_cannot_be_removed_keeps_no_other_of_a_purged_job_and_is_told(served, monkeypatch):
    mine = served.finished_encode()
    record = served.store.get(mine)
    stuck, delete = record.inputs[0], type(served.artifacts).delete

    def refusing(self, sha256):
        if sha256 == stuck:
            raise StorageUnavailable("the bucket refuses")
        return delete(self, sha256)

    monkeypatch.setattr(type(served.artifacts), "delete", refusing)
    answer = served.http.delete(f"/jobs/{mine}?purge=true")
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/storage-unavailable")
    assert [one.sha256 for one in served.artifacts.all()] == [stuck]
    assert served.http.get(f"/jobs/{mine}").status_code == 410, "its file is left to a sweep"


def test_purge_deletes_the_clip_of_a_job_that_was_asked_for_twice(served):
    mine = served.finished_encode()
    assert served.job(served.encode()) == mine
    (clip,) = served.store.get(mine).inputs
    assert served.artifacts.exists(clip), "the job that there is still has its clip"
    assert served.http.delete(f"/jobs/{mine}?purge=true").status_code == 200
    assert not served.artifacts.exists(clip)


def test_a_job_purged_while_it_runs_is_forgotten_once_it_has_stopped(served):
    job_id = served.job(served.encode())
    served.store.begin(job_id, "e")
    assert served.http.delete(f"/jobs/{job_id}?purge=true").status_code == 202
    served.store.acknowledge_cancel(job_id, "e")
    deadline = time.monotonic() + 15
    while served.http.get(f"/jobs/{job_id}").status_code != 410:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert not list(served.artifacts.all())


def test_an_expired_job_is_410_and_its_request_makes_a_new_one(make_served):
    served = make_served(result_ttl=1)
    job_id = served.finished_encode()
    time.sleep(1.2)
    for path in ["", "/result", "/events"]:
        assert served.http.get(f"/jobs/{job_id}{path}").status_code == 410
    assert served.job(served.encode()) != job_id


def test_after_flushall_jobs_are_unknown_and_new_ones_work(served):
    job_id = served.job(served.encode())
    served.store.redis.flushall()
    assert served.http.get(f"/jobs/{job_id}").status_code == 404
    assert served.encode().status_code == 202


def read_stream(served, job_id, last_event_id=None, stop_after=None):
    """Read server-sent events as (id, name, data)."""
    headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
    events, current = [], {}
    with served.http.stream("GET", f"/jobs/{job_id}/events", headers=headers) as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        for line in answer.iter_lines():
            if not line:
                if "event" in current:
                    events.append((current["id"], current["event"], json.loads(current["data"])))
                    if len(events) == stop_after:
                        return events
                current = {}
            else:
                name, _, value = line.partition(": ")
                current[name] = value
    return events


def test_events_are_streamed_as_they_happen_and_end_with_the_job(served):
    job_id = served.job(served.encode())
    answer = []
    reader = threading.Thread(target=lambda: answer.extend(read_stream(served, job_id)))
    reader.start()
    served.store.begin(job_id, "e")
    served.store.beat(job_id, "e", 0.5, "encoding")
    time.sleep(0.1)
    served.store.commit(job_id, "e", {"image/png": served.artifacts.write(b"\x89PNG")})
    reader.join(5)
    assert not reader.is_alive()
    told = [(name, data) for _, name, data in answer]
    assert told == [
        ("status", {"status": "queued"}),
        ("status", {"status": "running", "attempts": 1}),
        ("progress", {"progress": 0.5, "stage": "encoding"}),
        ("result", {"results": {"image/png": f"/jobs/{job_id}/result?format=png"}}),
        ("status", {"status": "succeeded"}),
    ]


def test_a_stream_resumes_where_it_broke_without_loss_or_repeats(served):
    job_id = served.job(served.encode())
    served.store.begin(job_id, "e")
    for step in range(5):
        served.store.beat(job_id, "e", step / 10, f"step {step}")
    first = read_stream(served, job_id, stop_after=3)
    served.store.beat(job_id, "e", 0.9, "almost")
    served.store.acknowledge_cancel(job_id, "e")
    rest = read_stream(served, job_id, last_event_id=first[-1][0])
    whole = read_stream(served, job_id)
    assert first + rest == whole
    assert len({event[0] for event in whole}) == len(whole)
    url = f"/jobs/{job_id}/events"
    assert served.http.get(url, headers={"Last-Event-ID": whole[-1][0]}).status_code == 204
    assert served.http.get(url, headers={"Last-Event-ID": "nonsense"}).status_code == 422
    # More than the 64 bits that Redis has for each half.
    assert served.http.get(url, headers={"Last-Event-ID": f"{2**64}-0"}).status_code == 422


def test_a_stream_asked_for_after_an_id_that_is_yet_to_come_still_tells_the_end(served):
    job_id = served.job(served.encode())
    later = "9" * 19 + "-0"
    worker = served.work_next()
    events = read_stream(served, job_id, last_event_id=later)
    worker.join()
    assert (events[-1][1], events[-1][2]["status"]) == ("status", "succeeded")
    assert served.http.get(f"/jobs/{job_id}/events", headers={"Last-Event-ID": later}).status_code == 204


def test_many_who_wait_share_one_blocking_connection(served):
    ids = [served.job(served.encode(stride=str(n))) for n in range(1, 9)]
    answers = {}

    def wait(n):
        headers = {"Prefer": "wait=10", "Accept": "image/png"}
        answers[n] = served.encode(stride=str(n % 8 + 1), headers=headers).status_code

    threads = [threading.Thread(target=wait, args=(n,)) for n in range(24)]
    for thread in threads:
        thread.start()
    time.sleep(0.7)
    blocked = [one for one in served.store.redis.client_list() if one["cmd"] == "xread"]
    assert len(blocked) == 1
    for job_id in ids:
        served.work(job_id)
    for thread in threads:
        thread.join(10)
    assert list(answers.values()) == [200] * 24
