"""Movies of results: drawn when somebody asks for one, by a job that is nobody's, and deleted with what they show."""

import io
import json
import threading
import time
import zipfile

import pytest

from jobs.errors import InternalError
from jobs.events import PREFIX
from jobs.movie_request import MOVIES, SHORT
from tests.service.conftest import MP4, PNG

DRAWN = b"\x00\x00\x00\x18ftypisom" + b"drawn" * 500


def arrays(size):
    """An archive of so many bytes, which hardly take any room in it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("frames.npy", bytes(size))
    return buffer.getvalue()


STORED = {"application/json": b"{}", "application/x-npz": arrays(1000), "image/png": PNG}


@pytest.fixture
def finished(served):
    return finish(served)


def finish(served):
    job_id = served.job(served.encode())
    served.work(job_id, STORED)
    return job_id


def result(served, job_id, name="mp4", **options):
    return served.http.get(f"/jobs/{job_id}/result?format={name}", **options)


def waiting(served):
    return [served.store.get(job_id) for queue in ("interactive", "batch") for job_id in served.store.queued(queue)]


def drawn(served, name="mp4"):
    return served.work_next({MOVIES[name]: DRAWN})


def test_a_job_offers_the_movies_that_can_be_drawn_of_it(served, finished):
    offered = served.http.get(f"/jobs/{finished}").json()["results"]
    assert set(offered) == {*STORED, *MOVIES.values()}
    assert offered["image/webp"] == f"/jobs/{finished}/result?format=webp"
    events = served.http.get(f"/jobs/{finished}/events").text
    (said,) = [line for line in events.splitlines() if line.startswith("data:") and "results" in line]
    assert json.loads(said.removeprefix("data:"))["results"] == offered
    grid = served.http.get("/latent-grid?seed=1&wait=0").json()["id"]
    served.work(grid, STORED)
    assert set(served.http.get(f"/jobs/{grid}").json()["results"]) == set(STORED)
    assert result(served, grid).status_code == 406


def test_a_movie_is_drawn_when_it_is_first_read_and_kept(served, finished):
    assert waiting(served) == []
    worker = drawn(served)
    answer = result(served, finished)
    worker.join()
    assert (answer.status_code, answer.content) == (200, DRAWN)
    assert answer.headers["Content-Type"] == "video/mp4"
    assert answer.headers["Content-Location"] == f"/jobs/{finished}/result?format=mp4"
    again = result(served, finished, headers={"Range": "bytes=0-9"})
    assert (again.status_code, again.content) == (206, DRAWN[:10])
    assert result(served, finished, headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304
    assert served.http.head(f"/jobs/{finished}/result?format=mp4").headers["Content-Length"] == str(len(DRAWN))
    assert waiting(served) == []


def test_two_who_read_a_movie_at_once_wait_for_one_job(served, finished):
    answers = []
    readers = [threading.Thread(target=lambda: answers.append(result(served, finished))) for _ in range(3)]
    for reader in readers:
        reader.start()
    drawn(served).join()
    for reader in readers:
        reader.join()
    assert [answer.content for answer in answers] == [DRAWN] * 3
    assert waiting(served) == []


def test_a_movie_that_takes_long_is_409_and_is_there_later(served, finished, monkeypatch):
    monkeypatch.setattr("service.movies.PATIENCE", 0.05)
    late = result(served, finished)
    assert (late.status_code, late.headers["Retry-After"]) == (409, "1")
    assert "mp4 of job" in late.json()["detail"]
    drawn(served).join()
    assert result(served, finished).content == DRAWN


def test_a_request_that_waits_for_a_movie_waits_for_both_jobs_together(served):
    def work() -> None:
        served.work_next(STORED).join()
        drawn(served).join()

    worker = threading.Thread(target=work)
    worker.start()
    answer = served.encode(headers={"Prefer": "wait=20", "Accept": "video/mp4"})
    worker.join()
    assert (answer.status_code, answer.content) == (200, DRAWN)
    worker = served.work_next(STORED)
    answer = served.encode(b"GIF89a another clip", headers={"Prefer": "wait=2", "Accept": "image/gif"})
    worker.join()
    assert (answer.status_code, answer.json()["status"]) == (202, "succeeded")


def test_nobody_sees_the_job_that_draws(served, finished, monkeypatch):
    monkeypatch.setattr("service.movies.PATIENCE", 0.05)
    result(served, finished)
    (movie,) = waiting(served)
    assert (movie.kind, movie.queue, movie.owner) == ("movie", "interactive", "local")
    assert [job["id"] for job in served.http.get("/jobs").json()["jobs"]] == [finished]
    assert served.store.num_active("local") == 1, "but it counts while it is drawn"
    for answer in (served.http.get(f"/jobs/{movie.id}"), served.http.delete(f"/jobs/{movie.id}")):
        assert answer.status_code == 404


def test_a_long_movie_waits_with_the_clips(served, monkeypatch):
    monkeypatch.setattr("service.movies.PATIENCE", 0.05)
    job_id = served.job(served.encode())
    served.work(job_id, {**STORED, "application/x-npz": arrays(SHORT + 1)})
    result(served, job_id)
    assert [movie.queue for movie in waiting(served)] == ["batch"]


def files(served):
    return [path for path in served.settings.artifact_dir.rglob("*") if path.is_file()]


def test_a_purge_deletes_what_was_drawn_and_stops_what_is_being_drawn(served, finished, monkeypatch):
    worker = drawn(served)
    result(served, finished)
    worker.join()
    monkeypatch.setattr("service.movies.PATIENCE", 0.05)
    result(served, finished, "gif")
    assert len(waiting(served)) == 1
    assert any(path.read_bytes() == DRAWN for path in files(served))
    assert served.http.delete(f"/jobs/{finished}?purge=true").status_code == 200
    assert waiting(served) == []
    assert files(served) == []
    assert result(served, finished).status_code == 410


def test_a_movie_lives_as_long_as_its_job_and_the_job_that_drew_it_is_soon_forgotten(served, finished):
    worker = drawn(served)
    result(served, finished)
    worker.join()
    assert set(served.store.get(finished).results) == {*STORED, "video/mp4"}
    redis = served.store.redis
    lives = {key: redis.ttl(key) for key in redis.scan_iter(f"{PREFIX}job:*")}
    assert sorted(ttl > 60 for ttl in lives.values()) == [False, True]
    assert max(lives.values()) <= served.settings.result_ttl


def test_a_drawing_that_fails_tells_why_and_is_tried_again(served, finished):
    def fail() -> None:
        while not (jobs := waiting(served)):
            time.sleep(0.01)
        assert served.store.begin(jobs[0].id, "attempt")
        assert served.store.fail(jobs[0].id, "attempt", InternalError("it broke"))

    worker = threading.Thread(target=fail)
    worker.start()
    answer = result(served, finished)
    worker.join()
    assert (answer.status_code, answer.json()["detail"]) == (500, "it broke")
    worker = drawn(served)
    assert result(served, finished).content == DRAWN
    worker.join()
    assert served.http.delete(f"/jobs/{finished}?purge=true").status_code == 200
    assert files(served) == []


def test_a_movie_of_what_is_gone_is_410(served, finished):
    served.artifacts.delete(served.store.get(finished).results["application/x-npz"].sha256)
    assert result(served, finished, "gif").status_code == 410
    assert waiting(served) == []


def test_whoever_waits_for_a_movie_of_a_job_that_is_purged_hears_that_it_is_gone(served, finished):
    answers = []
    reader = threading.Thread(target=lambda: answers.append(result(served, finished)))
    reader.start()
    while not (jobs := waiting(served)):
        time.sleep(0.01)
    assert served.store.begin(jobs[0].id, "attempt")
    assert served.http.delete(f"/jobs/{finished}?purge=true").status_code == 200
    made = {"video/mp4": served.artifacts.write(DRAWN)}
    assert not served.store.commit(jobs[0].id, "attempt", made), "it was told to stop"
    reader.join()
    assert answers[0].status_code == 410


def test_nobody_waits_longer_for_a_movie_than_the_operator_allows(make_served):
    served = make_served(wait_max=0.1)
    began = time.monotonic()
    assert result(served, finish(served)).status_code == 409
    assert time.monotonic() - began < 10


def test_drawing_counts_against_the_limits(make_served):
    served = make_served(queue_limit=1)
    job_id = finish(served)
    served.http.get("/latent-grid?seed=1&wait=0").raise_for_status()
    answer = result(served, job_id)
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/queue-full")
    assert answer.headers["Retry-After"]

    def encode() -> None:
        while not (jobs := served.store.queued("batch")):
            time.sleep(0.01)
        served.work(jobs[0], STORED)

    worker = threading.Thread(target=encode)
    worker.start()
    answer = served.encode(b"GIF89a another clip", headers={"Prefer": "wait=20", "Accept": "video/mp4"})
    worker.join()
    assert (answer.status_code, answer.json()["status"]) == (202, "succeeded"), "the job itself is done"


def test_a_movie_that_a_job_has_stored_itself_is_given(served):
    job_id = served.finished_encode()
    assert result(served, job_id).content == MP4
    assert waiting(served) == []
