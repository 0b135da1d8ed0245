"""POST /train: clips by their ids, a name that is free, and an operator who allows it."""

import hashlib

import pytest

from jobs.keys import KeyFile
from service.bodies import JSON_MAX_BYTES
from tests.service.conftest import MP4, write_model

CLIPS = [MP4 + bytes([number]) for number in range(3)]


def upload(served, contents=CLIPS):
    return [served.http.post("/clips", files={"video": ("a.mp4", content)}).json()["id"] for content in contents]


@pytest.fixture
def school(make_served):
    """A server that learns models."""
    return make_served(training=True, train_max_minutes=30)


def test_a_server_learns_no_models_unless_its_operator_says_so(served):
    answer = served.http.post("/train", json={"name": "mine", "clips": upload(served)})
    assert answer.status_code == 403
    assert answer.json()["type"] == "/problems/training-off"
    assert "TWOFOLD_TRAINING" in answer.json()["detail"]


def test_a_training_waits_in_a_queue_of_its_own(school):
    answer = school.http.post("/train", json={"name": "mine", "clips": upload(school), "crop": "face", "minutes": 5})
    record = school.store.get(school.job(answer))
    assert (record.kind, record.queue, record.model, record.digest) == ("train", "training", "mine", "")
    request = record.parsed_request()
    assert (request.family, request.crop, request.minutes) == ("vae", "face", 5)
    assert list(request.clips) == [hashlib.sha256(content).hexdigest() for content in CLIPS]
    assert answer.json()["kind"] == "train"


HEAD = "POST /train HTTP/1.1\nHost: localhost\nContent-Type: application/json\nContent-Length: "


def test_a_body_that_is_too_long_is_413_before_a_byte_of_it_is_read(school):
    answer = school.raw(f"{HEAD}{JSON_MAX_BYTES + 1}")
    assert b" 413 " in answer.split(b"\r\n")[0]


def test_a_full_queue_is_told_before_the_body_is_read(make_served):
    school = make_served(training=True, queue_limit=1)
    school.job(school.http.post("/train", json={"name": "mine", "clips": upload(school)}))
    answer = school.raw(f"{HEAD}100")
    assert b" 503 " in answer.split(b"\r\n")[0]
    assert b"queue-full" in answer
    assert school.encode().status_code == 202, "video waits in another queue"


def test_where_nothing_is_learnt_that_is_told_also_who_has_as_many_jobs_as_may_be(make_served):
    served = make_served()
    _, secret = KeyFile(served.settings.own_keys_file).add("carol", max_jobs=1)
    headers = {"Authorization": f"Bearer {secret}"}
    served.job(served.encode(headers=headers))
    assert served.encode(headers=headers, stride="2").status_code == 429
    answer = served.http.post("/train", json={}, headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/training-off")


def test_its_clips_are_kept_for_it_until_it_has_ended(school):
    clips = upload(school)
    job = school.job(school.http.post("/train", json={"name": "mine", "clips": clips}))
    for clip in clips:
        assert school.http.delete(f"/clips/{clip}").status_code in (200, 204)
        assert school.artifacts.exists(clip)
    assert school.http.delete(f"/jobs/{job}?purge=true").status_code == 200
    assert not any(school.artifacts.exists(clip) for clip in clips)


def test_the_same_request_is_the_same_job_and_another_name_is_another(school):
    clips = upload(school)
    first = school.job(school.http.post("/train", json={"name": "mine", "clips": clips}))
    assert school.job(school.http.post("/train", json={"name": "mine", "clips": clips})) == first
    assert school.job(school.http.post("/train", json={"name": "other-one", "clips": clips})) != first


def test_a_result_is_read_as_json_or_as_a_picture(school):
    job = school.job(school.http.post("/train", json={"name": "mine", "clips": upload(school)}))
    school.work(job, {"application/json": b'{"model": "mine"}', "image/png": b"\x89PNG\r\n\x1a\n"})
    write_model(school.settings.own_models_dir, "mine")  # as the worker does
    assert school.http.get(f"/jobs/{job}/result").json() == {"model": "mine"}
    assert school.http.get(f"/jobs/{job}/result?format=png").headers["content-type"] == "image/png"
    assert school.http.get(f"/jobs/{job}/result?format=mp4").status_code == 406
    assert "mine" in {model["name"] for model in school.http.get("/models").json()["models"]}
    again = school.http.post("/train", json={"name": "mine", "clips": upload(school)})
    assert school.job(again) == job, "what has been learnt is not learnt again"


def test_a_canceled_training_says_what_has_become_of_it(school):
    job = school.job(school.http.post("/train", json={"name": "mine", "clips": upload(school)}))
    school.http.delete(f"/jobs/{job}")
    answer = school.http.get(f"/jobs/{job}/result")
    assert answer.status_code == 409
    assert answer.json()["detail"].endswith("what it had learnt by then, if anything, is the model mine")


@pytest.mark.parametrize(
    ("changed", "status", "named"),
    [
        ({"name": "tiny"}, 409, "there is a model called tiny"),
        ({"name": "../x"}, 422, "model"),
        ({"name": "a b"}, 422, "name: a model's name is up to 64 of a-z"),
        ({"name": "Tiny"}, 409, "there is a model called Tiny"),
        ({"name": None}, 422, "name"),
        ({"clips": []}, 422, "clips"),
        ({"clips": ["a" * 64, "b" * 64]}, 404, "there is no clip aaaa"),
        ({"clips": ["nonsense", "b" * 64]}, 422, "clips.0"),
        ({"minutes": 31}, 422, "at most 30"),
        ({"minutes": 0}, 422, "minutes"),
        ({"minutes": "soon"}, 422, "minutes"),
        ({"family": "gan"}, 422, "family"),
        ({"crop": "none"}, 422, "crop"),
        ({"epochs": 3}, 422, "epochs"),
    ],
)
def test_wrong_values_are_named(school, changed, status, named):
    said = {"name": "mine", "clips": upload(school), **changed}
    answer = school.http.post("/train", json=said)
    assert answer.status_code == status, answer.text
    assert named in answer.json()["detail"]
    assert not school.store.queue_length("training")


def test_one_clip_twice_is_not_two(school):
    (clip,) = upload(school, CLIPS[:1])
    answer = school.http.post("/train", json={"name": "mine", "clips": [clip, clip]})
    assert answer.status_code == 422
    assert "each clip once" in answer.json()["detail"]


def test_the_example_in_the_description_is_taken_with_ids_of_ones_own(school):
    body = school.http.get("/openapi.json").json()["paths"]["/train"]["post"]["requestBody"]
    (example,) = body["content"]["application/json"]["examples"].values()
    assert "POST /clips" in example["description"]
    assert school.http.post("/train", json=example["value"]).status_code == 404
    assert school.http.post("/train", json={**example["value"], "clips": upload(school)}).status_code == 202
