"""Every representation of every kind of result opens in software that is not ours."""

import json
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.end_to_end.asking import FORMATS, post_clip, post_swap
from tests.end_to_end.clips import decoded, drawn_faces, write_h264

pytestmark = pytest.mark.timeout(400)


def test_every_representation_of_an_encode_opens_elsewhere(http, face_clip, tmp_path):
    check_representations(http, post_clip(http, face_clip), tmp_path, set(FORMATS), columns=2)


def test_every_representation_of_a_swap_opens_elsewhere(http, face_clip, tmp_path):
    other = write_h264(tmp_path / "other.mp4", drawn_faces(1, motion=1))
    check_representations(
        http, post_swap(http, [face_clip, other], "application/json"), tmp_path, set(FORMATS), columns=2
    )


def test_every_representation_of_a_grid_opens_elsewhere(http, tmp_path):
    answer = http.get("/latent-grid", params={"seed": 1, "size": 3, "format": "json"})
    check_representations(http, answer, tmp_path, {"json", "npz", "png"}, columns=3)


def check_representations(
    http: httpx.Client, answer: httpx.Response, folder: Path, given: set[str], columns: int
) -> None:
    assert answer.status_code == 200, answer.text
    job = http.get(answer.headers["Location"]).json()
    assert {FORMATS[name] for name in given} == set(job["results"])
    for name, media_type in FORMATS.items():
        by_format = http.get(f"/jobs/{job['id']}/result", params={"format": name})
        by_accept = http.get(f"/jobs/{job['id']}/result", headers={"Accept": media_type})
        if name not in given:
            assert by_format.status_code == by_accept.status_code == 406
            continue
        assert by_format.headers["Content-Type"].split(";")[0] == media_type
        assert by_format.content == by_accept.content
        path = folder / f"result.{name}"
        path.write_bytes(by_format.content)
        opened = OPENERS[name](path)
        if name in ("png", "mp4", "webp", "gif"):
            assert opened.shape[-2] >= 64 * columns
            assert opened.std() > 10


def open_picture(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        picture.load()
        return np.asarray(picture.convert("RGB"))


def open_animation(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        assert picture.n_frames > 1
        assert picture.info.get("loop") == 0
        return np.asarray(picture.convert("RGB"))


def open_movie(path: Path) -> np.ndarray:
    frames = decoded(path)
    assert len(frames) > 1
    assert frames.shape[1] % 2 == frames.shape[2] % 2 == 0
    # Faststart: the index comes before the pictures.
    content = path.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")
    return frames


OPENERS = {
    "json": lambda path: json.loads(path.read_text()),
    "npz": lambda path: np.load(path, allow_pickle=False).files,
    "png": open_picture,
    "mp4": open_movie,
    "webp": open_animation,
    "gif": open_animation,
}
