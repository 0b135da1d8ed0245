"""A small untrained model for tests of what surrounds a model, and the real API over it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs.settings import Settings
from tests.twofold.served import Proxy, Worker, served
from tests.twofold.shell import Shell, begun


@pytest.fixture(scope="session")
def shell() -> Iterator[Shell]:
    """A shell into which `twofold` is typed."""
    with begun() as shell:
        yield shell


@pytest.fixture
def models_dir(tmp_path: Path) -> Path:
    """A folder with two models: one called `mine`, and the same one with motion, `moving`."""
    import torch

    from models.checkpoint import save_model
    from models.motion import Motion, MotionConfig
    from models.unordered_config import UnorderedVAEConfig
    from models.unordered_vae import UnorderedVAE

    torch.manual_seed(0)
    model = UnorderedVAE(UnorderedVAEConfig.tiny())
    save_model(tmp_path / "models" / "mine", "mine", model, data={"licence": "mine"}, statistics={}, card="# mine")
    model.motion = Motion(MotionConfig(static_dim=model.static_dim, dynamic_dim=model.dynamic_dim, hidden=8, layers=1))
    save_model(tmp_path / "models" / "moving", "moving", model, data={}, card="# moving")
    return tmp_path / "models"


@pytest.fixture
def settings(redis_url: str, tmp_path: Path, models_dir: Path) -> Settings:
    return Settings(
        redis_url=redis_url, data_dir=tmp_path / "data", models_dir=models_dir, default_model="mine", port=0
    )


@pytest.fixture
def server_url(settings: Settings) -> Iterator[str]:
    """The address of a server without a worker."""
    with served(settings) as url:
        yield url


@pytest.fixture
def proxy(server_url: str) -> Iterator[Proxy]:
    """The same server by way of a network that can be cut."""
    made = Proxy(server_url)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def worker(settings: Settings) -> Worker:
    return Worker(settings)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    from PIL import Image

    path = tmp_path / "face.png"
    Image.new("RGB", (64, 64), "red").save(path)
    return path
