"""The command line as a shell sees it: exit codes, and one readable line for each failure."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

NOWHERE = "http://127.0.0.1:9"  # the discard port, where nothing listens


def twofold(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "twofold", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={"COLUMNS": "80", **environment})


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    from PIL import Image

    path = tmp_path / "clip.png"
    Image.new("RGB", (64, 64), "red").save(path)
    return path


def test_help_fits_a_screen_and_names_every_command():
    done = twofold("--help")
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) <= 40
    for command in ("up", "serve", "worker", "encode", "swap", "grid", "train", "evaluate", "models", "samples"):
        assert f"│ {command} " in done.stdout


def test_help_loads_neither_torch_nor_the_http_client():
    code = (
        "import sys; from twofold.cli import app; app(['--help'], standalone_mode=False); "
        "sys.exit(str({'torch', 'httpx', 'pydantic', 'numpy'} & set(sys.modules) or 0).replace('0', ''))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""


def test_a_server_that_is_not_there_is_told_with_code_4(picture):
    done = twofold("encode", picture, "--url", NOWHERE)
    assert done.returncode == 4
    assert "twofold up" in done.stderr
    assert "Traceback" not in done.stderr


def test_for_machines_a_failure_is_json(picture):
    done = twofold("encode", picture, "--url", NOWHERE, "--json")
    assert json.loads(done.stderr)["title"] == "ServerUnreachable"


def test_the_server_may_be_named_by_the_environment(picture):
    done = twofold("encode", picture, TWOFOLD_URL=NOWHERE)
    assert NOWHERE in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["encode", "no-such-file.mp4"], "does not exist"),
        (["encode", __file__, "-o", "codes.txt"], ".npz"),
        (["encode", __file__, "-o", "no/such/folder/codes.npz"], "no such folder"),
        (["train"], "RECIPE"),
        (["train", "faces_vae", "--clips", "."], "either"),
        (["train", "--clips", "."], "--name"),
        (["grid", "--seed", "1", "--job", "x"], "one identity"),
        (["grid", "--size", "99"], "31"),
        (["swap", "-s", __file__], "dynamic"),
        (["no-such-command"], "No such command"),
    ],
)
def test_wrong_usage_is_told_with_code_2(arguments, said):
    done = twofold(*arguments)
    assert done.returncode == 2
    assert said in " ".join(done.stderr.replace("│", " ").split())


def test_a_wrong_setting_is_told_by_its_name():
    done = twofold("up", TWOFOLD_LEASE_SECONDS="soon")
    assert done.returncode == 1
    assert "TWOFOLD_LEASE_SECONDS" in done.stderr
    assert "Traceback" not in done.stderr


def test_up_refuses_an_address_that_others_reach():
    done = twofold("up", "--host", "0.0.0.0")
    assert done.returncode == 1
    assert "--insecure" in done.stderr


def test_an_unknown_recipe_is_told_with_those_there_are():
    done = twofold("train", "no_such_recipe")
    assert done.returncode == 1
    assert "sprites_vae" in done.stderr
    assert "Traceback" not in done.stderr


def test_samples_are_written_and_named(tmp_path):
    done = twofold("samples", tmp_path / "clips", "--count", "1")
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).read_bytes()[4:8] == b"ftyp"
