"""The canonical Sprites clips are the published ones: which cells, in which order, of whom."""

import numpy as np
import pytest
import torch

from training.data.actions import CLASSES, SpriteActions
from training.data.sprites import Sprites, characters

# Rows and columns of the published frames, by class: walk, spell and slash, each to the front, left and right.
ROWS = (10, 9, 11, 2, 1, 3, 14, 13, 15)
COLUMNS = ("81234567", "01234546", "01234540")


@pytest.fixture(scope="module")
def actions(shared_data) -> SpriteActions:
    return SpriteActions(Sprites.load(shared_data / "sprites"))


def test_frames_are_the_published_cells_of_the_sheet(actions):
    poses = actions.sprites.poses
    for number, (action, _) in enumerate(CLASSES):
        shown = [poses[pose] for pose in actions.cells[number]]
        assert {pose.row for pose in shown} == {ROWS[number]}
        assert "".join(str(pose.column) for pose in shown) == COLUMNS[number // 3]
        assert {pose.action for pose in shown} == {action}


def test_there_are_9000_clips_to_learn_from_and_2664_to_test_on(actions):
    assert [len(characters(split)) * len(CLASSES) for split in ("train", "test")] == [9000, 2664]
    clips = actions.clips("test", 3)
    assert clips.frames.shape == (27, 8, 3, 64, 64)
    assert clips.action.tolist() == [*range(9)] * 3
    assert np.bincount(clips.identity).tolist() == [9, 9, 9]


def test_a_clip_shows_its_character_in_its_poses(actions):
    clips = actions.clips("test", 2)
    number, action = int(characters("test")[1]), 4
    expected = actions.sprites.render(torch.full((8,), number), actions.cells[action])
    assert torch.equal(clips.frames[9 + action], expected)
    assert int(clips.static[9 + action] @ np.array([216, 36, 6, 1])) == number


def test_examples_are_of_training_characters_alone(actions):
    clips = actions.examples(40, np.random.default_rng(0))
    shown = clips.static @ np.array([216, 36, 6, 1])
    assert set(shown.tolist()) <= set(characters("train").tolist())
    assert len(set(clips.action.tolist())) > 3
