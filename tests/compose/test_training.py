"""With `docker/compose.training.yml` a model is learnt in the containers and served at once."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.compose.stack import Stack, free_port
from tests.end_to_end.clips import drawn_faces, write_h264

pytestmark = pytest.mark.timeout(3600)


@pytest.fixture(scope="module")
def learning() -> Iterator[Stack]:
    """A project of its own, with a volume for its models."""
    port = free_port()
    environment = {"TWOFOLD_PORT": str(port)}
    queues = ("interactive", "batch", "training")
    running = Stack(f"twofoldlearning{os.getpid()}", port, environment, ("docker/compose.training.yml",), queues)
    running.compose("build")
    try:
        running.compose("up", "-d")
        running.wait_until_ready()
        yield running
    finally:
        running.compose("down", "-v", "--remove-orphans", check=False)


def test_a_model_is_learnt_from_uploads_and_encodes_the_next_clip(learning: Stack, tmp_path: Path):
    with httpx.Client(base_url=learning.url, timeout=180) as http:
        clips = []
        for identity in range(2):
            path = write_h264(tmp_path / f"{identity}.mp4", drawn_faces(identity, motion=0))
            with path.open("rb") as video:
                uploaded = http.post("/clips", files={"video": video})
            assert uploaded.status_code == 201, uploaded.text
            clips.append(uploaded.json()["id"])
        asked = http.post("/train", json={"name": "learnt", "clips": clips, "minutes": 0.1})
        assert asked.status_code == 202, asked.text
        deadline = time.monotonic() + 900
        while (job := http.get(f"/jobs/{asked.json()['id']}").json())["status"] not in ("succeeded", "failed"):
            assert time.monotonic() < deadline, job
            time.sleep(1)
        assert job["status"] == "succeeded", learning.compose("logs", "--tail=60", "worker")
        assert http.get("/models/learnt").status_code == 200
        with path.open("rb") as video:
            codes = http.post(
                "/encode",
                params={"format": "json"},
                data={"model": "learnt"},
                files={"video": video},
                headers={"Prefer": "wait=120"},
            )
        assert codes.status_code == 200, codes.text
        assert len(codes.json()["dynamic"]) == codes.json()["frames"]
    learning.compose("restart", "worker")
    learning.wait_until_ready()
    assert "learnt" in [model["name"] for model in httpx.get(f"{learning.url}/models", timeout=60).json()["models"]]
