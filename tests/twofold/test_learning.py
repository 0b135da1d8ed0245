"""`twofold train` and `twofold evaluate` as a shell sees them."""

import json

import pytest
import torch
from rich.progress import Progress
from safetensors.torch import save_file
from typer.main import get_command

from training.data.errors import Unreadable
from training.own import Wish
from twofold.cli import app
from twofold.learning import LearningFailed, _counting, import_checkpoint, own_folder, train_clips, train_recipe
from twofold.samples import write_face_clips

pytestmark = pytest.mark.timeout(900)


@pytest.fixture
def twofold(shell):
    def typed(folder, *arguments):
        return shell.type(*arguments, TWOFOLD_DATA_DIR=str(folder / "data"), TWOFOLD_DEVICE="cpu")

    return typed


def test_own_clips_become_a_model_that_is_served_and_measured(twofold, tmp_path):
    clips = tmp_path / "clips"
    write_face_clips(clips, count=6)
    done = twofold(tmp_path, "train", "--clips", clips, "--name", "mine", "--steps", "2")
    assert done.returncode == 0, done.stderr
    assert "mine is in" in " ".join(done.stdout.split())
    assert "6 videos, 6 clips, 288 frames (48 to 48 a clip)" in " ".join(done.stdout.split())

    listed = twofold(tmp_path, "models", "--local", "--json")
    assert "mine" in {model["name"] for model in json.loads(listed.stdout)}

    used = twofold(tmp_path, "encode", clips / "face_1.mp4", "--local", "--model", "mine", "--json")
    assert json.loads(used.stdout)["frames"] == 48, used.stderr

    folder = tmp_path / "data" / "models" / "mine"
    assert "dB" in (folder / "README.md").read_text()
    written = {path.name: path.read_bytes() for path in folder.iterdir()}
    measured = twofold(tmp_path, "evaluate", "mine", "--data", clips, "--quick", "--json")
    assert measured.returncode == 0, measured.stderr
    numbers = json.loads(measured.stdout)
    assert numbers["model"] == "mine"
    assert (
        numbers["metrics"]["reconstruction_psnr_db"]
        == json.loads(written["config.json"])["metrics"]["reconstruction_psnr_db"]
    )
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == written, "a first look is not written"

    other = twofold(tmp_path, "train", "--clips", clips, "--name", "mine", "--steps", "3", "--resume")
    assert other.returncode == 1
    assert "steps" in other.stderr
    assert "Traceback" not in other.stderr


def test_a_machine_that_trains_is_told_of_the_model_alone(twofold, tmp_path):
    clips = tmp_path / "clips"
    write_face_clips(clips, count=2)
    done = twofold(tmp_path, "train", "--clips", clips, "--name", "mine", "--steps", "1", "--json")
    assert done.returncode == 0, done.stderr
    told, folder = json.loads(done.stdout), tmp_path / "data" / "models" / "mine"
    config = json.loads((folder / "config.json").read_text())
    assert (told["folder"], told["name"], told["digest"]) == (str(folder), "mine", config["digest"])
    assert "2 videos" in done.stderr, "what was found is beside it"


def test_a_folder_without_videos_is_told(twofold, tmp_path):
    (tmp_path / "empty").mkdir()
    done = twofold(tmp_path, "train", "--clips", tmp_path / "empty", "--name", "mine")
    assert done.returncode == 1
    assert "empty" in done.stderr
    assert "Traceback" not in done.stderr


def test_every_video_counts_on_the_bar_also_one_that_cannot_be_read(tmp_path):
    def read(path, size):
        if path.name == "broken.mp4":
            raise Unreadable("cannot be used")
        return path.name

    with Progress(disable=True) as bar:
        counted = _counting(read, bar, videos=3)
        (task,) = bar.tasks
        assert (task.completed, task.total, task.visible) == (0, 3, True)
        assert counted(tmp_path / "whole.mp4", 64) == "whole.mp4"
        with pytest.raises(Unreadable):
            counted(tmp_path / "broken.mp4", 64)
        assert (task.completed, task.visible) == (2, True)
        counted(tmp_path / "last.mp4", 64)
        assert (task.completed, task.visible) == (3, False), "there is nothing left to wait for"


