"""`twofold up` as an operator meets it: starting, stopping, dying in parts, and starting again."""

import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pytest

from tests.end_to_end.clips import drawn_faces, write_h264
from tests.end_to_end.running import MODELS, System, descendants, start, stop, wait_until_ready

pytestmark = pytest.mark.timeout(400)


@pytest.fixture
def folder() -> Iterator[Path]:
    with TemporaryDirectory(prefix="twofold-") as name:
        path = Path(name)
        (path / "data").mkdir()
        if MODELS:
            shutil.copytree(MODELS, path / "data" / "models")
        yield path


@pytest.fixture
def fresh(folder: Path) -> Iterator[System]:
    system = start(folder / "data", folder / "log")
    try:
        yield system
    finally:
        if system.process.poll() is None:
            system.process.kill()
            system.process.wait()


def gone(pids: list[int], within: float) -> bool:
    deadline = time.monotonic() + within
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def test_a_job_outlives_a_stop_and_one_control_c_leaves_nothing_behind(fresh, folder):
    system = wait_until_ready(fresh)
    clip = write_h264(folder / "face.mp4", drawn_faces(0, motion=0))
    with httpx.Client(base_url=system.url, timeout=60) as http, clip.open("rb") as file:
        first = http.post("/encode", files={"video": file}, headers={"Prefer": "wait=60"})
    assert first.status_code == 200
    everyone = descendants(system.process.pid)
    assert len(everyone) >= 5  # server, API, supervisor, two workers
    assert stop(system) == 0
    assert gone(everyone, within=1)
    assert "Traceback" not in system.said()
    assert not list((folder / "data" / "redis").glob("*.sock"))

    again = wait_until_ready(start(folder / "data", folder / "second.log"))
    try:
        with httpx.Client(base_url=again.url, timeout=60) as http:
            job = http.get(first.headers["Location"]).json()
            assert job["status"] == "succeeded"
            assert http.get(f"/jobs/{job['id']}/result", params={"format": "json"}).json() == first.json()
    finally:
        assert stop(again) == 0


def ready(system: System) -> bool:
    try:
        return httpx.get(f"{system.url}/readyz", timeout=10).status_code == 200
    except httpx.HTTPError:
        return False


def test_an_api_that_dies_is_started_again_while_callers_wait(fresh):
    system = wait_until_ready(fresh)
    (api,) = system.processes("twofold serve")
    os.kill(api, signal.SIGKILL)
    # The port is held by the parent, so this is not refused: it waits for the next API.
    assert httpx.get(f"{system.url}/livez", timeout=60).status_code == 200
    assert system.processes("twofold serve") != [api]
    # Its Redis too, and whoever asks then waits no longer than that takes.
    (redis,) = system.processes("valkey-server")
    os.kill(redis, signal.SIGKILL)
    deadline = time.monotonic() + 60
    while system.processes("valkey-server") in ([], [redis]) or not ready(system):
        assert time.monotonic() < deadline, system.said()
        time.sleep(0.1)
    # Somebody killed outright takes everybody along, by the kernel's hand.
    everyone = descendants(system.process.pid)
    system.process.kill()
    assert gone(everyone, within=60)


def test_a_second_up_on_the_same_data_is_told_whose_it_is(system, folder):
    second = start(system.data_dir, folder / "second.log")
    assert second.process.wait(30) == 1
    assert f"process {system.process.pid}" in second.said()
    assert "TWOFOLD_DATA_DIR" in second.said()
    assert "Traceback" not in second.said()
    assert httpx.get(f"{system.url}/readyz", timeout=10).status_code == 200


def test_without_a_model_to_serve_it_says_so_and_ends(folder):
    system = start(folder / "data", folder / "log", TWOFOLD_DEFAULT_MODEL="no-such-model")
    assert system.process.wait(60) == 1
    assert "no-such-model" in system.said()
    assert "Traceback" not in system.said()
