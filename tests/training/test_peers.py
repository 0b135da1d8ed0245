"""Processes that train one model together take the steps that one process takes."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from models.unordered_config import UnorderedVAEConfig
from models.unordered_vae import UnorderedVAE
from training.data.pool import ClipPool
from training.errors import TrainingError, UnevenShares
from training.loop import Hooks, Objective, Terms, train
from training.objectives import BoundObjective
from training.own import Wish, train_own
from training.peers import ALONE, Peers, meeting
from training.recipe import Recipe, VariationalLoss
from training.recipes import RECIPES
from training.run import STATE, RunFolder
from training.sources import Source
from training.train import Places, check_shares_suffice

NETWORK = UnorderedVAEConfig.tiny()
RECIPE = Recipe(
    name="tiny",
    data="clips",
    network=NETWORK,
    batch=4,
    steps=3,
    learning_rate=1e-3,
    warmup=1,
)


def redraw(model: UnorderedVAE, frames: torch.Tensor, progress: float) -> Iterator[Terms]:
    """The mean squared error of what is drawn from the posterior means: without noise, so that runs compare."""
    codes = model.encode(frames)
    loss = (model.decode(codes.static, codes.dynamic.mean) - frames).square().mean()
    yield Terms(loss, {"error": loss.detach()})


def dice(model: UnorderedVAE, frames: torch.Tensor, progress: float) -> Iterator[Terms]:
    """Nothing but the noise that a step draws."""
    thrown = torch.randn(())
    yield Terms(next(model.parameters()).sum() * 0 + thrown, {"thrown": thrown})


OBJECTIVES: dict[str, Objective] = {"redraw": redraw, "dice": dice, "bound": BoundObjective(VariationalLoss())}  # type: ignore[dict-item]


def trained(folder: Path, objective: str, peers: Peers = ALONE) -> list[float]:
    """The loss at every step of a run of RECIPE on clips of noise."""
    noise = torch.randint(0, 256, (5, 6, 64, 64, 3), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    losses: list[float] = []
    hooks = Hooks(on_step=lambda step, shown, speed: losses.append(next(iter(shown.values()))))
    torch.manual_seed(7)
    model = UnorderedVAE(NETWORK)
    train(RECIPE, model, OBJECTIVES[objective], ClipPool.of_equal_clips(noise), RunFolder(folder), hooks, False, peers)
    # Every process writes what it ended with, so that they can be compared; the run's folder has the leader's.
    RunFolder(folder / f"rank{peers.rank}").path.mkdir(parents=True, exist_ok=True)
    RunFolder(folder / f"rank{peers.rank}").save(RECIPE.steps, model, torch.optim.Adam(model.parameters()))
    return losses


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, list[float]]]:
    """Two processes' runs with each objective, as `torchrun` starts them: a folder for each, and its losses."""
    folder = tmp_path_factory.mktemp("shared")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    place = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([*command, __file__, str(folder)], env=place, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return folder, json.loads(done.stdout)


def weights(folder: Path) -> torch.Tensor:
    tensors = load_file(folder / STATE)
    return torch.cat([tensors[key].flatten() for key in sorted(tensors) if key.startswith("model.")])


def test_two_processes_get_the_losses_and_the_weights_of_one(shared, tmp_path: Path) -> None:
    alone, (folder, losses) = trained(tmp_path, "redraw"), shared
    assert losses["redraw"] == pytest.approx(alone, rel=1e-4)
    assert len(set(alone)) == RECIPE.steps
    one, two = weights(tmp_path), weights(folder / "redraw")
    began = torch.cat([value.flatten() for value in _untrained().values()])
    assert (one - two).abs().max() < 0.05 * (one - began).abs().max()


def test_each_process_draws_noise_of_its_own(shared, tmp_path: Path) -> None:
    alone, (_, means) = trained(tmp_path, "dice"), shared
    for first, mean in zip(alone, means["dice"], strict=True):
        assert abs(mean - first) > 1e-3, "the mean of two draws is neither of them"


def test_processes_end_alike(shared, tmp_path: Path) -> None:
    alone, (folder, losses) = trained(tmp_path, "bound"), shared
    ended = [weights(folder / "bound" / place) for place in ("rank0", "rank1", "")]
    assert torch.equal(ended[0], ended[1])
    assert torch.equal(ended[0], ended[2])
    assert losses["bound"] == pytest.approx(alone, rel=0.02)
    assert losses["bound"] != alone


def _untrained() -> dict[str, torch.Tensor]:
    torch.manual_seed(7)
    return dict(sorted(UnorderedVAE(NETWORK).state_dict().items()))


def test_shares_are_the_batch_and_one_that_does_not_divide_is_refused() -> None:
    batch = torch.rand(6, 3, 1, 64, 64)
    assert torch.equal(torch.cat([Peers(rank, 3).share(batch) for rank in range(3)]), batch)
    with pytest.raises(UnevenShares, match="4 clips does not divide among 3 processes"):
        Peers(1, 3).share(batch[:4])


def test_own_clips_are_for_one_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    clips = ClipPool.of_equal_clips(torch.zeros(2, 6, 64, 64, 3, dtype=torch.uint8))
    with pytest.raises(TrainingError, match="without torchrun"):
        train_own(Source(clips, clips, {}), Wish(name="mine"), Places(runs=tmp_path, models=tmp_path))


def main(folder: str) -> None:
    """What each of the processes does."""
    torch.set_num_threads(1)
    with meeting() as peers:
        losses = {objective: trained(Path(folder) / objective, objective, peers) for objective in OBJECTIVES}
    if peers.leads:
        print(json.dumps(losses))


if __name__ == "__main__":
    main(*sys.argv[1:])


def test_shares_without_two_clips_are_no_shares_of_a_drnets_batch() -> None:
    recipe = RECIPES["digits_drnet"]()
    check_shares_suffice(recipe, Peers(0, 8))
    with pytest.raises(UnevenShares, match="of a batch of 16 each of 16 processes needs at least 2"):
        check_shares_suffice(recipe, Peers(0, 16))
    check_shares_suffice(RECIPES["faces_vae"](), Peers(0, 16))


def test_a_discriminator_that_remembers_is_trained_by_one_process() -> None:
    """Each would remember its own share, and a run that goes on would give all of them the memory of one."""
    recipe = RECIPES["faces_drnet_roomy"]()
    check_shares_suffice(recipe, ALONE)
    with pytest.raises(UnevenShares, match="remembers is trained by one process"):
        check_shares_suffice(recipe, Peers(0, 2))
