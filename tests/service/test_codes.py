"""POST /sample, /interpolate and /decode: JSON in, read strictly, and jobs like every other out."""

import json
import threading
from contextlib import suppress

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.errors import Malformed, WrongValue
from service.bodies import JSON_MAX_BYTES
from service.json_bodies import parse_object

CODES = "application/x-npz"
STATIC, DYNAMIC = [0.5] * 256, [[0.0] * 8, [1] * 8]
DECODE = {"static": STATIC, "dynamic": DYNAMIC}
PATHS = ("/sample", "/interpolate", "/decode")


def ends(*places):
    return {"ends": [{"job": job, "frame": frame} for job, frame in places]}


def post(served, path, content: str | bytes, **headers) -> httpx.Response:
    return served.http.post(path, content=content, headers={"Content-Type": "application/json", **headers})


def request_of(served, answer):
    return served.store.get(served.job(answer)).parsed_request()


def test_samples_are_one_json_object_away(served):
    answer = served.http.post("/sample", json={"seed": 3, "identities": 2, "frames": 8})
    record = served.store.get(served.job(answer))
    assert answer.headers["Location"] == f"/jobs/{record.id}"
    assert (record.kind, record.queue, record.model) == ("sample", "interactive", "tiny")
    assert (answer.json()["kind"], record.request["seed"], record.request["identities"]) == ("sample", 3, 2)
    assert served.store.redis.lrange("rq:queue:twofold-interactive", 0, -1) == [f"{record.id}-1".encode()]


def test_a_whole_number_may_be_written_with_a_point(served):
    request = request_of(served, served.http.post("/sample", json={"seed": 7.0, "frames": 16.0}))
    assert (request.seed, request.frames, type(request.seed)) == (7, 16, int)


def test_what_is_not_said_is_the_default_and_null_says_nothing(served):
    request = request_of(served, served.http.post("/sample", json={}))
    assert (request.seed, request.identities, request.frames, request.static) == (0, 1, 40, None)
    assert request_of(served, served.http.post("/sample", json={"seed": None, "static_job": None})) == request
    path = request_of(served, served.http.post("/interpolate", json=ends(*[(served.finished_encode(), 0)] * 2)))
    assert (path.steps, path.part) == (16, "dynamic")


def test_codes_of_encodes_are_named_by_their_jobs_and_say_whose_they_are(served):
    first = served.finished_encode(model="other")
    codes = served.store.get(first).results[CODES].sha256
    for path, body in [
        ("/sample", {"static_job": first}),
        ("/decode", {"static_job": first, "dynamic": DYNAMIC}),
        ("/interpolate", ends((first, 0), (first, 4))),
    ]:
        record = served.store.get(served.job(served.http.post(path, json=body)))
        assert (record.kind, record.model, record.inputs) == (path[1:], "other", (codes,))
        answer = served.http.post(path, json={**body, "model": "tiny"})
        assert answer.status_code == 422, path
        assert "other" in answer.json()["detail"]


def test_ends_of_two_models_are_refused(served):
    first, last = served.finished_encode(model="other"), served.finished_encode(model="tiny")
    answer = served.http.post("/interpolate", json=ends((first, 0), (last, 0)))
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "ends.1.job"


def test_codes_that_are_not_there_are_refused(served):
    queued = served.job(served.encode())
    for job, status in [(queued, 422), ("0" * 32, 404), ("x", 422), (7, 422), ("../" * 10, 422)]:
        for path, body in [
            ("/sample", {"static_job": job}),
            ("/decode", {"static_job": job, "dynamic": DYNAMIC}),
            ("/interpolate", ends((job, 0), (job, 0))),
        ]:
            assert served.http.post(path, json=body).status_code == status, (path, job)


def test_which_job_codes_came_from_does_not_make_another_request(served):
    jobs = [served.finished_encode(), served.finished_encode(stride="2")]  # the test's worker gives both equal codes
    for path, bodies in [
        ("/sample", [{"static_job": job} for job in jobs]),
        ("/decode", [{"static_job": job, "dynamic": DYNAMIC} for job in jobs]),
        ("/interpolate", [ends((job, 0), (job, 2)) for job in jobs]),
    ]:
        assert len({served.job(served.http.post(path, json=body)) for body in bodies}) == 1, path


def test_codes_equal_as_the_model_sees_them_are_one_request(served):
    first = served.job(served.http.post("/decode", json=DECODE))
    again = {"static": [0.5 + 1e-14] * 256, "dynamic": [[0] * 8, [1.0] * 8]}
    assert served.job(served.http.post("/decode", json=again)) == first
    assert served.job(served.http.post("/decode", json={**DECODE, "dynamic": DYNAMIC[:1]})) != first


