"""A folder of videos becomes a model folder, and what cannot be used is named."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from models.checkpoint import load_model
from models.disentangler import Disentangler
from models.unordered_config import UnorderedVAEConfig
from service.forms import TRAIN_FIELDS
from training.data.errors import DataError
from training.data.pool import ClipPool
from training.data.sides import Sides
from training.data.videos import (
    LEAST_STRETCH,
    LEAST_STRETCHES,
    SquareVideo,
    cut_alone,
    find_videos,
    read_videos,
    split_clips,
)
from training.errors import NonFiniteLoss, NothingLearnt, ResumeMismatch
from training.held_out import HeldOut
from training.loop import Terms, Trained
from training.objectives import objective_of
from training.own import Wish, train_own
from training.recipes import RECIPES, own_clips
from training.run import RunFolder
from training.sources import Source, clips_source
from training.train import Listener, Places, find_recipe, run_on, shortened, told, trial

WHOLE = Trained(10, 10)


def write_clip(path: Path, shade: int, frames: int = 8, size: tuple[int, int] = (96, 80)) -> None:
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for index in range(frames):
            picture = np.full((size[1], size[0], 3), shade, np.uint8)
            picture[:, 8 * index : 8 * index + 16] = 255 - shade
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


def places(folder: Path) -> Places:
    return Places(runs=folder / "runs", models=folder / "models", device="cpu")


def test_a_folder_of_clips_becomes_a_model_that_loads(tmp_path: Path, read) -> None:
    clips = tmp_path / "clips"
    clips.mkdir()
    for index in range(4):
        write_clip(clips / f"{index}.mp4", shade=40 * index)
    recipe = replace(shortened(own_clips(), 3), name="mine", network=UnorderedVAEConfig.tiny(), batch=2)
    folder = run_on(clips_source(clips, 4, read), recipe, places(tmp_path), resume=False, listener=Listener())
    loaded = load_model(folder)
    assert loaded.name == "mine"
    assert len(loaded.statistics["fit"]["psnr_db"]) == 101
    assert sorted(loaded.statistics["dynamic"]["order"]) == [0, 1]
    assert not np.allclose(loaded.model.get_buffer("static_factor"), np.eye(loaded.model.static_dim)), "it is kept"
    first, second = (np.linalg.norm(axis) for axis in loaded.statistics["dynamic"]["axes"])
    assert first >= second
    card = (folder / "README.md").read_text()
    assert "4 own clips" in card
    assert "3 train, 1 held out" in card
    assert "The best weights were chosen on these same clips" in card
    sides = Sides.stated(loaded.config)
    assert sides is not None
    assert sorted(sides.training | sides.held_out) == ["0.mp4", "1.mp4", "2.mp4", "3.mp4"]
    assert len(sides.held_out) == 1

    write_clip(clips / "00.mp4", shade=200)
    (clips / "3.mp4").unlink()
    with pytest.raises(
        ResumeMismatch, match=r"other clips \(gone or changed since then: 3.mp4; new since then: 00.mp4"
    ):
        run_on(clips_source(clips, 4, read), recipe, places(tmp_path), resume=True, listener=Listener())


@pytest.mark.parametrize(
    ("ending", "taken", "row"),
    [
        ("the last step", (6, 4), "6 steps of 2 clips × 3 frames, the weights after step 4 kept"),
        ("no better for two looks", (4, 2), "4 steps (at most 6) of 2 clips × 3 frames, the weights after step 2 kept"),
        ("a cancel", (3, 3), "3 steps (at most 6) of 2 clips × 3 frames"),
    ],
)
def test_a_card_tells_the_steps_that_were_taken_and_whose_weights_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str, taken: tuple[int, int], row: str
) -> None:
    scores = {
        "the last step": [1.0, 2.0, 3.0, 4.0, 3.5, 3.5],
        "no better for two looks": [20.0, 22.0, 21.0, 20.0],
        "a cancel": [1.0, 2.0, 3.0],
    }[ending]
    left, steps = iter(scores), list[int]()
    monkeypatch.setattr(HeldOut, "__call__", lambda self, model: {"reconstruction_psnr": next(left)})
    recipe = replace(
        shortened(own_clips(), 6), name="mine", network=UnorderedVAEConfig.tiny(), batch=2, measure_every=1, patience=2
    )
    frames = torch.arange(200, dtype=torch.uint8)[: 4 * 5].reshape(4, 5, 1, 1, 1).expand(-1, -1, 64, 64, 3)
    pool = ClipPool.of_equal_clips(frames)
    source = Source(pool, pool, {"name": "greys", "source": "this test", "licence": "none needed", "split": "none"})
    listener = Listener(
        on_step=lambda step, terms, speed: steps.append(step),
        enough=lambda: ending == "a cancel" and len(steps) == 3,
    )
    folder = run_on(source, recipe, places(tmp_path), resume=False, listener=listener)
    stated = load_model(folder).config["training"]
    assert (stated["steps"], stated["kept_step"]) == taken
    assert stated["steps_at_most"] == 6
    assert f"| training | {row}, Adam" in (folder / "README.md").read_text()


def test_a_run_whose_loss_fails_leaves_the_best_model_by_then_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = replace(
        shortened(own_clips(), 6), name="mine", network=UnorderedVAEConfig.tiny(), batch=2, measure_every=2, patience=2
    )
    fails_after = 3

    def broken(model: Disentangler, frames: torch.Tensor, progress: float) -> Iterator[Terms]:
        for terms in objective_of(recipe)(model, frames, progress):
            yield Terms(terms.loss * (torch.nan if round(6 * progress) == fails_after else 1), terms.shown)

    monkeypatch.setattr("training.train.objective_of", lambda recipe: broken)
    pool = ClipPool.of_equal_clips(torch.full((3, 5, 64, 64, 3), 90, dtype=torch.uint8))
    source = Source(pool, pool, {"name": "greys", "source": "this test", "licence": "none needed", "split": "none"})
    found: list[str] = []
    listener = Listener(on_found=found.append)
    folder = run_on(source, recipe, places(tmp_path), resume=False, listener=listener)
    assert found[0].startswith("training ended early: the loss is not finite at step 3 (")
    assert found[0].endswith("; the model is that of step 2")
    stated = load_model(folder).config["training"]
    assert (stated["steps"], stated["kept_step"]) == (3, 2)
    assert stated["failed"] in (folder / "README.md").read_text()
    fails_after = 1
    with pytest.raises(NonFiniteLoss, match="look for broken clips"):
        run_on(source, replace(recipe, name="none"), places(tmp_path), resume=False, listener=listener)
    assert not (tmp_path / "models" / "none").exists(), "there was no look by then"


def test_a_run_that_is_ended_before_its_first_step_makes_no_model(tmp_path: Path) -> None:
    pool = ClipPool.of_equal_clips(torch.zeros(3, 5, 64, 64, 3, dtype=torch.uint8))
    recipe = replace(own_clips(), name="mine", network=UnorderedVAEConfig.tiny())
    with pytest.raises(NothingLearnt, match="before its first step"):
        run_on(
            Source(pool, pool, {}),
            recipe,
            places(tmp_path),
            resume=False,
            listener=Listener(enough=lambda: True),
        )
    assert not (tmp_path / "models").exists()
    assert RunFolder(tmp_path / "runs" / "mine").best() is None


def test_broken_and_short_files_are_left_out_by_name_and_the_rest_is_used(tmp_path: Path, read) -> None:
    write_clip(tmp_path / "good.mp4", 30)
    write_clip(tmp_path / "short.mp4", 30, frames=2)
    (tmp_path / "broken.mp4").write_bytes(b"not a video at all" * 50)
    found = read_videos(find_videos(tmp_path), size=64, min_frames=3, read=read)
    assert found.names == ["good.mp4"]
    assert found.clips[0].shape == (8, 64, 64, 3)
    assert "2 frames, training needs 3" in found.left_out["short.mp4"]
    assert "cannot be used: the file's content is none of" in found.left_out["broken.mp4"]


def test_real_clips_are_read_whole(shared_data: Path, read) -> None:
    folder = shared_data / "videos" / "signers"
    found = read_videos(find_videos(folder), size=64, min_frames=3, read=read)
    assert dict(zip(found.names, map(len, found.clips), strict=True)) == {
        "book.mkv": 109,
        "eat.mkv": 47,
        "learn.mkv": 61,
        "milk.mkv": 51,
        "night.mkv": 68,
        "please.mkv": 73,
    }


def test_damaged_videos_are_left_out_with_the_reason_and_not_as_far_as_they_go(
    shared_data: Path, tmp_path: Path, read
) -> None:
    whole = (shared_data / "videos" / "signers" / "book.mkv").read_bytes()
    (tmp_path / "whole.mkv").write_bytes(whole)
    (tmp_path / "cut.mkv").write_bytes(whole[: len(whole) // 3])
    flipped = np.frombuffer(whole, np.uint8).copy()
    flipped[len(whole) // 2 :][:400] ^= 0x5A
    (tmp_path / "flipped.mkv").write_bytes(flipped.tobytes())
    indexed = shared_data / "videos" / "invalid" / "truncated_with_index.mp4"
    (tmp_path / "indexed.mp4").write_bytes(indexed.read_bytes())
    (tmp_path / "folder.mp4").mkdir()
    found = read_videos(find_videos(tmp_path), size=64, min_frames=3, read=read)
    assert found.names == ["whole.mkv"]
    assert "the file is cut off" in found.left_out["cut.mkv"]
    assert "broken or cut off after" in found.left_out["flipped.mkv"]
    assert "broken or cut off after 9 good frames" in found.left_out["indexed.mp4"]
    assert "cannot be opened: Is a directory" in found.left_out["folder.mp4"]


def test_one_clip_is_too_few_and_no_clip_too(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no videos in"):
        find_videos(tmp_path)
    with pytest.raises(DataError, match="is not a folder"):
        find_videos(tmp_path / "nowhere")
    with pytest.raises(DataError, match="at least 2"):
        split_clips(["a.mp4"])


def test_a_clip_that_is_alone_is_cut_into_stretches_if_it_is_long(tmp_path: Path, read) -> None:
    write_clip(tmp_path / "short.mp4", shade=30, frames=119)
    with pytest.raises(DataError, match="or a single one of at least 120 frames"):
        clips_source(tmp_path, 4, read)
    (tmp_path / "short.mp4").unlink()
    write_clip(tmp_path / "long.mp4", shade=30, frames=200)
    found = cut_alone(read_videos(find_videos(tmp_path), 64, 6, read))
    assert found.names == [f"long.mp4, stretch {number}" for number in range(1, 6)]
    assert [len(clip) for clip in found.clips] == [40] * 5
    source = clips_source(tmp_path, 4, read)
    assert (len(source.training), len(source.held_out)) == (4, 1)
    assert "all are stretches of one video" in source.card["split"]
    assert any("numbers flatter the model" in line for line in source.found)
    assert not any("near-duplicates" in line or "scenes" in line for line in source.found)
    write_clip(tmp_path / "other.mp4", shade=90)
    again = clips_source(tmp_path, 4, read, source.sides)
    assert again.sides == source.sides, "as it was cut then, whatever has been added since"
    assert torch.equal(again.held_out.clip(0), source.held_out.clip(0))
    both = clips_source(tmp_path, 4, read)
    assert {*both.sides.training, *both.sides.held_out} == {"long.mp4", "other.mp4"}, "not alone any more"
    (tmp_path / "other.mp4").unlink()
    with pytest.raises(DataError, match="none is in the folder"):
        clips_source(tmp_path, 4, read, both.sides)


def test_the_page_and_the_contract_say_how_long_a_clip_that_is_alone_must_be() -> None:
    frames, service = LEAST_STRETCHES * LEAST_STRETCH, Path(__file__).parents[2] / "service"
    page = (service.parent / "docs" / "data.md").read_text()
    assert f"at least {frames} frames will do" in page
    assert f"cut into stretches of {LEAST_STRETCH} or more" in page
    assert f"needs {frames} frames or more" in TRAIN_FIELDS["clips"]["description"]
    assert f"const LONG = {frames};" in (service / "web" / "view_train.js").read_text()


def test_drnet_needs_two_clips_to_learn_from_which_is_said_before_anything_is_timed(tmp_path: Path, read) -> None:
    for name in ("a", "b"):
        write_clip(tmp_path / f"{name}.mp4", shade=30 + 50 * (name == "b"))
    stages: list[str] = []
    places = Places(runs=tmp_path / "runs", models=tmp_path / "models", device="cpu")
    with pytest.raises(DataError, match="at least 3 are needed, 2 of them to learn from, got 1"):
        train_own(
            clips_source(tmp_path, 4, read),
            Wish(name="mine", family="drnet", minutes=1.0),
            places,
            listener=Listener(on_stage=stages.append),
        )
    assert stages == []


def test_stretches_are_not_counted_as_scenes(tmp_path: Path) -> None:
    def cut_at_2(path: Path, size: int) -> SquareVideo:
        return SquareVideo(np.zeros((130, size, size, 3), np.uint8), list(range(130)), 1, 130, [2])

    (tmp_path / "a.mp4").touch()
    found = clips_source(tmp_path, 4, cut_at_2).found
    assert "scenes: a.mp4 is cut at frame 2 into 1 clip; 1 scene too short" in found
    assert any("cut into 3 stretches" in line for line in found)


def test_an_unknown_recipe_is_told_which_there_are() -> None:
    with pytest.raises(ValueError, match=", ".join(sorted(RECIPES))):
        find_recipe("faces")


def test_a_model_tells_which_of_the_recipes_for_its_name_made_it() -> None:
    assert told(RECIPES["faces_vae"](), WHOLE)["recipe"] == "faces_vae"
    assert told(shortened(RECIPES["faces_vae_again"](), 10), WHOLE)["recipe"] == "faces_vae_again"
    assert told(own_clips(), WHOLE)["recipe"] is None


def test_a_trial_of_a_recipe_takes_no_models_place_and_still_tells_the_recipe() -> None:
    whole = RECIPES["faces_vae"]()
    assert (trial(whole, 10).name, trial(whole, 10).steps) == ("faces-vae-trial", 10)
    assert trial(whole, whole.steps).name == trial(whole, whole.steps + 1).name == "faces-vae"
    assert told(trial(whole, 10), WHOLE)["recipe"] == "faces_vae"


def test_what_was_held_out_stays_so_whatever_is_added_removed_or_renamed(tmp_path: Path, read) -> None:
    for index in range(12):
        write_clip(tmp_path / f"{index:02}.mp4", shade=20 * index)
    sides = clips_source(tmp_path, 4, read).sides
    assert sides is not None
    assert len(sides.held_out) == 1
    assert clips_source(tmp_path, 4, read, sides).changed == ()
    (held_out,) = sides.held_out
    first, second, *_ = sides.training
    (tmp_path / held_out).rename(tmp_path / "renamed.mp4")
    (tmp_path / first).unlink()
    write_clip(tmp_path / second, shade=250)
    write_clip(tmp_path / "added.mp4", shade=10)
    source = clips_source(tmp_path, 4, read, sides)
    assert source.sides is not None
    assert source.sides.held_out == {"renamed.mp4": sides.held_out[held_out]}
    assert sorted(source.sides.training) == sorted(set(sides.training) - {first, second})
    assert source.changed == (
        f"gone or changed since then: {first}, {second}",
        f"new since then: {second}, added.mp4",
    )
    (tmp_path / "renamed.mp4").unlink()
    with pytest.raises(DataError, match=f"that were held out for it none is in the folder, as it was then: {held_out}"):
        clips_source(tmp_path, 4, read, sides)
