"""The command line as a shell sees it: exit codes, and one readable line for each failure."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command

from twofold.cli import app
from twofold.results import unpack
from twofold.samples import write_face_clips

NOWHERE = "http://127.0.0.1:9"  # the discard port, where nothing listens


@pytest.fixture
def twofold(shell):
    return shell.type


def test_help_fits_a_screen_and_names_every_command(twofold):
    done = twofold("--help")
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) <= 40
    asking = ("encode", "swap", "grid", "predict", "sample", "interpolate", "decode")
    for command in ("up", "serve", "worker", "config", *asking, "train", "evaluate", "models", "samples"):
        assert f"│ {command} " in done.stdout


def test_help_loads_neither_torch_nor_the_http_client():
    code = (
        "import sys; from twofold.cli import app; app(['--help'], standalone_mode=False); "
        "sys.exit(str({'torch', 'httpx', 'pydantic', 'numpy'} & set(sys.modules) or 0).replace('0', ''))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""


def test_wrong_usage_is_told_without_loading_the_http_client():
    code = (
        "import atexit, sys; sys.argv = ['twofold', 'grid', '--size', '99']; from twofold.cli import main; "
        "atexit.register(lambda: print(sorted({'torch', 'httpx'} & set(sys.modules)))); main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "[]\n"), done.stderr


def test_a_server_that_is_not_there_is_told_with_code_4(twofold, picture):
    done = twofold("encode", picture, "--url", NOWHERE)
    assert done.returncode == 4
    assert "twofold up" in done.stderr
    assert "Traceback" not in done.stderr


def test_for_machines_a_failure_is_json(twofold, picture):
    done = twofold("encode", picture, "--url", NOWHERE, "--json")
    assert json.loads(done.stderr)["title"] == "ServerUnreachable"


def test_the_server_may_be_named_by_the_environment(twofold, picture):
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
        (["train", "--clips", ".", "--name", "mine", "--data", "."], "--data"),
        (["train", "--clips", ".", "--name", "mine", "--minutes", "inf"], "--minutes"),
        (["train", "faces_vae", "--name", "mine"], "--name"),
        (["train", "faces_vae", "--minutes", "3", "--crop", "face"], "--crop, --minutes"),
        (["train", "faces_vae", "--family", "drnet", "--static-dim", "8", "--dynamic-dim", "2", "--replace"], "-dim"),
        (["grid", "--seed", "1", "--job", "x"], "one identity"),
        (["grid", "--size", "99"], "31"),
        (["swap", "-s", __file__], "dynamic"),
        (["predict"], "--job"),
        (["predict", __file__, "--observe", "1"], "2"),
        (["sample", "--clip", __file__, "--job", "x"], "one of --clip and --job"),
        (["sample", "--identities", "9"], "8"),
        (["interpolate", "x"], "Missing argument 'last'"),
        (["interpolate", "no-such-file.mp4", "x"], "neither a file nor the id of a job"),
        (["interpolate", "x", "y", "--part", "all"], "both"),
        (["decode", __file__], "no codes that can be read"),
        (["no-such-command"], "No such command"),
    ],
)
def test_wrong_usage_is_told_with_code_2(twofold, arguments, said):
    done = twofold(*arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.startswith("twofold: ")
    assert done.stderr.count("\n") == 1  # one readable line,
    assert " --help` says what there is" in done.stderr  # and where to go on
    assert not done.stdout


def test_for_machines_wrong_usage_is_json_too(twofold):
    done = twofold("grid", "--size", "99", "--json")
    assert done.returncode == 2
    assert "31" in json.loads(done.stderr)["detail"]


def test_nothing_asked_shows_help(twofold):
    done = twofold()
    assert (done.returncode, done.stderr) == (2, "")
    assert "encode" in done.stdout


def test_a_shell_completes_commands_options_and_models():
    def completed(words: str) -> list[str]:
        said = {"_TWOFOLD_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
        code = "import sys; sys.argv = ['twofold']; from twofold.cli import main; main()"
        return subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"COLUMNS": "80", **said}
        ).stdout.split()

    assert completed("twofold enc") == ["encode"]
    assert completed("twofold swap --transfer ") == ["raw", "prior"]
    assert "--max-frames" in completed("twofold encode --m")
    assert "faces-vae" in completed("twofold encode --model ")


def test_a_wrong_setting_is_told_by_its_name(twofold):
    done = twofold("up", TWOFOLD_LEASE_SECONDS="soon")
    assert done.returncode == 1
    assert "TWOFOLD_LEASE_SECONDS" in done.stderr
    assert "Traceback" not in done.stderr


def test_up_refuses_an_address_that_others_reach(twofold):
    done = twofold("up", "--host", "0.0.0.0")
    assert done.returncode == 1
    assert "--insecure" in done.stderr


def test_codes_that_one_command_wrote_are_pictures_by_another(twofold, tmp_path, models_dir):
    """Samples are drawn, their codes decoded again, and one of them gives the other's frames."""
    here = {"TWOFOLD_MODELS_DIR": str(models_dir), "TWOFOLD_DATA_DIR": str(tmp_path), "TWOFOLD_DEFAULT_MODEL": "mine"}
    done = twofold("sample", "--local", "--frames", "3", "-o", tmp_path / "s.npz", "--json", **here)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["seed"], said["frames"], said["written"]) == (0, 3, [str(tmp_path / "s.npz")])
    codes = {"static": said["static"][0], "dynamic": said["dynamic"][0]}
    (tmp_path / "codes.json").write_text(json.dumps(codes))
    done = twofold("decode", tmp_path / "codes.json", "--local", "-o", tmp_path / "d.npz", **here)
    assert done.returncode == 0, done.stderr
    drawn, again = (unpack((tmp_path / name).read_bytes()) for name in ("s.npz", "d.npz"))
    assert (drawn["frames"][0] == again["frames"]).all()
    (tmp_path / "codes.json").write_text(json.dumps({"dynamic": codes["dynamic"]}))
    done = twofold("decode", tmp_path / "codes.json", "--local", **here)
    assert done.returncode == 2
    assert "no static code" in done.stderr


