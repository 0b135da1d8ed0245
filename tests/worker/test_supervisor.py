"""Workers that die, hang, cannot start or are told to stop: the jobs they held end all the same."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

import worker.supervisor
from jobs.catalogue import find_models
from jobs.connection import connect
from jobs.folder_store import FolderStore
from jobs.queue import JobQueue
from jobs.records import JobStore
from jobs.requests import EncodeRequest
from tests.worker.drawn import film, moving_square
from worker.supervisor import EXIT_CONFIGURATION, Supervisor

pytestmark = pytest.mark.timeout(400)  # each test starts processes that load torch, perhaps on a busy machine
PATIENCE = 180.0


@pytest.fixture
def desk(settings):
    """What the service would hold: a store, a queue, and a way to ask for an encode."""
    with connect(settings.redis_url) as redis:
        store, queue = JobStore(redis, settings), JobQueue(redis, settings)
        artifacts = FolderStore(settings.artifact_dir)
        digest = find_models(settings)["tiny"].digest

        class Desk:
            def submit(self, frames):
                clip = artifacts.write(film(moving_square(frames), options={"preset": "ultrafast"})).sha256
                request = EncodeRequest(model="tiny", digest=digest, clip=clip)
                record = store.create_once(store.new_id(), request, "asker")
                queue.deliver(record)
                return record.id

            def read(self, job_id):
                return store.get(job_id)

        yield Desk()


@pytest.fixture
def supervisor(settings):
    supervisor = Supervisor(settings, ["batch"])
    yield supervisor
    supervisor.exit_code = 0
    for child in supervisor.children:
        if child.process is not None:
            child.process.kill()
    supervisor.stop()
    supervisor.store.redis.close()


def until(supervisor, true):
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, "it took too long"
        supervisor.step(timeout=0.05)


def test_a_job_that_kills_its_worker_each_time_fails_after_three_and_the_others_go_on(supervisor, desk):
    poison = desk.submit(frames=1500)
    killed = []
    for attempt in (1, 2, 3):
        until(supervisor, lambda: supervisor.children[0].held is not None)
        assert desk.read(poison).attempts == attempt
        pid = supervisor.children[0].process.pid
        os.kill(pid, signal.SIGKILL)
        began = time.monotonic()
        until(supervisor, lambda pid=pid: (child := supervisor.children[0]).process is None or child.process.pid != pid)
        assert time.monotonic() - began < 10, "a dead child is heard at once, not when its lease runs out"
        assert desk.read(poison).status == ("failed" if attempt == 3 else "queued")
        killed.append(pid)
    assert len(set(killed)) == 3
    assert desk.read(poison).problem.slug == "worker-lost"
    sound = desk.submit(frames=3)
    until(supervisor, lambda: desk.read(sound).status == "succeeded")


def test_a_stuck_worker_is_killed_and_its_job_done_by_the_next(supervisor, desk, monkeypatch):
    job = desk.submit(frames=1500)
    until(supervisor, lambda: supervisor.children[0].held is not None)
    pid = supervisor.children[0].process.pid
    os.kill(pid, signal.SIGSTOP)
    monkeypatch.setattr(worker.supervisor, "SILENT_FOR", 1.0)
    until(supervisor, lambda: desk.read(job).status == "queued")
    monkeypatch.undo()
    until(supervisor, lambda: desk.read(job).status == "succeeded")
    assert desk.read(job).attempts == 2


def test_a_stopped_supervisor_lets_the_job_in_hand_finish_and_leaves_nothing_running(settings, desk):
    job = desk.submit(frames=400)
    process = subprocess.Popen(
        [sys.executable, "-m", "worker.supervisor", "--queue", "batch"],
        env=settings.environment(),
        stderr=subprocess.PIPE,
    )
    deadline = time.monotonic() + PATIENCE
    while desk.read(job).status != "running":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=90)
    assert process.returncode == 0, said.decode()
    # Finished, or handed back for the next worker where the machine was too slow for that.
    assert desk.read(job).status in ("succeeded", "queued")
    assert b"Traceback" not in said


def ended(settings):
    """A supervisor that ends by itself, as a container's start would see it."""
    command = [sys.executable, "-m", "worker.supervisor", "--queue", "batch"]
    return subprocess.run(command, env=settings.environment(), capture_output=True, text=True, timeout=PATIENCE)


def test_without_a_sound_model_a_worker_says_so_and_its_supervisor_does_not_spin(settings, models_dir, tmp_path):
    folder = tmp_path / "models"
    shutil.copytree(models_dir, folder)
    weights = folder / "tiny" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-10])
    broken = settings.model_copy(update={"models_dir": folder})
    done = ended(broken)
    assert done.returncode == EXIT_CONFIGURATION
    assert "the default model cannot be served" in done.stderr
    assert done.stderr.count("started a worker") == 1
    assert "Traceback" not in done.stderr


def test_without_a_model_no_worker_is_started(settings, tmp_path):
    nothing = settings.model_copy(update={"models_dir": tmp_path, "default_model": "no-such-model"})
    done = ended(nothing)
    assert done.returncode == EXIT_CONFIGURATION
    assert "the default model cannot be served: there is no model 'no-such-model'" in done.stderr
    assert "started a worker" not in done.stderr
    assert "Traceback" not in done.stderr


def test_the_supervisor_never_loads_torch():
    program = "import sys, json, worker.supervisor; print(json.dumps([name for name in sys.modules]))"
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert not {"torch", "av", "numpy"} & set(json.loads(said.stdout))
