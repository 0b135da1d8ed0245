"""A small untrained model for tests of what surrounds a model."""

from pathlib import Path

import pytest


@pytest.fixture
def models_dir(tmp_path: Path) -> Path:
    """A folder with one model, called `mine`."""
    import torch

    from models.checkpoint import save_model
    from models.unordered_vae import UnorderedVAE, UnorderedVAEConfig

    torch.manual_seed(0)
    model = UnorderedVAE(UnorderedVAEConfig.tiny())
    save_model(tmp_path / "models" / "mine", "mine", model, data={"licence": "mine"}, statistics={}, card="# mine")
    return tmp_path / "models"
