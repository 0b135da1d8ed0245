"""Both drawable data sets: what is drawn is what the factors say, and readings are of the picture."""

from pathlib import Path

import numpy as np
import pytest
import torch

from training.data.drawable import LOOKED_AT, CompositedSprites, DrawnFaces
from training.data.faces import Identity, draw, identities, numbers
from training.data.sprites import Sprites, static_factors
from training.evaluate import undecided
from training.sources import faces_source


@pytest.fixture
def faces(tmp_path: Path) -> DrawnFaces:
    return DrawnFaces(tmp_path, training=12, held_out=6, frames=5)


@pytest.fixture(scope="module")
def sprites(shared_data: Path) -> CompositedSprites:
    return CompositedSprites(Sprites.load(shared_data / "sprites"))


def test_a_drawn_face_is_that_of_its_identity_in_its_pose(faces):
    people = faces.identities("test", 3)
    moves = faces.motions(np.random.default_rng(0), 3, 4, "scattered")
    frames = faces.draw(people, moves)
    assert frames.shape == (3, 4, 3, 64, 64)
    expected = draw(Identity(*people[2].tolist()), tuple(float(part) for part in moves[2, 1]))
    np.testing.assert_array_equal(frames[2, 1].permute(1, 2, 0).numpy(), expected)


def test_results_are_of_held_out_faces_that_decided_nothing(faces):
    chosen = {Identity(*levels).number for levels in faces.identities("test", 50).tolist()}
    assert chosen <= set(numbers("test")[LOOKED_AT:])
    decided = {person.number for person in identities("test", LOOKED_AT)}
    assert not chosen & decided
    predicted = undecided(faces_source().held_out)
    assert not {predicted.who(number).number for number in predicted.with_runs(40)[:400]} & decided


def test_a_movement_of_a_face_is_smooth_and_scattered_frames_are_not(faces):
    steps = {
        motion: np.abs(np.diff(faces.motions(np.random.default_rng(0), 50, 8, motion), axis=1)).mean()
        for motion in ("movement", "scattered")
    }
    assert steps["scattered"] > 3 * steps["movement"]


def test_examples_of_faces_come_with_the_factors_that_drew_them(faces):
    examples = faces.examples("train", 10, np.random.default_rng(0))
    expected = draw(Identity(*examples.static[4].tolist()), tuple(float(part) for part in examples.dynamic[4]))
    np.testing.assert_array_equal(examples.frames[4].permute(1, 2, 0).numpy(), expected)


def test_an_example_pool_that_is_larger_already_is_used_as_it_is(faces, tmp_path):
    drawn = faces.pool("train")
    smaller = DrawnFaces(tmp_path, training=4, held_out=2, frames=3).pool("train")
    np.testing.assert_array_equal(smaller.images, drawn.images[:4, :3])
    assert faces.pool("train").images.shape == drawn.images.shape


def test_a_sprite_movement_is_one_action_in_one_direction(sprites):
    moves = sprites.motions(np.random.default_rng(0), 40, 8, "movement")
    read = sprites.read(moves)
    for name in ("action", "direction"):
        assert (read[name] == read[name][:, :1]).all()
    assert len(np.unique(read["action"][:, 0])) == 6


def test_poses_that_look_alike_on_somebody_are_read_as_one(sprites):
    """Checked on characters whose variants were not among those compared."""
    everything = np.arange(178.0)[None, :, None]
    classes = sprites.read(everything)["pose"][0]
    for number in (5, 431, 1290):
        flat = sprites.draw(static_factors(np.array([number])), everything)[0].flatten(1)
        _, pictures = torch.unique(flat, dim=0, return_inverse=True)
        same_picture = (pictures[:, None] == pictures[None]).numpy()
        same_class = classes[:, None] == classes[None]
        assert not (same_picture & ~same_class).any()
    assert len(np.unique(classes)) == 164


def test_only_the_legs_of_the_fallen_body_cannot_be_seen(sprites):
    legible = sprites.legible(sprites.read(np.arange(178.0)[:, None]))
    assert np.argwhere(~legible).tolist() == [[176, 1]] or np.argwhere(~legible).tolist() == [[177, 1]]
    hidden = float(np.argwhere(~legible)[0, 0])
    one, other = (sprites.draw(np.array([[2, legs, 3, 4]]), np.array([[[hidden]]])) for legs in (0, 5))
    assert torch.equal(one, other)


def test_a_sprite_is_composited_from_the_layers_of_its_digits(sprites):
    static = np.array([[1, 2, 3, 4]])
    frames = sprites.draw(static, np.array([[[7.0], [90.0]]]))
    number = torch.tensor([1 * 216 + 2 * 36 + 3 * 6 + 4] * 2)
    assert torch.equal(frames[0], sprites.sprites.render(number, torch.tensor([7, 90])))
