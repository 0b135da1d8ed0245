"""The whole system, started as `make run` starts it, for the tests of this folder."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pytest

from tests.end_to_end.clips import drawn_faces, write_h264
from tests.end_to_end.running import MODELS, System, start, stop, wait_until_ready


@pytest.fixture(scope="session")
def system() -> Iterator[System]:
    """One running system for every test that does not stop it."""
    with TemporaryDirectory(prefix="twofold-") as folder:
        data_dir = Path(folder) / "data"
        data_dir.mkdir()
        if MODELS:
            shutil.copytree(MODELS, data_dir / "models")
        running = start(data_dir, Path(folder) / "log")
        try:
            yield wait_until_ready(running)
            assert stop(running) == 0, running.said()
        finally:
            if running.process.poll() is None:
                running.process.kill()


@pytest.fixture
def http(system: System) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=system.url, timeout=120) as client:
        yield client


@pytest.fixture(scope="session")
def face_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_h264(tmp_path_factory.mktemp("clips") / "face.mp4", drawn_faces(0, motion=0))
