"""Parts of the composed system stopped, killed and multiplied, while jobs go on."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from tests.compose.stack import Stack, run
from tests.end_to_end.clips import drawn_faces, write_h264

pytestmark = pytest.mark.timeout(3600)

ENDED = ("succeeded", "failed", "canceled")


def submit(http: httpx.Client, clip: Path, **fields: str) -> str:
    answer = http.post("/encode", files={"video": clip.read_bytes()}, data=fields)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def until(http: httpx.Client, job_id: str, wanted: tuple[str, ...], within: float) -> dict[str, Any]:
    deadline = time.monotonic() + within
    while True:
        job: dict[str, Any] = http.get(f"/jobs/{job_id}").json()
        if job["status"] in wanted:
            return job
        assert job["status"] not in ENDED, job
        assert time.monotonic() < deadline, f"still {job['status']} ({job['stage']}) after {within:.0f} s"
        time.sleep(0.1)


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip that keeps a worker busy for some seconds."""
    once = drawn_faces(1, motion=1, frames=40)
    frames = np.concatenate([np.roll(once, shift, axis=0) for shift in range(50)])
    return write_h264(tmp_path_factory.mktemp("clips") / "long.mp4", frames, enlarge=2)


def holder(stack: Stack, job_id: str) -> str:
    """The container whose worker has the job in hand: its name begins with the container's."""
    (delivery,) = stack.valkey("--raw", "keys", f"rq:job:{job_id}-*").split()
    worker = stack.valkey("--raw", "hget", delivery, "worker_name")
    host = worker.split(".")[0]
    (container,) = [one for one in stack.containers("worker") if one.startswith(host)]
    return container


def test_the_queue_starts_again_with_every_job_and_record(stack: Stack, http: httpx.Client, face_clip: Path):
    done = until(http, submit(http, face_clip, stride="2"), ENDED, 60)
    stack.compose("pause", "worker")
    waiting = submit(http, face_clip, stride="3")
    stack.compose("restart", "-t", "10", "valkey")
    stack.compose("unpause", "worker")
    assert until(http, waiting, ENDED, 60)["status"] == "succeeded"
    assert http.get(f"/jobs/{done['id']}").json() == done
    assert http.get(f"/jobs/{done['id']}/result", params={"format": "npz"}).status_code == 200


def test_all_that_was_done_is_there_after_down_and_up(stack: Stack, http: httpx.Client, face_clip: Path):
    done = until(http, submit(http, face_clip, stride="4"), ENDED, 60)
    stack.compose("down")
    stack.compose("up", "-d")
    stack.wait_until_ready()
    assert http.get(f"/jobs/{done['id']}").json() == done
    assert http.get(f"/jobs/{done['id']}/result", params={"format": "npz"}).status_code == 200


def test_three_workers_share_the_jobs_and_a_killed_one_loses_none(
    stack: Stack, http: httpx.Client, face_clip: Path, long_clip: Path
):
    stack.compose("up", "-d", "--scale", "worker=3")
    stack.wait_until_ready(workers=3)
    assert len(stack.containers("worker")) == 3

    jobs = [submit(http, face_clip, start=f"{0.05 * number:.2f}") for number in range(6)]
    with ThreadPoolExecutor(6) as pool:
        ended = list(pool.map(lambda job: until(http, job, ENDED, 120), jobs))
    assert {job["status"] for job in ended} == {"succeeded"}

    killed = submit(http, long_clip)
    until(http, killed, ("running",), 60)
    run("docker", "kill", "--signal", "KILL", holder(stack, killed))
    began = time.monotonic()
    while (job := http.get(f"/jobs/{killed}").json())["attempts"] < 2:
        assert job["status"] in ("queued", "running"), job
        assert time.monotonic() - began < 60, job
        time.sleep(0.2)
    assert until(http, killed, ENDED, 900)["status"] == "succeeded"
    assert http.get(f"/jobs/{killed}").json()["attempts"] == 2
    assert http.get(f"/jobs/{killed}/result", params={"format": "json"}).json()["frames"] == 2000

    stack.compose("up", "-d", "--scale", "worker=1")
    stack.wait_until_ready()