def test_who_waits_gets_the_representation_he_accepts(served):
    worker = served.work_next()
    answer = served.http.post("/sample", json={}, headers={"Prefer": "wait=10", "Accept": "video/mp4"})
    worker.join()
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "video/mp4")
    assert answer.headers["Preference-Applied"] == "wait=10"
    assert served.http.post("/sample?format=png", json={}, headers={"Prefer": "wait=1"}).content.startswith(b"\x89PNG")
    assert served.http.post("/sample", json={}, headers={"Accept": "text/html"}).status_code == 406


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/sample", {"seed": -1}, "seed"),
        ("/sample", {"seed": 2**32}, "seed"),
        ("/sample", {"seed": 1.5}, "seed"),
        ("/sample", {"seed": 2.0**60}, "seed"),
        ("/sample", {"seed": True}, "seed"),
        ("/sample", {"seed": "3"}, "seed"),
        ("/sample", {"identities": 0}, "identities"),
        ("/sample", {"identities": 9}, "identities"),
        ("/sample", {"frames": 10**9}, "frames"),
        ("/sample", {"frames": []}, "frames"),
        ("/sample", {"model": 3}, "model"),
        ("/sample", {"colour": "red"}, "colour"),
        ("/sample", {"static": {"codes": "0" * 64}}, "static"),
        ("/sample", {"digest": "sha256:" + "ab" * 32}, "digest"),
        ("/decode", {"static": STATIC[1:], "dynamic": DYNAMIC}, "static"),
        ("/decode", {"static": [], "dynamic": DYNAMIC}, "static"),
        ("/decode", {"static": STATIC, "dynamic": [*DYNAMIC, [0.0] * 7]}, "dynamic.2"),
        ("/decode", {"static": STATIC, "dynamic": []}, "dynamic"),
        ("/decode", {"static": STATIC, "dynamic": [[0] * 8] * 1001}, "dynamic"),
        ("/decode", {"static": STATIC, "dynamic": [[True] + [0] * 7]}, "dynamic.0.0"),
        ("/decode", {"static": STATIC, "dynamic": [[1e30] + [0] * 7]}, "dynamic.0.0"),
        ("/decode", {"static": STATIC}, "dynamic"),
        ("/decode", {"dynamic": DYNAMIC}, "request"),
        ("/interpolate", {}, "ends"),
        ("/interpolate", ends(("0" * 32, 1)), "ends"),
        ("/interpolate", {"ends": [{"job": "0" * 32}, {"job": "0" * 32, "frame": 1}]}, "ends.0"),
    ],
)
def test_a_wrong_value_is_422_and_named(served, path, body, field):
    answer = served.http.post(path, json=body)
    assert answer.status_code == 422
    assert field in [error["field"] for error in answer.json()["errors"]]
    assert not served.store.queued("interactive")


def test_a_wrong_end_of_a_path_is_named_by_its_place(served):
    job = served.finished_encode()
    for frame in (-1, 1.5, True, "2", None):
        answer = served.http.post("/interpolate", json=ends((job, 0), (job, frame)))
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == "ends.1.frame"
    for more in ({"steps": 1}, {"steps": 257}, {"part": "all"}):
        answer = served.http.post("/interpolate", json={**ends((job, 0), (job, 1)), **more})
        assert [error["field"] for error in answer.json()["errors"]] == list(more)


def test_half_a_surrogate_pair_is_a_model_that_nobody_has(served):
    answer = post(served, "/sample", '{"model": "\\ud800"}')
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/unknown-model")


def test_codes_of_the_wrong_length_are_told_what_the_model_has(served):
    answer = served.http.post("/decode", json={"static": STATIC, "dynamic": [[0.0] * 9]})
    assert "dynamic.0: expected 8 numbers, as tiny has, got 9" in answer.json()["detail"]


def test_of_very_many_wrong_values_a_few_are_named(served):
    answer = served.http.post("/decode", json={"static": STATIC, "dynamic": [["x"] * 8] * 1000})
    assert answer.status_code == 422
    assert len(answer.json()["errors"]) == 20
    assert "and 79" in answer.json()["detail"]


@pytest.mark.parametrize("path", PATHS)
def test_a_body_of_another_type_is_415(served, path):
    for content_type in ["text/plain", "multipart/form-data; boundary=XX", "application/x-www-form-urlencoded", ""]:
        answer = served.http.post(path, content=b"{}", headers={"Content-Type": content_type})
        assert answer.status_code == 415, content_type
        assert answer.json()["type"] == "/problems/not-json"
    assert post(served, "/sample", b"{}", **{"Content-Type": "application/json; charset=utf-8"}).status_code == 202


