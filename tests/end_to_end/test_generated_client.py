"""A client that a generator makes from `/openapi.json` works, with nothing of Twofold's beside it."""

import json
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from tests.conftest import DATA_REQUIRED
from tests.end_to_end.running import System

pytestmark = pytest.mark.timeout(400)
GENERATOR = "openapi-python-client >= 0.29, < 0.30"


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The commands of an environment of the generator's own: it and Twofold do not want the same releases."""
    folder = tmp_path_factory.mktemp("generator")
    venv.create(folder)
    ours = [sys.executable, "-m", "pip", "--python", folder / "bin" / "python"]
    done = subprocess.run([*ours, "install", "-q", GENERATOR, "ruff"], capture_output=True, text=True, timeout=240)
    if done.returncode:
        reason = f"the generator cannot be installed here: {done.stderr[-300:]}"
        pytest.fail(reason) if DATA_REQUIRED else pytest.skip(reason)
    return folder / "bin"


def test_a_generated_client_encodes_swaps_and_reads_problems(
    system: System, face_clip: Path, tools: Path, tmp_path: Path
) -> None:
    made = tmp_path / "client"
    command = [tools / "openapi-python-client", "generate", "--url", f"{system.url}/openapi.json"]
    said = subprocess.run(
        [*command, "--output-path", made, "--fail-on-warning"],
        capture_output=True,
        text=True,
        timeout=120,
        env={"PATH": str(tools)},
    )
    assert said.returncode == 0, said.stdout + said.stderr
    used = subprocess.run(
        [tools / "python", Path(__file__).with_name("generated.py"), system.url, face_clip],
        capture_output=True,
        text=True,
        timeout=120,
        env={"PYTHONPATH": str(made)},
    )
    assert used.returncode == 0, used.stderr
    told = json.loads(used.stdout)
    assert {"faces-vae", "sprites-vae"} <= set(told["models"])
    config = json.loads((Path("models/zoo/faces-vae/config.json")).read_text())["network"]
    assert told["static"] == config["static_dim"]
    assert told["dynamic"][1] == config["dynamic_dim"]
    assert told["dynamic"][0] == 16  # frames of the clip
    assert told["swap"]["model"] == "faces-vae"
    assert told["problem"]["status"] == 404
    assert told["problem"]["type"].endswith("unknown-model")
