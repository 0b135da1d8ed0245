"""The composed system, built and brought up once for the tests of this folder, and taken down with all it made."""

import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import torch

from models.checkpoint import save_model
from models.unordered_config import UnorderedVAEConfig
from models.unordered_vae import UnorderedVAE
from tests.compose.stack import Stack, free_port, inspect, run
from tests.end_to_end.clips import drawn_faces, write_h264


@pytest.fixture(scope="session")
def own_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one small untrained model, as a user would keep their own."""
    folder = tmp_path_factory.mktemp("models")
    torch.manual_seed(0)
    model = UnorderedVAE(UnorderedVAEConfig.tiny())
    save_model(folder / "tiny", "tiny", model, data={}, statistics={}, metrics={}, card="# tiny\n\nUntrained.\n")
    # Another user reads it.
    folder.chmod(0o755)
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return folder


@pytest.fixture(scope="session")
def stack(own_models: Path) -> Iterator[Stack]:
    """The whole system with one worker container. What a test stops it starts again."""
    if "ersion" not in run("docker", "compose", "version", check=False):
        pytest.fail("these tests need `docker compose`: a Docker engine with the compose plugin")
    port = free_port()
    environment = {"TWOFOLD_PORT": str(port), "TWOFOLD_MODELS": str(own_models)}
    running = Stack(f"twofoldtest{os.getpid()}", port, environment)
    running.compose("build")
    try:
        running.compose("up", "-d")
        running.wait_until_ready()
        yield running
        parts = [container for service in ("service", "worker", "valkey") for container in running.containers(service)]
        running.compose("stop")
        codes = {inspect(part)["Name"]: inspect(part)["State"]["ExitCode"] for part in parts}
        assert set(codes.values()) == {0}, f"{codes}\n{running.compose('logs', '--tail=40')}"
    finally:
        running.compose("down", "-v", "--remove-orphans", check=False)


@pytest.fixture
def http(stack: Stack) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=stack.url, timeout=180) as client:
        yield client


@pytest.fixture(scope="session")
def face_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_h264(tmp_path_factory.mktemp("clips") / "face.mp4", drawn_faces(0, motion=0))
