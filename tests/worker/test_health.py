"""The health check of a worker's container: warm workers of this machine, for every queue."""

import socket

import pytest
import redis

from jobs.workers import WarmWorker, announce
from worker.health import main


@pytest.fixture
def announcing(redis_url, monkeypatch):
    monkeypatch.setenv("TWOFOLD_REDIS_URL", redis_url)
    connection = redis.Redis.from_url(redis_url)

    def say(host: str, queue: str) -> None:
        announce(connection, WarmWorker(f"{host}.{queue}.1.ab", queue, "cpu", {}), 10)

    return say


def test_a_machine_is_healthy_when_each_queue_has_a_warm_worker_of_its_own(announcing, capsys):
    here = socket.gethostname()
    announcing(here, "batch")
    announcing(f"{here}2", "interactive")
    assert main([]) == 1
    assert capsys.readouterr().out == "no warm worker here for interactive\n"
    assert main(["--queue", "batch"]) == 0
    announcing(here, "interactive")
    assert main([]) == 0


def test_no_redis_is_told(monkeypatch, capsys):
    assert main([]) == 1
    assert "TWOFOLD_REDIS_URL is not set" in capsys.readouterr().err
    monkeypatch.setenv("TWOFOLD_REDIS_URL", "redis://127.0.0.1:1")
    assert main([]) == 1
    assert "Redis does not answer" in capsys.readouterr().err
