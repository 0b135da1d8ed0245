"""Asking a running system over HTTP, as a user would with curl."""

import io
import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np

WAIT = {"Prefer": "wait=60"}
FORMATS = {
    "json": "application/json",
    "npz": "application/x-npz",
    "png": "image/png",
    "mp4": "video/mp4",
    "webp": "image/webp",
    "gif": "image/gif",
}


def post_clip(http: httpx.Client, path: Path, accept: str = "application/json", **fields: Any) -> httpx.Response:
    with path.open("rb") as file:
        return http.post("/encode", files={"video": file}, data=fields, headers={**WAIT, "Accept": accept})


def arrays_of(answer: httpx.Response) -> dict[str, np.ndarray]:
    assert answer.status_code == 200, answer.text[:1000]
    assert answer.headers["Content-Type"] == "application/x-npz"
    with np.load(io.BytesIO(answer.content), allow_pickle=False) as archive:
        return dict(archive)


def finished(http: httpx.Client, job_id: str, within: float) -> dict[str, Any]:
    deadline = time.monotonic() + within
    while True:
        job: dict[str, Any] = http.get(f"/jobs/{job_id}").json()
        if job["status"] in ("succeeded", "failed", "canceled"):
            return job
        assert time.monotonic() < deadline, f"still {job['status']} ({job['stage']}) after {within:.0f} s"
        time.sleep(0.05)


def post_swap(http: httpx.Client, clips: list[Path], accept: str, **fields: str) -> httpx.Response:
    """Both clips on both sides."""
    contents = [(clip.name, clip.read_bytes()) for clip in clips]
    files = [(side, content) for side in ("static", "dynamic") for content in contents]
    return http.post("/swap", files=files, data=fields, headers={**WAIT, "Accept": accept})
