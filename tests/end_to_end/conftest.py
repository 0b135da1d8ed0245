"""What the tests of the whole system ask it with."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.conftest import DATA_REQUIRED
from tests.end_to_end.clips import drawn_faces, write_h264
from tests.end_to_end.running import System


@pytest.fixture(scope="session")
def curl() -> None:
    """The command that the pages type. Twofold runs without it; where everything must be tried it has to be there."""
    if shutil.which("curl") is None:
        reason = "there is no curl on PATH, which the pages' examples use"
        pytest.fail(reason) if DATA_REQUIRED else pytest.skip(reason)


@pytest.fixture
def http(system: System) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=system.url, timeout=120) as client:
        yield client


@pytest.fixture(scope="session")
def face_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_h264(tmp_path_factory.mktemp("clips") / "face.mp4", drawn_faces(0, motion=0))
