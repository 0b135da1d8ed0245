"""Sprites are the published characters, composited exactly, and split as published."""

import json
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image

from training.data.errors import DataError
from training.data.sheets import SHEETS
from training.data.sprites import NUM_CHARACTERS, Sprites, characters, static_factors


@pytest.fixture(scope="module")
def sprites(shared_data: Path) -> Sprites:
    return Sprites.load(shared_data / "sprites")


def test_splits_are_the_published_permutation() -> None:
    order = np.random.RandomState(423).permutation(1296)
    assert characters("train").tolist() == order[:1000].tolist()
    assert characters("test").tolist() == order[1000:].tolist()
    assert len(set(characters("train")) & set(characters("test"))) == 0


def test_static_factors_are_the_base_6_digits_of_the_number() -> None:
    numbers = np.arange(NUM_CHARACTERS)
    digits = static_factors(numbers)
    assert (digits @ np.array([216, 36, 6, 1]) == numbers).all()
    assert digits.min() == 0
    assert digits.max() == 5


def test_all_178_poses_are_there(sprites: Sprites) -> None:
    assert len(sprites.poses) == 178
    actions = [pose.action for pose in sprites.poses]
    assert {action: actions.count(action) for action in sorted(set(actions))} == {
        "hurt": 6,
        "shoot": 52,
        "slash": 24,
        "spellcast": 28,
        "thrust": 32,
        "walk": 36,
    }


def test_composites_equal_the_lossless_reference_clip(sprites: Sprites, shared_data: Path) -> None:
    """Skin 0, legs 2, shirt 1, hair 3 walks to the front: the file was made by other software."""
    with av.open(shared_data / "videos" / "derived" / "sprite_walk_front_ffv1.mkv") as container:
        expected = np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])
    columns = [8, 1, 2, 3, 4, 5, 6, 7]
    poses = [
        next(
            index
            for index, pose in enumerate(sprites.poses)
            if (pose.action, pose.direction, pose.column) == ("walk", "s", column)
        )
        for column in columns
    ]
    number = torch.tensor(0 * 216 + 2 * 36 + 1 * 6 + 3).expand(8)
    drawn = sprites.render(number, torch.tensor(poses)).permute(0, 2, 3, 1).numpy()
    assert (drawn == expected).all()


def test_partly_transparent_layers_are_composited_as_pillow_does(sprites: Sprites) -> None:
    generator = np.random.default_rng(0)
    for number, pose in zip(generator.integers(0, 1296, 40), generator.integers(0, 178, 40), strict=True):
        picture = Image.new("RGBA", (64, 64), (0, 0, 0, 255))
        for slot, variant in enumerate([*static_factors(np.array([number]))[0], 0]):
            cell = sprites.layers[slot, int(variant), int(pose)].permute(1, 2, 0).numpy()
            picture = Image.alpha_composite(picture, Image.fromarray(cell))
        drawn = sprites.render(torch.tensor([number]), torch.tensor([pose]))[0].permute(1, 2, 0)
        assert (drawn.numpy() == np.asarray(picture)[..., :3]).all(), (number, pose)


def test_a_robe_leaves_hardly_anything_of_the_trousers_to_see(sprites: Sprites) -> None:
    """Where `sprites_vae_sharp` is needed: these few pixels are all that tells six pairs apart."""
    poses = torch.arange(len(sprites.poses))

    def shown(shirt: int) -> float:
        looks = np.array([[0, legs, shirt, 0] for legs in range(6)]) @ np.array([216, 36, 6, 1])
        pictures = torch.stack([sprites.render(torch.full_like(poses, look), poses) for look in looks]).int()
        return float(((pictures.amax(0) - pictures.amin(0)).amax(1) > 0).sum((1, 2)).float().mean())

    robe, others = shown(5), [shown(shirt) for shirt in range(5)]
    assert robe < 20
    assert min(others) > 50


def test_missing_layers_say_where_they_come_from(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Universal-LPC-spritesheet"):
        Sprites.load(tmp_path)


def test_a_changed_sheet_is_refused(tmp_path: Path) -> None:
    sheet = tmp_path / SHEETS[0].short_path
    sheet.parent.mkdir(parents=True)
    sheet.write_bytes(b"not the sheet")
    with pytest.raises(DataError, match=r"expected [0-9a-f]{64}: fetch it anew"):
        Sprites.load(tmp_path)


def test_a_checkout_of_the_repository_is_read_as_the_sheets_alone_are(
    sprites: Sprites, shared_data: Path, tmp_path: Path
) -> None:
    for sheet in SHEETS:
        (tmp_path / sheet.path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / sheet.path).write_bytes((shared_data / "sprites" / sheet.short_path).read_bytes())
    assert torch.equal(Sprites.load(tmp_path).layers, sprites.layers)


def test_the_table_of_poses_is_that_of_the_published_index(sprites: Sprites, shared_data: Path) -> None:
    stated = json.loads((shared_data / "sprites" / "index.json").read_text())["poses"]
    assert [(pose.row, pose.column, pose.action, pose.direction, pose.frame) for pose in sprites.poses] == [
        (pose["row"], pose["col"], pose["action"], pose["direction"], pose["frame"]) for pose in stated
    ]
