"""Sprites as clips: what is composited when it is asked for is what was prepared before."""

import numpy as np
import pytest
import torch

from training.data import sprite_clips
from training.data.pool import ClipPool, Clips
from training.data.sprite_clips import SpriteClips, sprite_pool
from training.data.sprites import Sprites


@pytest.fixture
def both(shared_data, monkeypatch) -> tuple[ClipPool, SpriteClips]:
    """Three characters, prepared and not."""
    monkeypatch.setattr(sprite_clips, "characters", lambda split: np.array([7, 1290, 423]))
    sprites = Sprites.load(shared_data / "sprites")
    return sprite_pool(sprites, "test"), SpriteClips(sprites, "test")


def test_clips_movements_and_random_poses_are_those_of_the_prepared_pool(both):
    pool, clips = both
    assert isinstance(clips, Clips)
    assert (len(clips), clips.aligned) == (len(pool), pool.aligned)
    assert list(clips.with_runs(40)) == list(pool.with_runs(40))
    assert torch.equal(clips.clip(1), pool.clip(1))
    assert not torch.equal(clips.clip(1), pool.clip(2))
    for take in (lambda one, dice: one.draw(5, 4, dice), lambda one, dice: one.run(2, 40, dice)):
        drawn = [take(one, torch.Generator().manual_seed(3)) for one in both]
        assert torch.equal(*drawn)
