"""POST /swap: sources of every origin, in the order they are given."""

import hashlib

MP4 = b"\x00\x00\x00\x18ftypisom" + bytes(3000)


def clip(n):
    return ("clip.mp4", MP4 + bytes([n]))


def sha(n):
    return hashlib.sha256(MP4 + bytes([n])).hexdigest()


def test_files_ids_of_encodes_and_ids_of_clips_are_sources_in_the_order_given(served):
    encode = served.finished_encode()
    uploaded = served.http.post("/clips", files={"video": clip(9)}).json()["id"]
    parts = [
        ("static", clip(1)),
        ("static_job", (None, encode)),
        ("static_clip", (None, uploaded)),
        ("dynamic", clip(2)),
        ("dynamic", clip(1)),
        ("transfer", (None, "prior")),
    ]
    job_id = served.job(served.http.post("/swap", files=parts))
    request = served.store.get(job_id).parsed_request()
    codes = served.store.get(encode).results["application/x-npz"].sha256
    assert [(one.clip, one.codes) for one in request.static] == [(sha(1), None), (None, codes), (sha(9), None)]
    assert [one.clip for one in request.dynamic] == [sha(2), sha(1)]
    assert request.static[1].job == encode
    assert request.transfer == "prior"
    assert len(request.inputs) == 4
    assert all(served.artifacts.exists(one) for one in request.inputs)


def test_a_swap_of_encodes_alone_needs_no_file_and_takes_their_model(served):
    encode = served.finished_encode(model="other")
    answer = served.http.post("/swap", data={"static_job": [encode], "dynamic_job": [encode]})
    job = served.http.get(answer.headers["Location"]).json()
    assert (job["kind"], job["model"]) == ("swap", "other")
    again = served.http.post("/swap", files=[(f"{side}_job", (None, encode)) for side in ("static", "dynamic")])
    assert again.json()["id"] == job["id"], "one request, however it is sent"


def test_sources_of_another_model_are_refused(served):
    encode = served.finished_encode(model="other")
    data = {"static_job": encode, "dynamic_job": encode, "model": "tiny"}
    assert served.http.post("/swap", data=data).status_code == 422
    other = served.finished_encode(model="tiny")
    data = {"static_job": encode, "dynamic_job": other}
    answer = served.http.post("/swap", data=data)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "dynamic_job"


def test_none_or_too_many_sources_are_422(served):
    assert served.http.post("/swap", files=[("static", clip(1))]).status_code == 422
    many = [("static", clip(n)) for n in range(9)]
    answer = served.http.post("/swap", files=[*many, ("dynamic", clip(1))])
    assert answer.status_code == 422
    jobs = [("static_job", (None, "0" * 32))] * 9
    assert served.http.post("/swap", files=[*jobs, ("dynamic", clip(1))]).status_code == 422
    assert not served.unfinished()
    assert not list(served.artifacts.all())
    eight = [("static", clip(n)) for n in range(8)] + [("dynamic", clip(n)) for n in range(8)]
    assert served.http.post("/swap", files=eight).status_code == 202


def test_a_wrong_transfer_or_text_for_a_file_is_422(served):
    sources = [("static", clip(1)), ("dynamic", clip(2))]
    assert served.http.post("/swap", files=[*sources, ("transfer", (None, "magic"))]).status_code == 422
    assert served.http.post("/swap", files=[("static", (None, "x")), ("dynamic", clip(2))]).status_code == 422
    assert not list(served.artifacts.all())