def test_a_clip_is_continued_and_a_path_is_drawn_between_frames(twofold, tmp_path, models_dir):
    here = {"TWOFOLD_MODELS_DIR": str(models_dir), "TWOFOLD_DATA_DIR": str(tmp_path), "TWOFOLD_DEFAULT_MODEL": "moving"}
    (clip,) = write_face_clips(tmp_path, 1)
    done = twofold("predict", clip, "--local", "--observe", "4", "--frames", "3", "-o", tmp_path / "f.png", **here)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "f.png").read_bytes().startswith(b"\x89PNG")
    assert "observed  4" in done.stdout
    ends = ["--first-frame", "0", "--last-frame", "9", "--steps", "4"]
    done = twofold("interpolate", clip, clip, *ends, "--local", "--json", **here)
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["dynamic"]) == 4


def test_an_unknown_recipe_is_told_with_those_there_are(twofold):
    done = twofold("train", "no_such_recipe")
    assert done.returncode == 1
    assert "sprites_vae" in done.stderr
    assert "Traceback" not in done.stderr


def test_samples_are_written_and_named(twofold, tmp_path):
    done = twofold("samples", tmp_path / "clips", "--count", "1")
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).read_bytes()[4:8] == b"ftyp"
    again = twofold("samples", tmp_path / "clips", "--count", "1", "--json")
    assert json.loads(again.stdout) == [done.stdout.strip()]


def test_every_command_that_answers_does_so_in_json_too():
    """All but those that run until they are stopped."""

    every = dict(get_command(app).commands)
    every |= every.pop("keys").commands
    without = {name for name, one in every.items() if not any("--json" in option.opts for option in one.params)}
    assert without == {"up", "serve", "worker"}
