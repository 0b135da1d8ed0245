"""The judge of clips learns what it is shown, reads time in both directions, and is taught once."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from rich.progress import Progress

from training.data.actions import SpriteActions
from training.data.sprites import Sprites
from training.metrics.clip_judge import ClipJudge, ClipJudgeConfig, cached_clip_judge, train_clip_judge

SMALL = ClipJudgeConfig(widths=(16, 16, 32, 32), features=32, hidden=32, steps=80, batch=12, learning_rate=5e-3)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def actions(shared_data) -> SpriteActions:
    return SpriteActions(Sprites.load(shared_data / "sprites"))


def test_a_small_judge_soon_reads_held_out_characters(actions):
    with Progress(disable=True) as progress:
        judge = train_clip_judge(actions, SMALL, progress, CPU)
    clips = actions.clips("test", 12)
    read = judge.read(clips.frames)
    np.testing.assert_allclose(read.action.sum(1), 1)
    assert (read.action.argmax(1) == clips.action).mean() > 0.5  # chance is 1/9
    right = [(read.static[name] == clips.static[:, column]).mean() for column, name in enumerate(read.static)]
    assert np.mean(right) > 0.3  # chance is 1/6; 80 steps tell hair and shirts


def test_the_published_sizes():
    judge = ClipJudge(9, {"skin": 6}, ClipJudgeConfig())
    assert judge.time.input_size == 128
    assert judge.time.hidden_size == 256
    assert [layer.out_features for layer in judge.heads["action"] if hasattr(layer, "out_features")] == [256, 9]
    assert judge.heads["skin"][0].in_features == 512


def test_every_frame_and_its_place_is_heard():
    judge = ClipJudge(9, {"skin": 6}, SMALL).eval()
    clip = torch.randint(256, (1, 8, 3, 64, 64), dtype=torch.uint8)
    before = judge(clip)["action"]
    for frame in range(8):
        changed = clip.clone()
        changed[:, frame] = 255 - changed[:, frame]
        assert not torch.allclose(judge(changed)["action"], before)
    assert not torch.allclose(judge(clip.flip(1))["action"], before)


def test_a_judge_is_taught_once(actions, tmp_path):
    brief = replace(SMALL, steps=2)
    with Progress(disable=True) as progress:
        first = cached_clip_judge(actions, brief, tmp_path, progress, CPU)
        (file,) = tmp_path.iterdir()
        written = file.stat().st_mtime_ns
        again = cached_clip_judge(actions, brief, tmp_path, progress, CPU)
        assert file.stat().st_mtime_ns == written
        cached_clip_judge(actions, replace(brief, seed=1), tmp_path, progress, CPU)
    assert len(list(tmp_path.iterdir())) == 2
    clips = actions.clips("test", 1).frames
    np.testing.assert_array_equal(first.read(clips).action, again.read(clips).action)
