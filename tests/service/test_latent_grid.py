"""GET /latent-grid: a picture that an <img> can point at."""

import pytest

DIGEST = "sha256:" + "ab" * 32
GRID = {"application/json": b"{}", "image/png": b"\x89PNG\r\n\x1a\n" + bytes(500), "application/x-npz": b"PK\x03\x04"}


def test_the_grid_waits_and_is_a_picture_by_default(served):
    worker = served.work_next(GRID)
    answer = served.http.get("/latent-grid", headers={"Accept": "image/avif,image/webp,image/*,*/*;q=0.8"})
    worker.join()
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "image/png")
    assert answer.content == GRID["image/png"]
    record = served.store.get(answer.headers["Location"].rsplit("/", 1)[1])
    assert record.queue == "interactive"
    assert record.request["seed"] == 0
    assert record.request["size"] == 9


def test_a_second_look_is_304_and_computes_nothing(served):
    worker = served.work_next(GRID)
    tag = served.http.get("/latent-grid").headers["ETag"]
    worker.join()
    again = served.http.get("/latent-grid", headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["Cache-Control"] == "private, no-cache"
    assert not served.store.queued("interactive")


def test_only_an_address_that_names_the_digest_is_immutable(served):
    worker = served.work_next(GRID)
    served.http.get("/latent-grid", params={"model": "tiny", "seed": 0})
    worker.join()
    for params in [{"model": f"tiny@{DIGEST}"}, {"model": "tiny", "digest": DIGEST}, {"digest": DIGEST}]:
        answer = served.http.get("/latent-grid", params=params)
        assert answer.status_code == 200
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert "immutable" not in served.http.get("/latent-grid", params={"model": "tiny"}).headers["Cache-Control"]
    assert served.http.get("/latent-grid", params={"digest": "sha256:" + "0" * 64}).status_code == 404


def test_who_does_not_wait_gets_the_job(served):
    for params, headers in [({"wait": "0"}, {}), ({}, {"Prefer": "respond-async"}), ({}, {"Prefer": "wait=0"})]:
        answer = served.http.get("/latent-grid", params=params, headers=headers)
        assert answer.status_code == 202
        assert answer.headers["Location"] == f"/jobs/{answer.json()['id']}"
    assert len(served.store.queued("interactive")) == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("seed", "1.0"),
        ("seed", "true"),
        ("seed", "-1"),
        ("seed", str(2**32)),
        ("seed", "1_0"),
        ("size", "1"),
        ("size", "32"),
        ("size", "1000000"),
        ("dims", "0,0"),
        ("dims", "0,1,2"),
        ("extent", "nan"),
        ("extent", "0"),
        ("extent", "11"),
        ("spacing", "cubic"),
        ("wait", "soon"),
        ("colour", "red"),
    ],
)
def test_a_wrong_value_is_422_and_named(served, field, value):
    answer = served.http.get("/latent-grid", params={field: value})
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


def test_moving_pictures_of_a_grid_do_not_exist(served):
    assert served.http.get("/latent-grid?format=mp4").status_code == 406
    assert served.http.get("/latent-grid", headers={"Accept": "video/mp4"}).status_code == 406


def test_the_grid_of_an_encodes_identity_uses_its_codes_and_its_model(served):
    encode = served.finished_encode(model="other")
    worker = served.work_next(GRID)
    answer = served.http.get("/latent-grid", params={"static_job": encode})
    worker.join()
    assert answer.status_code == 200
    record = served.store.get(answer.headers["Location"].rsplit("/", 1)[1])
    assert record.model == "other"
    assert record.inputs == (served.store.get(encode).results["application/x-npz"].sha256,)


def test_codes_that_are_not_there_or_of_another_model_are_refused(served):
    encode = served.finished_encode(model="other")
    queued = served.job(served.encode())

    def grid(**params):
        return served.http.get("/latent-grid", params={"wait": "0", **params})

    assert grid(static_job=encode, model="tiny").status_code == 422
    assert "other" in grid(static_job=encode, model="tiny").json()["detail"]
    assert grid(static_job=queued).status_code == 422
    assert grid(static_job="0" * 32).status_code == 404
    assert grid(static_job="x").status_code == 422
    assert grid(static_job=encode, seed="3").status_code == 422
    job_id = grid(seed="4").json()["id"]
    assert grid(static_job=job_id).status_code == 422


def test_head_of_a_grid_has_its_tag(served):
    worker = served.work_next(GRID)
    tag = served.http.get("/latent-grid").headers["ETag"]
    worker.join()
    head = served.http.head("/latent-grid")
    assert (head.status_code, head.content, head.headers["ETag"]) == (200, b"", tag)
