"""Compositions do with codes what their names say."""

import numpy as np
import pytest
import torch

from models.codes import StaticCode
from models.compose import as_pictures, swap, transfer
from models.unordered_config import UnorderedVAEConfig
from models.unordered_vae import UnorderedVAE


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
