"""A small untrained model for tests of what surrounds a model."""

from pathlib import Path

import pytest


@pytest.fixture
def models_dir(tmp_path: Path) -> Path:
    """A folder with two models: one called `mine`, and the same one with motion, `moving`."""
    import torch

    from models.checkpoint import save_model
    from models.motion import Motion, MotionConfig
    from models.unordered_vae import UnorderedVAE, UnorderedVAEConfig

    torch.manual_seed(0)
    model = UnorderedVAE(UnorderedVAEConfig.tiny())
    save_model(tmp_path / "models" / "mine", "mine", model, data={"licence": "mine"}, statistics={}, card="# mine")
    model.motion = Motion(MotionConfig(static_dim=model.static_dim, dynamic_dim=model.dynamic_dim, hidden=8, layers=1))
    save_model(tmp_path / "models" / "moving", "moving", model, data={}, card="# moving")
    return tmp_path / "models"
