"""Recoloured frames keep what a picture shows and lose what colours it has."""

import torch
from einops import rearrange

from training.recolour import recolour


def test_values_stay_in_range_and_every_frame_gets_its_own_colours() -> None:
    frames = torch.rand(1, 1, 3, 8, 8).expand(4, 3, 3, 8, 8)
    seen = recolour(frames)
    assert seen.shape == frames.shape
    assert float(seen.min()) >= 0
    assert float(seen.max()) <= 1
    flat = rearrange(seen, "b t c h w -> (b t) (c h w)")
    apart = torch.cdist(flat, flat) + torch.eye(len(flat)) * 9
    assert float(apart.min()) > 0.1


def test_black_stays_black_and_flat_regions_stay_flat() -> None:
    frames = torch.zeros(2, 3, 3, 8, 8)
    frames[..., :4] = torch.tensor([0.9, 0.6, 0.3]).view(3, 1, 1)
    seen = recolour(frames)
    assert float(seen[..., 4:].max()) < 0.01
    assert float(seen[..., :4].std((-1, -2)).max()) < 1e-6


def test_the_order_of_two_colours_by_brightness_does_not_survive_in_every_channel() -> None:
    # Red on blue comes out lighter as often as darker, so a code cannot tell which it was.
    frames = torch.zeros(500, 1, 3, 2, 2)
    frames[:, :, 0, 0], frames[:, :, 2, 1] = 0.8, 0.8
    seen = recolour(frames)
    lighter = (seen[:, 0, :, 0, 0] > seen[:, 0, :, 1, 0]).float().mean(0)
    assert bool(((lighter > 0.25) & (lighter < 0.75)).all())
