"""POST /predict: a clip, or a finished encode, of a model that has motion."""

import hashlib
import json

import pytest

from tests.service.conftest import write_model

MP4 = b"\x00\x00\x00\x18ftypisom" + bytes(3000)
MOVING_DIGEST = "sha256:" + "ef" * 32
CODES = "application/x-npz"


@pytest.fixture
def moving(served):
    """A server whose model `moving` has a motion model beside it."""
    folder = served.settings.own_models_dir
    write_model(folder, "moving", MOVING_DIGEST)
    config = folder / "moving" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"motion": {"hidden": 8}}))
    return served


def predict(served, content=MP4, name="clip.mp4", **fields):
    return served.http.post("/predict", files={"video": (name, content)}, data={"model": "moving", **fields})


def test_a_clip_is_predicted_in_the_queue_of_video(moving):
    answer = predict(moving, observe="5", frames="20", stride="2")
    record = moving.store.get(moving.job(answer))
    assert (record.kind, record.queue, record.model) == ("predict", "batch", "moving")
    request = record.parsed_request()
    assert (request.observe, request.frames, request.samples, request.seed, request.stride) == (5, 20, 1, None, 2)
    assert request.source.clip == hashlib.sha256(MP4).hexdigest()
    assert moving.artifacts.exists(request.source.clip)
    assert not moving.unfinished()


def test_an_upload_or_a_finished_encode_stands_for_the_clip(moving):
    clip = moving.http.post("/clips", files={"video": ("a.mp4", MP4)}).json()["id"]
    by_id = moving.http.post("/predict", data={"clip": clip, "model": "moving"})
    assert moving.job(by_id) == moving.job(predict(moving))
    encode = moving.finished_encode(model="moving")
    record = moving.store.get(moving.job(moving.http.post("/predict", data={"job": encode})))
    assert record.model == "moving"
    assert record.inputs == (moving.store.get(encode).results[CODES].sha256,)


def test_one_source_is_needed_and_no_more(moving):
    encode = moving.finished_encode(model="moving")
    assert moving.http.post("/predict", data={"model": "moving"}).status_code == 422
    assert predict(moving, job=encode).status_code == 422
    answer = moving.http.post("/predict", files={"video": (None, "clip.mp4")})
    assert answer.status_code == 422
    assert "expected a file" in answer.json()["detail"]


def test_a_jobs_clip_has_been_cut_already(moving):
    encode = moving.finished_encode(model="moving")
    answer = moving.http.post("/predict", data={"job": encode, "stride": "2", "crop": "none"})
    assert answer.status_code == 422
    assert "crop, stride" in answer.json()["detail"]


def test_several_futures_are_drawn_by_seed_0_unless_told(moving):
    drawn = moving.job(predict(moving, samples="4"))
    assert moving.store.get(drawn).request["seed"] == 0
    assert moving.job(predict(moving, samples="4", seed="0")) == drawn
    one = moving.job(predict(moving))
    assert moving.store.get(one).request["seed"] is None
    assert moving.job(predict(moving, seed="0")) != one


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("observe", "1"),
        ("observe", "1001"),
        ("frames", "0"),
        ("frames", "-1"),
        ("frames", "1000000000"),
        ("frames", "1.5"),
        ("samples", "0"),
        ("samples", "17"),
        ("samples", "1000000"),
        ("seed", "-1"),
        ("seed", str(2**32)),
        ("seed", "1.0"),
        ("seed", "true"),
        ("stride", "0"),
        ("source", "x"),
        ("digest", MOVING_DIGEST),
    ],
)
def test_a_wrong_value_is_422_and_named(moving, field, value):
    answer = predict(moving, **{field: value})
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert not moving.unfinished()
    assert not list(moving.artifacts.all())


def test_more_pictures_than_can_be_made_at_once_are_422_with_the_sum(moving):
    answer = predict(moving, samples="16", frames="300")
    assert answer.status_code == 422
    assert "4960 pictures; at most 4000" in answer.json()["detail"]
    assert predict(moving, samples="16", frames="240").status_code == 202


def test_a_model_without_motion_is_422_with_those_that_have_one(moving):
    answer = predict(moving, model="tiny")
    assert answer.status_code == 422
    problem = answer.json()
    assert problem["errors"][0]["field"] == "model"
    assert "tiny has no motion model" in problem["detail"]
    able = problem["detail"].rpartition(": ")[2].split(", ")
    assert "moving" in able
    assert not {"tiny", "other"} & set(able)
    assert not list(moving.artifacts.all()), "the clip is not kept"


def test_models_say_whether_they_have_motion(moving):
    models = {model["name"]: model["motion"] for model in moving.http.get("/models").json()["models"]}
    assert (models["moving"], models["tiny"]) == (True, False)


def test_codes_of_another_model_are_refused(moving):
    encode = moving.finished_encode(model="tiny")
    answer = moving.http.post("/predict", data={"job": encode, "model": "moving"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "job"


def test_a_file_that_is_no_video_is_415_and_a_cut_form_422(moving):
    assert predict(moving, b"\x7fELF" + bytes(2000)).status_code == 415
    headers = {"Content-Type": "multipart/form-data; boundary=XX"}
    body = b'--XX\r\nContent-Disposition: form-data; name="observe"\r\n\r\n5\r\n--X'
    assert moving.http.post("/predict", content=body, headers=headers).status_code == 422
    assert moving.http.post("/predict", json={}).status_code == 415
    assert not moving.store.queued("batch")


def test_who_waits_gets_the_picture(moving):
    worker = moving.work_next()
    answer = moving.http.post(
        "/predict?format=png", files={"video": ("a.mp4", MP4)}, data={"model": "moving"}, headers={"Prefer": "wait=10"}
    )
    worker.join()
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "image/png")
