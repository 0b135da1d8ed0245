"""A decoder, a small untrained model, and a bench with a real server behind it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from jobs.settings import Settings
from models.checkpoint import save_model
from models.unordered_config import UnorderedVAEConfig
from models.unordered_vae import UnorderedVAE
from worker.__main__ import lay_out
from worker.media import Chunk, Decoder
from worker.order import DecodeOptions
from worker.tasks import Bench


@pytest.fixture(scope="session")
def decoder() -> Iterator[Decoder]:
    decoder = Decoder()
    yield decoder
    decoder.close()


@pytest.fixture(scope="session")
def decode(decoder: Decoder, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Chunk]:
    """Decode bytes or a file in the real process, and join what comes."""
    drawn = tmp_path_factory.mktemp("clips") / "clip"

    def run(clip: bytes | Path, **options: object) -> Chunk:
        path = clip if isinstance(clip, Path) else drawn
        if isinstance(clip, bytes):
            path.write_bytes(clip)
        with path.open("rb") as file:
            chunks = list(decoder.decode(file.fileno(), DecodeOptions(**options)))
        decoder.prepare()
        return Chunk(
            np.concatenate([chunk.frames for chunk in chunks]),
            np.concatenate([chunk.timestamps for chunk in chunks]),
            chunks[-1].position,
        )

    return run


@pytest.fixture(scope="session")
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one untrained model, `tiny`, whose codes yet differ from clip to clip."""
    folder = tmp_path_factory.mktemp("models")
    torch.manual_seed(0)
    save_model(folder / "tiny", "tiny", UnorderedVAE(UnorderedVAEConfig.tiny()), data={}, card="An untrained model.")
    return folder


@pytest.fixture
def settings(redis_url: str, models_dir: Path, tmp_path: Path) -> Settings:
    return Settings(
        redis_url=redis_url,
        data_dir=tmp_path / "data",
        models_dir=models_dir,
        default_model="tiny",
        min_free_bytes=0,
        device="cpu",
    )


@pytest.fixture
def bench(settings: Settings) -> Iterator[Bench]:
    bench = lay_out(settings)
    yield bench
    bench.close()


@pytest.fixture
def digest(bench: Bench) -> str:
    """The untrained model's."""
    return bench.shelf.loaded["tiny"]


@pytest.fixture
def upload(bench: Bench) -> Callable[[bytes], str]:
    """Have a clip among the artifacts, and know it by its digest."""
    return lambda content: bench.artifacts.write(content).sha256
