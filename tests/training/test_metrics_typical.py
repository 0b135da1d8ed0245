"""What is called typical: clips of the kind that thresholds come from are, noise is not."""

import torch
from rich.progress import Progress

from models.checkpoint import LoadedModel
from models.unordered_config import UnorderedVAEConfig
from models.unordered_vae import UnorderedVAE
from training.data.pool import ClipPool
from training.metrics.typical import typical
from training.report import flat_metrics, typical_table
from training.statistics import statistics_of


def test_soft_grey_clips_are_typical_of_soft_grey_clips_in_every_position_and_noise_is_not() -> None:
    # An untrained decoder draws grey, so that it redraws what is nearly grey and nothing else.
    model = UnorderedVAE(UnorderedVAEConfig.tiny()).eval()
    shades = torch.randint(110, 146, (40, 12, 1, 1, 3), generator=torch.Generator().manual_seed(0))
    pool = ClipPool.of_equal_clips(shades.expand(40, 12, 64, 64, 3).to(torch.uint8))
    loaded = LoadedModel(model, "grey", "sha256:0", {"statistics": statistics_of(model, pool, 60)})
    with Progress(disable=True) as progress:
        found = typical(loaded, pool, progress, count=20)
    shares = {name: share.value for name, share in found.shares.items()}
    assert found.clips == 20
    assert shares["held-out clips"] >= 0.9
    assert shares["upside down"] == shares["held-out clips"], "a plain frame is the same upside down"
    assert shares["noise"] == 0
    assert shares["drawn faces"] == 0
    assert all(share.low <= share.value <= share.high for share in found.shares.values())


def test_shares_are_told_by_kind_in_percent() -> None:
    shares = {
        "held-out clips": {"value": 0.975, "low": 0.95, "high": 1.0},
        "noise": {"value": 0.0, "low": 0.0, "high": 0.0},
    }
    measured = {"clips": 200, "shares": shares}
    assert "| 97.5 (95.0 to 100.0) | 0.0 (0.0 to 0.0) |" in typical_table(measured)
    psnr = {"reconstruction_psnr": {"value": 30.0}}
    told = flat_metrics({"fidelity": {"raw": psnr}, "typical": measured})
    assert (told["typical_held_out_clips"], told["typical_noise"]) == (0.975, 0.0)
