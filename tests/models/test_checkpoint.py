"""A model folder gives back the very model that was saved, and nothing that was tampered with."""

import errno
import json
from pathlib import Path

import pytest
import torch

from models.checkpoint import CheckpointError, load_model, read_config, save_model, write_config
from models.motion import Motion, MotionConfig
from models.unordered_config import UnorderedVAEConfig
from models.unordered_vae import UnorderedVAE


@pytest.fixture
def model() -> UnorderedVAE:
    return UnorderedVAE(UnorderedVAEConfig.tiny()).eval()


def save(folder: Path, model: UnorderedVAE, dtype: torch.dtype = torch.float16) -> str:
    return save_model(folder, "tiny", model, data={"name": "none"}, card="# tiny\n", dtype=dtype)


def test_float32_weights_survive_the_round_trip_bit_for_bit(tmp_path: Path, model: UnorderedVAE) -> None:
    digest = save(tmp_path, model, torch.float32)
    loaded = load_model(tmp_path)
    assert loaded.digest == digest
    for key, value in model.state_dict().items():
        assert torch.equal(value, loaded.model.state_dict()[key]), key


def test_half_precision_changes_pictures_by_less_than_a_grey_level(tmp_path: Path, model: UnorderedVAE) -> None:
    save(tmp_path, model)
    loaded = load_model(tmp_path).model
    frames = torch.rand(1, 4, 3, 64, 64)
    codes = model.encode(frames)
    difference = (
        model.decode(codes.static, codes.dynamic.mean) - loaded.decode(codes.static, codes.dynamic.mean)
    ).abs()
    assert difference.max() < 1 / 255


def test_the_digest_names_what_is_computed_and_not_what_is_said_about_it(tmp_path: Path, model: UnorderedVAE) -> None:
    digest = save(tmp_path, model)
    config = read_config(tmp_path)
    write_config(tmp_path, {**config, "metrics": {"swap_psnr_db": 30.0}})
    assert load_model(tmp_path).digest == digest
    with torch.no_grad():
        next(model.parameters()).add_(0.5)
    assert save(tmp_path, model) != digest


def test_a_changed_byte_of_the_weights_is_found(tmp_path: Path, model: UnorderedVAE) -> None:
    save(tmp_path, model)
    weights = tmp_path / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(CheckpointError, match="SHA-256"):
        load_model(tmp_path)


def test_cut_weights_are_found_by_their_size(tmp_path: Path, model: UnorderedVAE) -> None:
    save(tmp_path, model)
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-10])
    with pytest.raises(CheckpointError, match="bytes, expected"):
        load_model(tmp_path)


def test_a_network_of_other_sizes_than_the_weights_is_refused(tmp_path: Path, model: UnorderedVAE) -> None:
    save(tmp_path, model)
    config = read_config(tmp_path)
    write_config(tmp_path, {**config, "network": {**config["network"], "static_dim": 17}})
    with pytest.raises(CheckpointError, match="digest"):
        load_model(tmp_path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [("not json", "cannot be read"), ("[1]", "format 1"), (json.dumps({"format": 1}), "lacks")],
)
def test_a_broken_config_is_named(tmp_path: Path, content: str, reason: str) -> None:
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(CheckpointError, match=reason):
        load_model(tmp_path)


def test_an_empty_folder_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"config\.json cannot be read"):
        load_model(tmp_path)


def test_weights_that_overflow_half_precision_are_not_saved(tmp_path: Path, model: UnorderedVAE) -> None:
    with torch.no_grad():
        next(model.parameters()).fill_(1e6)
    with pytest.raises(CheckpointError, match="not finite"):
        save(tmp_path, model)
    assert not (tmp_path / "config.json").exists()


def test_a_motion_lies_in_a_file_of_its_own_and_is_part_of_what_the_digest_names(
    tmp_path: Path, model: UnorderedVAE
) -> None:
    still = save(tmp_path, model)
    assert not (tmp_path / "motion.safetensors").exists()
    weights = (tmp_path / "model.safetensors").read_bytes()
    model.motion = Motion(MotionConfig(static_dim=model.static_dim, dynamic_dim=model.dynamic_dim, hidden=8))
    moving = save(tmp_path, model, torch.float32)
    assert moving != still
    loaded = load_model(tmp_path)
    assert loaded.digest == moving
    assert loaded.model.motion is not None
    for key, value in model.motion.state_dict().items():
        assert torch.equal(value, loaded.model.motion.state_dict()[key]), key
    assert save(tmp_path, model) != still
    assert (tmp_path / "model.safetensors").read_bytes() == weights, "learning motion does not touch what it learns on"
    content = bytearray((tmp_path / "motion.safetensors").read_bytes())
    content[-1] ^= 1
    (tmp_path / "motion.safetensors").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"motion\.safetensors has SHA-256"):
        load_model(tmp_path)


@pytest.mark.parametrize("written", range(4))
def test_a_disk_that_fills_while_a_model_is_replaced_leaves_the_old_one(
    tmp_path: Path, model: UnorderedVAE, monkeypatch: pytest.MonkeyPatch, written: int
) -> None:
    digest, files = save(tmp_path, model), sorted(tmp_path.iterdir())
    model.motion = Motion(MotionConfig(static_dim=model.static_dim, dynamic_dim=model.dynamic_dim, hidden=8))
    flushed: list[int] = []

    def fills(descriptor: int) -> None:
        flushed.append(descriptor)
        if len(flushed) > written:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("models.checkpoint.os.fsync", fills)
    with pytest.raises(OSError, match="No space left"):
        save(tmp_path, model)
    assert load_model(tmp_path).digest == digest
    assert sorted(tmp_path.iterdir()) == files, "nothing half-written is left behind"
