"""Recoloured frames keep what a picture shows and lose what colours it has."""

import torch
from einops import rearrange

from models.unordered_config import UnorderedVAEConfig
from models.unordered_vae import UnorderedVAE
from training.objectives import BoundObjective
from training.recipe import VariationalLoss
from training.recolour import paint, recolour


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


def test_a_painted_clip_shows_one_person_in_all_its_frames_and_the_share_of_them_is_as_asked() -> None:
    torch.manual_seed(0)
    clips = torch.rand(400, 1, 3, 4, 4).expand(400, 3, 3, 4, 4)
    seen = paint(clips, 0.25)
    torch.testing.assert_close(seen[:, 0], seen[:, 1])
    torch.testing.assert_close(seen[:, 0], seen[:, 2])
    changed = (seen != clips).flatten(1).any(1)
    assert 0.18 < float(changed.float().mean()) < 0.32
    assert torch.equal(paint(clips, 0.0), clips)
    assert bool((paint(clips, 1.0) != clips).flatten(1).any(1).all())
    copies = paint(clips[:1].expand(8, -1, -1, -1, -1), 1.0)[:, 0].flatten(1)
    assert float((torch.cdist(copies, copies) + torch.eye(8)).min()) > 0.1, "each clip has colours of its own"


def test_who_is_painted_is_also_drawn_so() -> None:
    torch.manual_seed(0)
    model, clips = UnorderedVAE(UnorderedVAEConfig.tiny()), torch.rand(2, 3, 3, 64, 64)
    torch.manual_seed(1)
    (of_painted,) = BoundObjective(VariationalLoss(painted=1.0))(model, clips, 0.5)
    torch.manual_seed(1)
    (of_these,) = BoundObjective(VariationalLoss())(model, paint(clips, 1.0), 0.5)
    assert of_painted.loss == of_these.loss
    torch.manual_seed(1)
    (of_plain,) = BoundObjective(VariationalLoss())(model, clips, 0.5)
    assert of_painted.loss != of_plain.loss