def test_control_c_while_videos_are_read_leaves_nothing(tmp_path, monkeypatch):
    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    write_face_clips(tmp_path / "clips", count=2)
    monkeypatch.setenv("TWOFOLD_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr("worker.learn.square_video", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train_clips(tmp_path / "clips", Wish(name="mine"))
    assert not (tmp_path / "data" / "models").exists()
    assert not (tmp_path / "data" / "runs").exists()


def test_a_name_that_has_a_model_is_refused_before_any_video_is_read(tmp_path, monkeypatch):
    class Read(Exception):
        """A video has been opened."""

    def read(*arguments, **options):
        raise Read

    write_face_clips(tmp_path / "clips", count=2)
    monkeypatch.setenv("TWOFOLD_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr("worker.learn.square_video", read)
    (tmp_path / "data" / "models" / "mine").mkdir(parents=True)
    (tmp_path / "data" / "models" / "mine" / "config.json").write_text("{}")
    with pytest.raises(LearningFailed, match=r"a model called mine already.*--replace"):
        train_clips(tmp_path / "clips", Wish(name="mine"))
    arguments = ["train", "--clips", str(tmp_path / "clips"), "--name", "mine", "--replace"]
    with pytest.raises(Read):
        get_command(app)(arguments, standalone_mode=False)


def test_a_drnet_of_the_authors_code_is_imported_and_served(twofold, shared_data, tmp_path, monkeypatch):
    shapes = json.loads((shared_data / "drnet_reference" / "state_dicts.json").read_text())
    tensors = {
        f"{part}.{name}": torch.full(shape, 0.01)
        for part in ("content_encoder", "pose_encoder", "decoder")
        for name, shape in shapes[f"dcgan_64.{part}"].items()
    }
    save_file(tensors, tmp_path / "theirs.safetensors")
    done = twofold(tmp_path, "import-drnet", tmp_path / "theirs.safetensors", "--name", "theirs", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["name"] == "theirs"
    listed = twofold(tmp_path, "models", "--local", "--json")
    (found,) = [model for model in json.loads(listed.stdout) if model["name"] == "theirs"]
    assert (found["family"], found["static_dim"], found["dynamic_dim"]) == ("drnet", 128, 10)

    write_face_clips(tmp_path, count=1)
    used = twofold(tmp_path, "encode", tmp_path / "face_1.mp4", "--local", "--model", "theirs", "--json")
    assert json.loads(used.stdout)["frames"] == 48, used.stderr

    refused = twofold(tmp_path, "import-drnet", tmp_path / "face_1.mp4", "--name", "film")
    assert refused.returncode == 1
    assert "Traceback" not in refused.stderr

    monkeypatch.setenv("TWOFOLD_DATA_DIR", str(tmp_path / "data"))
    served = tmp_path / "data" / "models" / "theirs" / "config.json"
    first = json.loads(served.read_text())
    with pytest.raises(LearningFailed, match=r"a model called theirs already.*--replace"):
        import_checkpoint(tmp_path / "theirs.safetensors", "theirs", unit_pose=True)
    assert json.loads(served.read_text()) == first
    import_checkpoint(tmp_path / "theirs.safetensors", "theirs", unit_pose=True, replace=True)
    assert json.loads(served.read_text())["network"]["unit_pose"] is True


@pytest.mark.parametrize("name", ["../outside", "a/b", "", ".hidden", "größe", "_mine", "a" * 65])
def test_a_name_that_is_no_folder_or_would_not_be_served_is_refused(name):
    with pytest.raises(LearningFailed, match="a model's name is"):
        own_folder(name)


@pytest.mark.parametrize("name", ["faces-vae", "Sprites-VAE"])
def test_a_shipped_models_name_is_taken(name):
    with pytest.raises(LearningFailed, match=f"a model called {name} already, a shipped one; choose another"):
        own_folder(name)


def test_neither_own_clips_nor_an_import_take_a_shipped_models_place(twofold, tmp_path):
    write_face_clips(tmp_path / "clips", count=2)
    (tmp_path / "theirs.safetensors").write_bytes(b"")
    for asked in (["train", "--clips", tmp_path / "clips"], ["import-drnet", tmp_path / "theirs.safetensors"]):
        done = twofold(tmp_path, *asked, "--name", "faces-vae")
        assert done.returncode == 1
        assert "a model called faces-vae already" in " ".join(done.stderr.split())
    assert not (tmp_path / "data" / "models").exists()


def test_a_recipe_that_is_only_tried_leaves_the_shipped_model_in_its_place(monkeypatch, tmp_path):
    begun = []
    monkeypatch.setattr("twofold.learning._run", lambda recipe, *where: begun.append((recipe.name, recipe.steps)))
    train_recipe("sprites_vae_again", None, steps=3)
    train_recipe("sprites_vae_again", None)
    assert begun == [("sprites-vae-trial", 3), ("sprites-vae", 9000)]


def test_a_refused_name_is_one_line(twofold, tmp_path):
    (tmp_path / "weights.safetensors").write_bytes(b"")
    done = twofold(tmp_path, "import-drnet", tmp_path / "weights.safetensors", "--name", "../outside")
    assert done.returncode == 1
    assert "a model's name is" in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
