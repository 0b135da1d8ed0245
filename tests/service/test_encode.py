"""POST /encode: what becomes a job, and what is told to those who wait."""

import hashlib

import pytest

from jobs.errors import TooManyFrames, WorkerLost

MP4 = b"\x00\x00\x00\x18ftypisom" + bytes(3000)
LONG_PNG_NAMED_MP4 = b"\x89PNG\r\n\x1a\n" + bytes(2000)


def test_an_upload_is_answered_with_its_job_and_where_to_find_it(served):
    answer = served.encode(stride="2")
    assert answer.status_code == 202
    job = answer.json()
    assert answer.headers["Location"] == f"/jobs/{job['id']}"
    assert (job["kind"], job["status"], job["progress"], job["position"]) == ("encode", "queued", 0, 1)
    assert job["model"] == "tiny"
    assert job["digest"].startswith("sha256:")
    record = served.store.get(job["id"])
    assert record.request["stride"] == 2
    assert record.request["clip"] == hashlib.sha256(MP4).hexdigest()
    assert served.artifacts.path(record.request["clip"]).read_bytes() == MP4
    assert not served.unfinished()


def test_the_job_is_in_the_queue_of_the_workers(served):
    job_id = served.job(served.encode())
    assert served.store.redis.lrange("rq:queue:twofold-batch", 0, -1) == [f"{job_id}-1".encode()]


def test_a_client_that_waits_gets_the_result_it_accepts(served):
    worker = served.work_next()
    answer = served.encode(headers={"Prefer": "wait=10", "Accept": "image/png"})
    worker.join()
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "image/png"
    assert answer.headers["Preference-Applied"] == "wait=10"
    assert {"Accept", "Prefer"} <= {part.strip() for part in answer.headers["Vary"].split(",")}
    assert answer.content.startswith(b"\x89PNG")


def test_a_client_that_waits_too_short_gets_the_job(served):
    answer = served.encode(headers={"Prefer": "wait=1"})
    assert answer.status_code == 202
    assert answer.json()["status"] == "queued"
    assert answer.headers["Retry-After"] == "1"


def test_a_senseless_preference_is_ignored_and_a_long_one_cut(make_served):
    served = make_served(wait_max=0.2)
    assert "Preference-Applied" not in served.encode(headers={"Prefer": "wait=abc"}).headers
    assert served.encode(headers={"Prefer": "wait=99999"}).headers["Preference-Applied"] == "wait=0.2"


def test_a_client_that_waits_for_a_failing_job_gets_its_problem(served):
    job_id = served.job(served.encode())
    served.store.begin(job_id, "e")
    served.store.fail(job_id, "e", TooManyFrames("the clip has 5000 frames, at most 4096 are taken: use stride"))
    answer = served.encode(headers={"Prefer": "wait=5"})
    assert answer.status_code == 422
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert problem["type"] == "/problems/too-many-frames"
    assert "use stride" in problem["detail"]
    assert problem["instance"] == "/encode"


def test_the_same_request_is_one_job_while_its_results_live(served):
    first = served.job(served.encode())
    assert served.job(served.encode(name="another-name.mov")) == first
    served.work(first)
    assert served.job(served.encode()) == first
    assert served.job(served.encode(stride="2")) != first
    assert served.job(served.encode(MP4 + b"x")) != first
    assert served.job(served.encode(model="other")) != first


def test_a_failure_of_ours_is_not_reused_and_one_of_the_input_is(served):
    first = served.job(served.encode())
    served.store.begin(first, "e")
    served.store.fail(first, "e", WorkerLost("lost"))
    second = served.job(served.encode())
    assert second != first
    served.store.begin(second, "e")
    served.store.fail(second, "e", TooManyFrames("too many"))
    assert served.job(served.encode()) == second


def test_results_that_somebody_deleted_are_made_again(served):
    first = served.finished_encode()
    served.artifacts.delete(served.store.get(first).results["image/png"].sha256)
    assert served.job(served.encode()) != first


def test_a_canceled_job_is_not_given_to_the_next_who_asks(served):
    first = served.job(served.encode())
    assert served.http.delete(f"/jobs/{first}").status_code == 200
    assert served.job(served.encode()) != first


def test_every_wrong_value_is_named_with_its_field(served):
    for field, value in [
        ("stride", "0"),
        ("stride", "1.0"),
        ("stride", "true"),
        ("start", "nan"),
        ("start", "-1"),
        ("end", "inf"),
        ("max_frames", "0"),
        ("crop", "10,10,0,5"),
        ("crop", "left"),
        ("frames", "3"),
    ]:
        answer = served.encode(**{field: value})
        assert answer.status_code == 422, (field, value)
        assert answer.json()["type"] == "/problems/wrong-value"
        assert [error["field"] for error in answer.json()["errors"]] == [field]
    both = served.encode(start="5", end="4")
    assert both.status_code == 422
    assert "after start" in both.json()["detail"]
    assert not served.store.queued("batch")
    assert not list(served.artifacts.all())
    assert not served.unfinished()


def test_an_unknown_model_is_404_and_its_name_meets_no_path(served):
    for name in ["nobody", "../../x", "../own-models/tiny", "tiny@sha256:" + "0" * 64, "x" * 5000]:
        answer = served.encode(model=name)
        assert answer.status_code == 404
        assert answer.json()["type"] == "/problems/unknown-model"
    assert served.encode(model="tiny@sha256:" + "ab" * 32).status_code == 202


