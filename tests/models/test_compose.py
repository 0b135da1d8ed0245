"""Compositions do with codes what their names say."""

import numpy as np
import pytest
import torch

from models.codes import StaticCode
from models.compose import active_dims, as_pictures, axis, latent_grid, swap, transfer
from models.unordered_vae import UnorderedVAE, UnorderedVAEConfig


@pytest.fixture
def model() -> UnorderedVAE:
    return UnorderedVAE(UnorderedVAEConfig.tiny(dynamic_dim=3)).eval()


def clip(seed: int, frames: int = 4) -> torch.Tensor:
    return torch.rand(1, frames, 3, 64, 64, generator=torch.Generator().manual_seed(seed))


@torch.inference_mode()
def test_a_clip_swapped_with_itself_is_its_reconstruction(model: UnorderedVAE) -> None:
    codes = model.encode(clip(0))
    again = as_pictures(model.decode(codes.static, codes.dynamic.mean))[0]
    for how in ("raw", "prior"):
        difference = np.abs(swap(model, codes.static, codes, how).astype(int) - again)
        assert difference.max() <= 1


@torch.inference_mode()
def test_transfer_by_the_prior_there_and_back_returns_the_codes(model: UnorderedVAE) -> None:
    here, there = model.encode(clip(1)), model.encode(clip(2))
    moved = transfer(model, here.dynamic.mean[0], here.static, there.static, "prior")
    back = transfer(model, moved, there.static, here.static, "prior")
    torch.testing.assert_close(back, here.dynamic.mean[0])
    assert not torch.allclose(moved, here.dynamic.mean[0])


@torch.inference_mode()
def test_transfer_by_the_prior_keeps_standardised_codes(model: UnorderedVAE) -> None:
    here, there = model.encode(clip(1)), model.encode(clip(2))
    moved = transfer(model, here.dynamic.mean[0], here.static, there.static, "prior")
    before, after = model.prior(here.static), model.prior(there.static)
    torch.testing.assert_close((moved - after.mean) / after.std, (here.dynamic.mean[0] - before.mean) / before.std)


@torch.inference_mode()
def test_raw_transfer_moves_codes_as_they_are(model: UnorderedVAE) -> None:
    here, there = model.encode(clip(1)), model.encode(clip(2))
    assert transfer(model, here.dynamic.mean[0], here.static, there.static, "raw") is not None
    torch.testing.assert_close(
        transfer(model, here.dynamic.mean[0], here.static, there.static, "raw"), here.dynamic.mean[0]
    )


def test_the_middle_of_the_grid_is_the_mean_of_the_prior_and_its_sides_are_extents_away(model: UnorderedVAE) -> None:
    static = model.sample_static(1, torch.Generator().manual_seed(0))
    _, coordinates = latent_grid(model, static, size=5, dims=(2, 0), extent=1.5)
    prior = model.prior(static)
    np.testing.assert_allclose(coordinates[2, 2], prior.mean[0].detach(), rtol=1e-5)
    span = coordinates[0, 4] - coordinates[4, 0]  # top right minus bottom left
    expected = 3.0 * prior.std[0].detach().numpy() * np.array([1, 0, 1])
    np.testing.assert_allclose(span, expected, rtol=1e-4, atol=1e-6)
    across = coordinates[2, 4] - coordinates[2, 0]
    assert across[2] > 0
    np.testing.assert_allclose(across[:2], 0, atol=1e-6)


@torch.inference_mode()
def test_a_cell_of_the_grid_is_its_coordinates_decoded(model: UnorderedVAE) -> None:
    static = model.sample_static(1, torch.Generator().manual_seed(0))
    frames, coordinates = latent_grid(model, static, size=3, dims=(0, 1), chunk=4)
    alone = as_pictures(model.decode(static, torch.from_numpy(coordinates[0, 2])[None, None]))[0, 0]
    assert np.abs(frames[0, 2].astype(int) - alone).max() <= 1


def test_quantile_spacing_cuts_the_normal_into_equal_shares() -> None:
    positions = axis(9, 2.0, "quantile").double()
    shares = torch.distributions.Normal(0, 1).cdf(positions).diff()
    torch.testing.assert_close(shares, shares.mean().expand(8), atol=1e-6, rtol=0)
    assert positions[-1] == pytest.approx(2.0, abs=1e-4)


def test_the_plane_takes_the_two_most_active_dimensions() -> None:
    assert active_dims({"dynamic": {"order": [3, 1, 0, 2]}}, 4) == (3, 1)
    assert active_dims({}, 4) == (0, 1)
    with pytest.raises(ValueError, match="needs 2 dynamic dimensions"):
        active_dims({}, 1)


def test_pictures_are_rounded_and_channels_come_last() -> None:
    frames = torch.tensor([0.0, 0.5, 1.0]).reshape(1, 3, 1, 1).expand(1, 3, 2, 4)
    pictures = as_pictures(frames)
    assert pictures.shape == (1, 2, 4, 3)
    assert pictures[0, 0, 0].tolist() == [0, 128, 255]


def test_static_codes_of_several_clips_are_joined_with_their_skips() -> None:
    one = StaticCode(torch.ones(1, 2), torch.zeros(1, 2), (torch.ones(1, 3),))
    both = StaticCode.cat([one, one])
    assert len(both) == 2
    assert both.skips[0].shape == (2, 3)
    assert len(both[1:2]) == 1
