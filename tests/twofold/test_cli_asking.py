"""The commands that ask a server, as a shell sees them: failures, Ctrl-C, and the progress of a worker."""

import json
import signal
import subprocess
import sys
import threading
import time

import pytest

from jobs.errors import NoFace
from jobs.keys import KeyFile
from twofold import Client


@pytest.fixture
def twofold(shell):
    def typed(*arguments, url, **environment):
        return shell.type(*arguments, TWOFOLD_URL=url, **environment)

    return typed


def told(done: subprocess.CompletedProcess[str]) -> str:
    """What a refused command says: one line."""
    assert done.returncode == 3, done.stderr
    assert not done.stdout
    assert done.stderr.startswith("twofold: ")
    assert done.stderr.count("\n") == 1
    return done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--model", "yours"], "No such model: there is no model 'yours'; served are: digits-drnet, digits-vae, "),
        (["--stride", "0"], "stride: Input should be greater than or equal to 1"),
        (["--crop", "round"], "crop: expected none, center, face, or x,y,w,h"),
    ],
)
def test_what_the_server_refuses_is_one_line_and_code_3(twofold, server_url, picture, arguments, said):
    assert said in told(twofold("encode", picture, *arguments, url=server_url))


def test_names_of_models_are_whole_in_a_pipe_as_they_are_to_be_copied(twofold, server_url):
    listed = twofold("models", url=server_url, COLUMNS="80").stdout
    assert {"sprites-vae", "digits-drnet", "faces-drnet"} <= set(listed.split())


def test_what_is_no_media_is_told_with_what_would_be(twofold, server_url, tmp_path):
    (tmp_path / "notes.txt").write_text("no picture")
    assert "PNG" in told(twofold("encode", tmp_path / "notes.txt", url=server_url))


def test_a_key_that_has_too_many_jobs_is_told_so_after_some_patience(twofold, server_url, settings, picture):
    _, key = KeyFile(settings.own_keys_file).add("ann", 1, None)
    with Client(server_url, key=key) as client:
        client.submit_sample(seed=1)
    done = twofold("encode", picture, url=server_url, TWOFOLD_KEY=key)
    assert "This key has too many jobs" in told(done)
    assert "A key is needed" in told(twofold("encode", picture, url=server_url))


def test_a_job_that_fails_is_told_like_a_refusal(twofold, server_url, worker):
    with Client(server_url) as client:
        job = client.submit_sample(seed=1)  # the one that the command asks for, too
        worker.begin(job)
        worker.store.fail(job.id, "first", NoFace("nobody is seen"))
    said = twofold("sample", "--seed", "1", "--json", url=server_url)
    assert said.returncode == 3
    assert json.loads(said.stderr)["type"] == "/problems/no-face"
    assert "nobody is seen" in told(twofold("sample", "--seed", "1", url=server_url))


def test_control_c_tells_what_becomes_of_the_job(twofold, server_url, worker):
    process = subprocess.Popen(
        [sys.executable, "-m", "twofold", "sample", "--seed", "1", "--url", server_url],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={"COLUMNS": "80"},
        # A suite that a shell runs in the background ignores Ctrl-C, and so would what it starts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    with Client(server_url) as client:
        deadline = time.monotonic() + 30
        while not (jobs := list(client.jobs())):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=30)
        assert (process.returncode, stdout) == (130, "")
        assert f"`twofold jobs --cancel {jobs[0].id}` stops it" in stderr
        assert stderr.count("\n") == 1
        assert client.job(jobs[0]).status == "queued"
    listed = twofold("jobs", url=server_url)
    assert jobs[0].id in listed.stdout  # whole, to be copied
    assert "canceled" in twofold("jobs", "--cancel", jobs[0].id, url=server_url).stdout


def test_a_terminal_sees_the_stages_as_they_are_told(server_url, worker):
    import pty

    near, far = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "twofold", "sample", "--seed", "1", "--url", server_url],
        stdout=subprocess.DEVNULL,
        stderr=far,
        env={"COLUMNS": "100", "TERM": "xterm"},
    )
    seen = bytearray()

    def read() -> None:
        import os

        while b"drawing" not in seen:
            seen.extend(os.read(near, 4096))

    with Client(server_url) as client:
        deadline = time.monotonic() + 30
        while not (jobs := list(client.jobs())):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        thread = threading.Thread(target=read, daemon=True)
        thread.start()
        time.sleep(1)
        worker.begin(jobs[0])
        worker.store.beat(jobs[0].id, "first", 0.42, "drawing")
        thread.join(20)
        client.cancel(jobs[0])
        worker.store.acknowledge_cancel(jobs[0].id, "first")
    assert process.wait(30) == 3
    said = seen.decode(errors="replace")
    assert "number 1 in the queue" in said
    assert "sample: drawing" in said
