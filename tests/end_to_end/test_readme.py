"""What the README tells a newcomer to type does what it says, on a running system."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.end_to_end.running import ENVIRONMENT

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.timeout(400)


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)


def test_the_commands_and_the_python_of_the_readme_work(system, curl, tmp_path):
    commands = [line.split("  #")[0] for block in blocks("sh") for line in block.splitlines()]
    typed = [line for line in commands if line and not line.startswith("make ")]
    assert len(typed) >= 4
    for line in typed:
        here = line.replace(".venv/bin/twofold", f"{sys.executable} -m twofold").replace(
            "http://127.0.0.1:8000", system.url
        )
        environment = {**ENVIRONMENT, "TWOFOLD_URL": system.url}
        command = ["bash", "-euo", "pipefail", "-c", here]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        if line.startswith("curl"):
            assert '"fit"' in done.stdout
    with np.load(tmp_path / "var" / "codes.npz", allow_pickle=False) as codes:
        assert codes["frames"].shape == (48, 64, 64, 3)
    with Image.open(tmp_path / "var" / "swap.png") as matrix:
        assert matrix.size[0] > 2 * 64

    (python,) = blocks("python")
    code = python.replace("http://127.0.0.1:8000", system.url) + "\nassert codes.dynamic.shape[0] == 48\nmodel.eval()\n"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
