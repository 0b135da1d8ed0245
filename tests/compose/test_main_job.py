"""The main job over HTTP on the composed system: files go in from outside and pictures come out, seen as pixels."""

import io
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.compose.stack import Stack
from tests.end_to_end.clips import as_a_model_sees, decoded, drawn_faces, psnr, write_h264

pytestmark = pytest.mark.timeout(3600)  # the first test waits for the images

WAIT = {"Prefer": "wait=60"}


def post_clip(http: httpx.Client, path: Path, accept: str, **fields: Any) -> httpx.Response:
    with path.open("rb") as file:
        return http.post("/encode", files={"video": file}, data=fields, headers={**WAIT, "Accept": accept})


def arrays_of(answer: httpx.Response) -> dict[str, np.ndarray]:
    assert answer.status_code == 200, answer.text[:1000]
    with np.load(io.BytesIO(answer.content), allow_pickle=False) as archive:
        return dict(archive)


def picture_of(answer: httpx.Response) -> np.ndarray:
    assert answer.status_code == 200, answer.text[:1000]
    assert answer.headers["Content-Type"] == "image/png"
    with Image.open(io.BytesIO(answer.content)) as picture:
        return np.asarray(picture.convert("RGB"))


def test_a_clip_gives_its_codes_and_what_the_model_saw(http, face_clip):
    arrays = arrays_of(post_clip(http, face_clip, "application/x-npz"))
    assert psnr(arrays["frames"], drawn_faces(0, motion=0)) > 35
    assert len(arrays["dynamic"]) == len(arrays["frames"]) == 16
    assert arrays["static"].std() > 0


@pytest.mark.parametrize("media_type", ["image/png", "video/mp4", "image/gif", "application/json"])
def test_every_kind_of_result_is_made_without_a_disk_to_write_on(http, face_clip, media_type):
    answer = post_clip(http, face_clip, media_type)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == media_type
    assert len(answer.content) > 1000


def test_a_swap_shows_every_face_in_every_motion(http, tmp_path):
    clips = [
        write_h264(tmp_path / f"{n}.mp4", drawn_faces(who, motion)) for n, (who, motion) in enumerate([(2, 5), (3, 6)])
    ]
    files = [(side, (clip.name, clip.read_bytes())) for side in ("static", "dynamic") for clip in clips]
    answer = http.post("/swap", files=files, headers={**WAIT, "Accept": "application/x-npz"})
    frames = arrays_of(answer)["frames"]
    assert frames.shape == (2, 2, 16, 64, 64, 3)
    for who, identity in enumerate((2, 3)):
        nearest = [psnr(frames[who, 0], drawn_faces(other, 5)) for other in (2, 3)]
        assert (2, 3)[int(np.argmax(nearest))] == identity, nearest


def test_the_plane_is_a_picture_of_one_identity(http):
    picture = picture_of(http.get("/latent-grid", params={"seed": 1, "size": 3}, headers={"Accept": "image/png"}))
    assert min(picture.shape[:2]) >= 3 * 64
    assert picture.std() > 10


def test_a_model_in_the_mounted_folder_is_served(http, face_clip):
    assert {"faces-vae", "tiny"} <= {model["name"] for model in http.get("/models").json()["models"]}
    arrays = arrays_of(post_clip(http, face_clip, "application/x-npz", model="tiny"))
    assert len(arrays["dynamic"]) == 16


@pytest.mark.parametrize(
    ("content", "status"),
    [(b"\x7fELF" + bytes(4096), 415), (b"\x00\x00\x00\x20ftypisom" + bytes(4096), 422)],
    ids=["a program", "a truncated video"],
)
def test_a_wrong_file_gets_a_clear_problem_and_the_next_request_works(http, face_clip, tmp_path, content, status):
    wrong = tmp_path / "clip.mp4"
    wrong.write_bytes(content)
    answer = post_clip(http, wrong, "application/json")
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert len(answer.json()["detail"]) > 20
    assert post_clip(http, face_clip, "application/json").status_code == 200


@pytest.mark.parametrize("name", ["real/friday.mp4", "real/flower.webm", "real/av1_video.mkv"])
def test_a_real_file_is_decoded_as_others_decode_it(http, shared_data, name):
    path = shared_data / "videos" / name
    arrays = arrays_of(post_clip(http, path, "application/x-npz", max_frames="12"))
    assert psnr(arrays["frames"], as_a_model_sees(decoded(path)[:12])) > 30


def test_a_page_of_another_site_is_refused_as_on_loopback(http, stack: Stack):
    rebound = http.get("/models", headers={"Host": f"evil.example:{stack.port}"})
    assert rebound.status_code == 403
    assert http.post("/encode", headers={"Origin": "http://evil.example"}).status_code == 403
