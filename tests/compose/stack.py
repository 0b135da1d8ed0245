"""`docker compose` as a test drives it: a project of its own, on a port of its own."""

import json
import os
import socket
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parent.parent.parent
READY_WITHIN = 240.0  # seconds; several workers that load torch at once on two cores take most of them


@dataclass(frozen=True)
class Stack:
    """One composed project."""

    project: str
    port: int
    environment: Mapping[str, str]
    overrides: tuple[str, ...] = ()  # files beside docker-compose.yml
    queues: tuple[str, ...] = ("interactive", "batch")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def compose(self, *arguments: str, check: bool = True) -> str:
        files = [word for name in self.overrides for word in ("-f", name)]
        command = ["docker", "compose", "-p", self.project, *(["-f", "docker-compose.yml", *files] if files else [])]
        return run(*command, *arguments, check=check, environment=self.environment)

    def containers(self, service: str) -> list[str]:
        return self.compose("ps", "-q", service).split()

    def inside(self, service: str, *command: str, check: bool = True) -> str:
        """What a command says in the first container of a service."""
        return run("docker", "exec", self.containers(service)[0], *command, check=check)

    def valkey(self, *command: str) -> str:
        asked = 'REDISCLI_AUTH=$(cat /run/twofold/password) exec valkey-cli "$@"'
        return self.inside("valkey", "sh", "-c", asked, "sh", *command)

    def readiness(self) -> dict[str, Any]:
        try:
            answer = httpx.get(f"{self.url}/readyz", timeout=10)
        except httpx.TransportError as error:
            return {"status": repr(error)}
        found: dict[str, Any] = answer.json()
        return found

    def wait_until_ready(self, workers: int = 1) -> None:
        """Wait until as many workers as that are warm for each queue, no more and no less."""
        deadline = time.monotonic() + READY_WITHIN
        while self.readiness().get("workers") != dict.fromkeys(self.queues, workers):
            assert time.monotonic() < deadline, f"{self.readiness()}\n{self.compose('logs', '--tail=40')}"
            time.sleep(0.5)


def run(*command: str, check: bool = True, environment: Mapping[str, str] | None = None) -> str:
    """What a command prints; what it complains of is shown when it fails."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TWOFOLD_")}
    done = subprocess.run(
        command, cwd=ROOT, env={**clean, **(environment or {})}, capture_output=True, text=True, check=False
    )
    assert not check or done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done.stdout


def inspect(name: str) -> dict[str, Any]:
    """What the engine knows of a container or a network."""
    found: list[dict[str, Any]] = json.loads(run("docker", "inspect", name))
    return found[0]


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port
