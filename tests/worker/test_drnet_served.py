"""A DrNET is served like every model: its U-Net's maps travel with the static code."""

from itertools import count

import numpy as np
import pytest
import torch

from jobs.errors import WrongValue
from models.checkpoint import load_model, save_model
from models.drnet import DrNET, DrNETConfig
from worker.arrays import encode_arrays, npz, read_codes
from worker.coding import draw_identity, encode_clip, swap_clips
from worker.media import Chunk


def silent(stage, share=None):
    """Nobody wants to know how far it is."""


@pytest.fixture
def loaded(tmp_path):
    config = DrNETConfig(content="dcgan_unet", pose="resnet", static_dim=6, dynamic_dim=3, width=4)
    save_model(tmp_path / "unet", "unet", DrNET(config), data={}, card="An untrained model.", dtype=torch.float32)
    return load_model(tmp_path / "unet")


def clip(loaded, seed):
    numbers = np.random.default_rng(seed)
    chunks = [
        Chunk(numbers.integers(0, 256, (size, 64, 64, 3), np.uint8), np.arange(size) / 10 + start, 1.0)
        for start, size in zip(count(), (5, 3), strict=False)
    ]
    return encode_clip(loaded, chunks, "cpu", silent)


def test_a_swap_from_stored_codes_is_the_swap_of_the_clips(loaded, tmp_path):
    who, what = clip(loaded, 0), clip(loaded, 1)
    (tmp_path / "codes.npz").write_bytes(npz(encode_arrays(who, loaded)))
    with (tmp_path / "codes.npz").open("rb") as file:
        stored = read_codes(file, loaded)
    assert [maps.shape[1:] for maps in stored.codes.static.skips] == [(4, 32, 32), (8, 16, 16), (16, 8, 8), (32, 4, 4)]
    direct = swap_clips(loaded, [who], [what], "raw", "cpu", silent, 100)
    again = swap_clips(loaded, [stored], [what], "raw", "cpu", silent, 100)
    assert direct.frames.shape[-3:] == (64, 64, 3)
    assert np.array_equal(direct.frames, again.frames)


def test_its_fit_is_its_reconstruction_alone(loaded):
    assert clip(loaded, 0).fit.elbo_nats is None


def test_an_identity_that_cannot_be_drawn_is_refused_with_what_to_do(loaded):
    with pytest.raises(WrongValue, match=r"unet cannot draw an identity: .* name an encode as static_job"):
        draw_identity(loaded, 1)
