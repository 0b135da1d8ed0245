"""The main job where uploads and results lie in a bucket: real processes, a real S3 server, and then without it."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pytest

from tests.end_to_end.asking import FORMATS, post_clip
from tests.end_to_end.clips import drawn_faces, write_h264
from tests.end_to_end.running import System, start, stop, wait_until_ready
from tests.s3 import CREDENTIALS, S3, s3_server

pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def s3() -> Iterator[S3]:
    with s3_server() as running:
        yield running


@pytest.fixture(scope="module")
def kept_in_bucket(s3: S3) -> Iterator[System]:
    with TemporaryDirectory(prefix="twofold-") as folder:
        data_dir = Path(folder) / "data"
        running = start(data_dir, Path(folder) / "log", TWOFOLD_ARTIFACT_URL=s3.url, **CREDENTIALS)
        try:
            yield wait_until_ready(running)
            assert stop(running) == 0, running.said()
        finally:
            running.process.kill()


@pytest.fixture
def bucket_http(kept_in_bucket: System) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=kept_in_bucket.url, timeout=180) as client:
        yield client


def test_a_clip_is_encoded_and_its_results_are_read_in_parts_and_purged(kept_in_bucket, bucket_http, s3, face_clip):
    answer = post_clip(bucket_http, face_clip)
    assert answer.status_code == 200, answer.text
    job = answer.headers["Location"]
    offered = bucket_http.get(job).json()["results"]
    assert set(offered) == set(FORMATS.values())
    assert len(s3.names()) == 1 + len({"json", "npz", "png"}), "the clip and what is not drawn on demand"
    assert not (kept_in_bucket.data_dir / "artifacts").exists()
    assert not list((kept_in_bucket.data_dir / "incoming").iterdir()), "nothing stays on the local disk"

    for name in ("npz", "mp4"):
        whole = bucket_http.get(f"{job}/result", params={"format": name})
        assert whole.headers["Content-Type"] == FORMATS[name]
        assert whole.headers["Accept-Ranges"] == "bytes"
        size, tag = len(whole.content), whole.headers["ETag"]
        assert int(whole.headers["Content-Length"]) == size
        part = bucket_http.get(f"{job}/result", params={"format": name}, headers={"Range": "bytes=100-299"})
        assert (part.status_code, part.content) == (206, whole.content[100:300])
        assert part.headers["Content-Range"] == f"bytes 100-299/{size}"
        last = bucket_http.get(f"{job}/result", params={"format": name}, headers={"Range": "bytes=-7"})
        assert last.content == whole.content[-7:]
        both = bucket_http.get(f"{job}/result", params={"format": name}, headers={"Range": "bytes=0-3,10-19"})
        assert both.status_code == 206
        assert whole.content[:4] in both.content
        assert whole.content[10:20] in both.content
        other = {"Range": "bytes=0-3", "If-Range": '"another"'}
        assert bucket_http.get(f"{job}/result", params={"format": name}, headers=other).content == whole.content
        assert bucket_http.head(f"{job}/result", params={"format": name}).headers["Content-Length"] == str(size)
        same = bucket_http.get(f"{job}/result", params={"format": name}, headers={"If-None-Match": tag})
        assert same.status_code == 304
        beyond = bucket_http.get(f"{job}/result", params={"format": name}, headers={"Range": f"bytes={size}-"})
        assert beyond.status_code == 416

    assert len(s3.names()) == 1 + len({"json", "npz", "png", "mp4"})
    assert bucket_http.delete(job, params={"purge": "true"}).status_code == 200
    assert s3.names() == []
    assert bucket_http.get(f"{job}/result").status_code == 410


def test_codes_of_a_finished_encode_are_read_from_the_bucket(bucket_http, s3, tmp_path):
    clip = write_h264(tmp_path / "clip.mp4", drawn_faces(1, motion=2))
    with clip.open("rb") as file:
        kept = bucket_http.post("/clips", files={"video": file}).json()
    assert any(name.endswith(kept["id"]) for name in s3.names())
    fields = {"clip": kept["id"]}
    encoded = bucket_http.post("/encode", data=fields, headers={"Prefer": "wait=60"})
    assert encoded.status_code == 200, encoded.text
    job = encoded.headers["Location"].rpartition("/")[2]
    grid = bucket_http.get("/latent-grid", params={"static_job": job, "size": 3, "wait": 60})
    assert grid.status_code == 200
    assert grid.content.startswith(b"\x89PNG")


def test_without_the_server_there_is_a_clear_problem_and_a_running_system(kept_in_bucket, bucket_http, s3, face_clip):
    """The last test of this module: it stops the module's S3 server."""
    encoded = post_clip(bucket_http, face_clip)
    job = encoded.headers["Location"]
    s3.stop()
    for answer in (
        bucket_http.get(f"{job}/result"),
        post_clip(bucket_http, face_clip, stride="2"),
        bucket_http.post("/clips", files={"video": face_clip.read_bytes()}),
    ):
        assert answer.status_code == 503, answer.text
        problem = answer.json()
        assert problem["type"] == "/problems/storage-unavailable"
        assert answer.headers["Retry-After"]
        assert not any(word in answer.text for word in ("Traceback", ".py", s3.endpoint, s3.bucket))
    # A job whose clip the worker cannot fetch fails with that problem, and the worker lives.
    grid = bucket_http.get("/latent-grid", params={"seed": 9, "size": 2, "wait": 60})
    assert grid.status_code == 503
    assert grid.json()["type"] == "/problems/storage-unavailable"
    assert bucket_http.get("/readyz").status_code == 200
    assert "Traceback" not in kept_in_bucket.said()
    assert not list((kept_in_bucket.data_dir / "incoming").iterdir())