def test_what_a_file_is_called_does_not_matter_unless_it_lies_about_being_a_video(served):
    for name in ["../../x", "a\0b", "n" * 4000, "\u202efdp.4pm", "clip.bin"]:
        assert served.encode(name=name).status_code == 202
    stored = [one.sha256 for one in served.artifacts.all()]
    assert stored == [hashlib.sha256(MP4).hexdigest()]
    answer = served.encode(LONG_PNG_NAMED_MP4, name="clip.mp4")
    assert answer.status_code == 415
    assert "PNG" in answer.json()["detail"]
    assert served.encode(LONG_PNG_NAMED_MP4, name="clip.png").status_code == 202


def test_what_is_no_picture_or_video_is_refused_before_there_is_a_job(served):
    for content in [
        b"\x7fELF\x02\x01\x01" + bytes(2000),
        b"PK\x03\x04" + bytes(2000),
        b"<!doctype html><html></html>" * 100,
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%PDF-1.7\n" + bytes(2000),
        b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n",
        b"ffconcat version 1.0\nfile /etc/passwd\n",
        b"v=0\r\no=- 0 0 IN IP4 169.254.169.254\r\n",
        b"\x00\x00\x00\x18ftypheic" + bytes(2000),
        b"%!PS-Adobe-3.0 EPSF-3.0\n",
        b"just text, whatever its name says",
    ]:
        answer = served.encode(content)
        assert answer.status_code == 415, content[:20]
        assert answer.json()["type"] == "/problems/not-a-media"
    assert not served.store.queued("batch")
    assert not list(served.artifacts.all())
    assert not served.unfinished()


def test_a_file_without_bytes_is_422(served):
    answer = served.encode(b"")
    assert answer.status_code == 422
    assert answer.json()["type"] == "/problems/empty-file"


def test_without_a_file_or_with_text_in_its_place_is_422(served):
    assert served.http.post("/encode", data={"stride": "2"}).status_code == 422
    answer = served.http.post("/encode", files={"stride": (None, "2")})
    assert answer.status_code == 422
    assert "video" in answer.json()["detail"]
    answer = served.http.post("/encode", files={"video": (None, "clip.mp4")})
    assert answer.status_code == 422
    assert "expected a file" in answer.json()["detail"]


def test_two_files_are_422(served):
    answer = served.http.post("/encode", files=[("video", ("a.mp4", MP4)), ("video", ("b.mp4", MP4 + b"x"))])
    assert answer.status_code == 422
    assert not served.unfinished()
    answer = served.http.post("/encode", files=[("video", ("a.mp4", MP4)), ("other", ("b.mp4", MP4))])
    assert answer.status_code == 422


def test_a_representation_that_no_encode_has_is_406_before_anything_is_read(served):
    for headers in [{"Accept": "application/xml"}, {"Accept": "text/html"}, {"Accept": "image/avif;q=1"}]:
        assert served.encode(headers=headers).status_code == 406
    answer = served.http.post("/encode?format=exe", files={"video": ("a.mp4", MP4)})
    assert answer.status_code == 406
    assert not served.store.queued("batch")


def test_the_same_key_is_the_same_job_and_another_body_under_it_is_422(served):
    key = {"Idempotency-Key": "key-1"}
    first = served.job(served.encode(headers=key))
    assert served.job(served.encode(headers=key)) == first
    served.http.delete(f"/jobs/{first}")
    assert served.job(served.encode(headers=key)) == first, "a retry must not undo a cancel"
    answer = served.encode(headers=key, stride="3")
    assert answer.status_code == 422
    assert "Idempotency-Key" in answer.json()["detail"]
    assert served.job(served.encode(headers={"Idempotency-Key": "key-2"})) != first


@pytest.mark.parametrize("key", ["", "k" * 256, "clé".encode("latin-1"), "ключ".encode()])
def test_a_key_is_printable_ascii_of_a_length(served, key):
    answer = served.encode(headers={"Idempotency-Key": key})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "Idempotency-Key")


def test_a_sum_of_decimals_is_a_number_too(served):
    request = served.store.get(served.job(served.encode(start=str(0.1 + 0.2), end="1e1"))).request
    assert (request["start"], request["end"]) == (0.1 + 0.2, 10.0)


def test_a_file_without_a_name_is_one_where_its_type_says_so(served):
    head = b'--q\r\nContent-Disposition: form-data; name="video"\r\n'
    for kind, status in [(b"Content-Type: video/mp4\r\n", 202), (b"", 422), (b"Content-Type: text/plain\r\n", 422)]:
        content = head + kind + b"\r\n" + MP4 + b"\r\n--q--\r\n"
        headers = {"Content-Type": "multipart/form-data; boundary=q"}
        answer = served.http.post("/encode", content=content, headers=headers)
        assert answer.status_code == status, (kind, answer.text)


def test_a_refused_request_lets_go_of_its_key(served):
    key = {"Idempotency-Key": "key-1"}
    assert served.encode(b"no media", headers=key).status_code == 415
    assert served.encode(headers=key).status_code == 202


def test_a_clip_uploaded_once_can_be_used_by_its_id(served):
    answer = served.http.post("/clips", files={"video": ("a.mp4", MP4)})
    assert answer.status_code == 201
    clip = answer.json()
    assert clip["id"] == hashlib.sha256(MP4).hexdigest()
    assert served.http.get(answer.headers["Location"]).json() == clip
    job_id = served.job(served.http.post("/encode", data={"clip": clip["id"]}))
    assert served.store.get(job_id).request["clip"] == clip["id"]
    assert served.http.post("/encode", data={"clip": "0" * 64}).status_code == 404
    assert served.http.post("/encode", data={"clip": "nonsense"}).status_code == 422
    assert served.http.delete(f"/clips/{clip['id']}").status_code == 204
    assert served.http.get(f"/clips/{clip['id']}").status_code == 404
    assert served.artifacts.exists(clip["id"]), "a job still needs the clip"