def test_what_is_no_json_is_400(served):
    for content in [b"", b"{", b"{'seed': 1}", b'{"seed": 01}', b"{} {}", b"\xff\xfe{}", b'{"seed": 1,}']:
        answer = post(served, "/sample", content)
        assert answer.status_code == 400, content
        assert answer.json()["type"] == "/problems/malformed"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"static": [NaN]}', "NaN"),
        ('{"static": [-Infinity]}', "Infinity"),
        ('{"static": [1e400]}', "too large"),
        ('{"seed": ' + "9" * 5000 + "}", "too large"),
        ('{"seed": 1, "seed": 2}', "more than once"),
        ('{"seed": 1, "\\ud800": 2}', "unknown"),
        ("[]", "an object"),
        ("3", "an object"),
        ('{"dynamic": ' + "[" * 100_000 + "]" * 100_000 + "}", "too deep"),
        ('{"a": ' * 100_000 + "1" + "}" * 100_000, "too deep"),
    ],
)
def test_what_json_should_not_say_is_422(served, content, said):
    answer = post(served, "/decode", content)
    assert answer.status_code == 422
    assert said in answer.json()["detail"]
    assert len(answer.content) < 2000


def test_a_hundred_levels_of_nesting_are_422(served):
    answer = post(served, "/decode", '{"static": [0], "dynamic": ' + "[" * 100 + "]" * 100 + "}")
    assert answer.status_code == 422


def test_a_thousand_long_codes_fit_and_a_longer_body_is_413(served):
    digits = 0.1234567890123456
    body = json.dumps({"static": STATIC, "dynamic": [[-digits] * 64] * 1000})
    answer = post(served, "/decode", body)
    assert answer.status_code == 422, "read whole: the codes have the wrong length for this model"
    assert "expected 8 numbers" in answer.json()["detail"]
    stated = served.raw(
        f"POST /decode HTTP/1.1\nHost: localhost\nContent-Type: application/json\nContent-Length: {JSON_MAX_BYTES + 1}"
    )
    assert b" 413 " in stated.split(b"\r\n")[0], "before a byte of it is sent"
    try:
        chunked = post(served, "/decode", (b" " * 65536 for _ in range(20 * 16)))
        assert chunked.status_code == 413
    except httpx.TransportError:
        pass  # the server hung up while the client still sent, as it may


def test_a_body_that_is_cut_or_drips_makes_no_job(make_served):
    served = make_served(upload_idle_timeout=0.3)
    head = "POST /sample HTTP/1.1\nHost: localhost\nContent-Type: application/json\nContent-Length: 100"
    assert b" 408 " in served.raw(head, b'{"seed": 1').split(b"\r\n")[0]
    served.raw(head, b'{"seed": 1', close_after=0.1)
    assert not served.store.queued("interactive")


def test_a_full_queue_is_told_before_the_body_is_read(make_served):
    served = make_served(queue_limit=1)
    served.job(served.http.post("/sample", json={}))
    head = "POST /decode HTTP/1.1\nHost: localhost\nContent-Type: application/json\nContent-Length: 100"
    answer = served.raw(head)
    assert b" 503 " in answer.split(b"\r\n")[0]
    assert b"queue-full" in answer
    assert served.encode().status_code == 202, "video waits in another queue"


def test_a_key_holds_for_codes_too(served):
    key = {"Idempotency-Key": "key-1"}
    first = served.job(served.http.post("/sample", json={"seed": 1}, headers=key))
    assert served.job(served.http.post("/sample", json={"seed": 1}, headers=key)) == first
    assert served.http.post("/sample", json={"seed": 2}, headers=key).status_code == 422


def test_reading_a_body_of_many_numbers_holds_nobody_else_up(served, monkeypatch):
    reading, done = threading.Event(), threading.Event()

    def slow(content):
        reading.set()
        done.wait(20)
        return parse_object(content)

    monkeypatch.setattr("service.json_bodies.parse_object", slow)
    asker = threading.Thread(target=lambda: served.http.post("/sample", json={}))
    asker.start()
    try:
        assert reading.wait(10)
        assert httpx.get(f"{served.url}/livez", timeout=5).status_code == 200
    finally:
        done.set()
        asker.join()


def test_a_code_of_more_numbers_than_any_has_is_refused_for_that(served):
    answer = served.http.post("/decode", json=DECODE | {"static": [0.0] * 4097})
    assert answer.status_code == 422
    assert "4096" in answer.text


def test_wrong_methods_are_told(served):
    for path in (*PATHS, "/predict"):
        answer = served.http.get(path)
        assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


@given(values)
def test_any_value_is_read_as_it_was_meant_or_refused(value):
    text = json.dumps(value)
    try:
        assert parse_object(text.encode()) == value
    except WrongValue:
        finite = "NaN" not in text and "Infinity" not in text
        assert not (isinstance(value, dict) and finite and text.isascii() and "\\u" not in text)


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(content):
    with suppress(Malformed, WrongValue):
        assert isinstance(parse_object(content), dict)
