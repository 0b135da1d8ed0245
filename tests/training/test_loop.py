"""A run is decided by its recipe: it repeats, resumes exactly, and stops on a loss that is not finite."""

import errno
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from models.checkpoint import load_model, save_model, write_together
from models.unordered_config import UnorderedVAEConfig
from models.unordered_vae import UnorderedVAE
from training.data.errors import DataError
from training.data.pool import ClipPool
from training.errors import DiskFull, NonFiniteLoss, ResumeMismatch
from training.held_out import HeldOut
from training.loop import Hooks, Terms, train
from training.objectives import BoundObjective
from training.recipe import MotionRecipe, Recipe, VariationalLoss
from training.recipes import RECIPES
from training.run import STATE, Best, RunFolder
from training.schedule import Anneal
from training.sources import Source
from training.train import Listener, Places, run_on, run_recipe, teach_motion

pytestmark = pytest.mark.usefixtures("few_cuts")

RECIPE = Recipe(
    name="tiny",
    data="clips",
    network=UnorderedVAEConfig.tiny(),
    batch=3,
    steps=6,
    learning_rate=1e-3,
    warmup=2,
    loss=VariationalLoss(dynamic_weight=Anneal(((0.0, 5.0), (0.5, 1.0))), static_from_others=True),
)

CARD = {"name": "noise", "source": "this test", "licence": "none needed", "split": "none"}


@pytest.fixture
def pool() -> ClipPool:
    frames = torch.randint(0, 256, (5, 6, 64, 64, 3), generator=torch.Generator().manual_seed(0))
    return ClipPool.of_equal_clips(frames.to(torch.uint8), aligned=True)


def run(
    folder: Path, pool: ClipPool, recipe: Recipe = RECIPE, resume: bool = False, stop_after: int | None = None
) -> UnorderedVAE:
    torch.manual_seed(7)
    model = UnorderedVAE(recipe.network)
    taken: list[int] = []
    hooks = Hooks(on_step=lambda step, shown, speed: taken.append(step))
    if stop_after is not None:
        hooks.should_stop = lambda: len(taken) >= stop_after
    train(recipe, model, BoundObjective(recipe.loss), pool, RunFolder(folder), hooks, resume)
    return model


def weights(model: UnorderedVAE) -> torch.Tensor:
    return torch.cat([value.flatten() for value in model.state_dict().values()])


def test_one_seed_gives_one_model_and_another_seed_another(tmp_path: Path, pool: ClipPool) -> None:
    one, two = run(tmp_path / "one", pool), run(tmp_path / "two", pool)
    other = run(tmp_path / "other", pool, replace(RECIPE, seed=2))
    assert torch.equal(weights(one), weights(two))
    assert not torch.equal(weights(one), weights(other))


def test_a_resumed_run_ends_with_the_very_weights_of_an_uninterrupted_one(tmp_path: Path, pool: ClipPool) -> None:
    whole = run(tmp_path / "whole", pool)
    run(tmp_path / "parts", pool, stop_after=2)
    resumed = run(tmp_path / "parts", pool, resume=True)
    assert torch.equal(weights(whole), weights(resumed))


def test_resuming_another_recipe_is_refused_and_names_what_changed(tmp_path: Path, pool: ClipPool) -> None:
    run(tmp_path, pool, stop_after=1)
    with pytest.raises(ResumeMismatch, match="other batch, seed"):
        run(tmp_path, pool, replace(RECIPE, batch=4, seed=3), resume=True)
    with pytest.raises(ResumeMismatch, match="no run to resume"):
        run(tmp_path / "none", pool, resume=True)


def test_examples_reach_as_far_as_the_recipe_says_at_each_step(tmp_path: Path) -> None:
    numbers = torch.arange(12, dtype=torch.uint8).reshape(1, 12, 1, 1, 1).expand(5, 12, 64, 64, 3)
    recipe = replace(RECIPE, steps=40, reach=Anneal(((0.0, 3.0), (0.5, 3.0), (0.6, 12.0))))
    model, apart = UnorderedVAE(recipe.network), []

    def objective(model, frames: torch.Tensor, progress: float) -> Iterator[Terms]:
        which = (frames[:, :, 0, 0, 0] * 255).round()
        apart.append(int((which.max(1).values - which.min(1).values).max()))
        yield Terms(loss=next(model.parameters()).sum() * 0, shown={})

    train(recipe, model, objective, ClipPool.of_equal_clips(numbers), RunFolder(tmp_path), Hooks())
    assert set(apart[:20]) == {2}
    assert max(apart[25:]) > 6


def measured(folder: Path, pool: ClipPool, scores: list[float], recipe: Recipe, resume: bool = False) -> UnorderedVAE:
    """Train with a measure that gives these scores, one after the other."""
    torch.manual_seed(7)
    model = UnorderedVAE(recipe.network)
    left = iter(scores)
    hooks = Hooks(measure=lambda model: {"reconstruction_psnr": next(left)})
    train(recipe, model, BoundObjective(recipe.loss), pool, RunFolder(folder), hooks, resume)
    return model


def test_a_run_that_gets_no_better_ends_early_with_its_best_weights(tmp_path: Path, pool: ClipPool) -> None:
    recipe = replace(RECIPE, measure_every=1, patience=2)
    stopped = measured(tmp_path / "stopped", pool, [20.0, 22.0, 21.0, 21.9, 30.0], recipe)
    assert [entry["step"] for entry in RunFolder(tmp_path / "stopped").entries()] == [1, 2, 3, 4]
    at_two = run(tmp_path / "two", pool, recipe, stop_after=2)
    assert torch.equal(weights(stopped), weights(at_two))
    whole = measured(tmp_path / "whole", pool, [20.0, 22.0, 21.0, 23.0, 22.0, 22.0], recipe)
    assert torch.equal(weights(whole), weights(run(tmp_path / "four", pool, recipe, stop_after=4)))


def test_what_was_told_of_steps_that_are_taken_anew_is_not_told_twice(tmp_path: Path, pool: ClipPool) -> None:
    recipe, folder = replace(RECIPE, measure_every=1), RunFolder(tmp_path)
    run(tmp_path, pool, recipe, stop_after=2)
    before = folder.entries()
    folder.log({"step": 3, "reconstruction_psnr": 9.0})  # by a worker that was killed before its next checkpoint
    measured(tmp_path, pool, [23.0, 24.0, 25.0, 26.0], recipe, resume=True)
    looks = [(entry["step"], entry["reconstruction_psnr"]) for entry in folder.entries()[len(before) :]]
    assert looks == [(3, 23.0), (4, 24.0), (5, 25.0), (6, 26.0)]


def test_a_resumed_run_remembers_what_was_best(tmp_path: Path, pool: ClipPool) -> None:
    recipe = replace(RECIPE, measure_every=1, patience=9)
    taken: list[int] = []
    torch.manual_seed(7)
    model = UnorderedVAE(recipe.network)
    scores = iter([20.0, 25.0, 21.0])
    hooks = Hooks(
        on_step=lambda step, shown, speed: taken.append(step),
        measure=lambda model: {"reconstruction_psnr": next(scores)},
        should_stop=lambda: len(taken) >= 3,
    )
    train(recipe, model, BoundObjective(recipe.loss), pool, RunFolder(tmp_path / "parts"), hooks)
    assert RunFolder(tmp_path / "parts").best() == Best(25.0, 2)
    resumed = measured(tmp_path / "parts", pool, [22.0, 23.0, 24.0], recipe, resume=True)
    assert torch.equal(weights(resumed), weights(run(tmp_path / "two", pool, recipe, stop_after=2)))


def test_a_line_of_the_log_that_was_broken_off_is_left_out_and_the_next_stands_alone(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    run.log({"step": 1})
    with (tmp_path / "log.jsonl").open("a") as file:
        file.write('{"step": 2, "reconstr')
    assert run.entries() == [{"step": 1}]
    run.log({"step": 3})
    run.log({"step": 4})
    assert run.entries() == [{"step": 1}, {"step": 3}, {"step": 4}]


@pytest.mark.parametrize("reason", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_told_with_the_way_to_go_on(
    tmp_path: Path, pool: ClipPool, monkeypatch: pytest.MonkeyPatch, reason: int
) -> None:
    def full(files: dict[Path, bytes]) -> None:
        if len(files) > 1:
            raise OSError(reason, "no room")
        write_together(files)

    monkeypatch.setattr("training.train.open_source", lambda *asked: Source(pool, pool, CARD))
    with monkeypatch.context() as until_then:
        until_then.setattr("models.checkpoint.write_together", full)
        with pytest.raises(DiskFull, match="free some space, then --resume"):
            run_recipe(TAUGHT, at(tmp_path))
    steps: list[int] = []
    run_recipe(TAUGHT, at(tmp_path), resume=True, listener=Listener(on_step=lambda step, *_: steps.append(step)))
    assert steps == [], "only the model had found no room"


def test_a_motion_for_which_the_disk_has_no_room_says_that_the_model_is_as_it_was(
    tmp_path: Path, pool: ClipPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*asked: object, **more: object) -> None:
        raise OSError(errno.ENOSPC, "no room")

    source, places = Source(pool, pool, CARD), at(tmp_path)
    monkeypatch.setattr("training.train.open_source", lambda *asked, **more: source)
    monkeypatch.setattr("training.train.motion_of", lambda recipe, data: TAUGHT.motion)
    folder = run_on(source, TAUGHT, places, resume=False, listener=Listener())
    monkeypatch.setattr("training.train.save_model", full)
    with pytest.raises(DiskFull, match="free some space, then teach it again"):
        teach_motion(folder, places)


def test_no_steps_keep_the_motion_and_set_its_spread_alone(
    tmp_path: Path, pool: ClipPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, places = Source(pool, pool, CARD), at(tmp_path)
    monkeypatch.setattr("training.train.open_source", lambda *asked, **more: source)
    monkeypatch.setattr("training.train.motion_of", lambda recipe, data: TAUGHT.motion)
    folder = run_on(source, TAUGHT, places, resume=False, listener=Listener())
    before, card = load_model(folder), (folder / "README.md").read_text()
    monkeypatch.setattr("training.motion.calibrated", lambda *asked: 2.5)
    digest = teach_motion(folder, places, steps=0)
    after = load_model(folder)
    assert digest == after.digest != before.digest
    assert after.model.motion.get_buffer("widening") == 2.5
    theirs = before.model.state_dict()
    changed = {name for name, value in after.model.state_dict().items() if not torch.equal(value, theirs[name])}
    assert changed == {"motion.widening"}
    assert (folder / "README.md").read_text().splitlines()[5:] == card.splitlines()[5:], "taught as it was"

    bare = run_on(source, replace(TAUGHT, name="bare"), places, resume=False, listener=Listener())
    model = load_model(bare)
    model.model.motion = None
    save_model(bare, "bare", model.model, data=CARD, card="")
    with pytest.raises(DataError, match="has no motion yet"):
        teach_motion(bare, places, steps=0)


def test_a_loss_that_is_not_finite_stops_before_the_step_and_keeps_the_checkpoint(
    tmp_path: Path, pool: ClipPool
) -> None:
    good = run(tmp_path, pool, stop_after=3)
    objective = BoundObjective(RECIPE.loss)

    def broken(model: UnorderedVAE, frames: torch.Tensor, progress: float) -> Iterator[Terms]:
        for terms in objective(model, frames, progress):
            yield Terms(terms.loss * torch.nan, terms.shown)

    model = UnorderedVAE(RECIPE.network)
    with pytest.raises(NonFiniteLoss, match=r"at step 3 .*lower learning rate"):
        train(RECIPE, model, broken, pool, RunFolder(tmp_path), Hooks(), resume=True)
    assert torch.equal(weights(model), weights(good))
    restored = UnorderedVAE(RECIPE.network)
    assert RunFolder(tmp_path).restore(restored, torch.optim.Adam(restored.parameters())) == 3
    assert torch.equal(weights(restored), weights(good))


@pytest.mark.parametrize(
    ("ending", "found", "kept"),
    [("the last step", 6, 3), ("an interrupt", 5, 3), ("a checkpoint", 5, 4), ("a look at held-out clips", 5, 3)],
)
def test_a_loss_that_nobody_looked_at_is_found_before_anything_of_it_is_kept(
    tmp_path: Path, pool: ClipPool, monkeypatch: pytest.MonkeyPatch, ending: str, found: int, kept: int
) -> None:
    recipe = replace(RECIPE, measure_every=5, patience=1) if "held-out" in ending else RECIPE
    run(tmp_path, pool, recipe, stop_after=3)
    objective = BoundObjective(recipe.loss)
    begun: list[float] = []

    def broken(model: UnorderedVAE, frames: torch.Tensor, progress: float) -> Iterator[Terms]:
        begun.append(progress)
        for terms in objective(model, frames, progress):
            yield Terms(terms.loss * (torch.nan if len(begun) == 2 else 1), terms.shown)

    monkeypatch.setattr("training.loop.looks_every", lambda device: 100)  # as on a GPU
    monkeypatch.setattr("training.loop.CHECKPOINT_SECONDS", 0.0 if ending == "a checkpoint" else 120.0)
    hooks = Hooks()
    if ending == "an interrupt":
        hooks.should_stop = lambda: len(begun) == 2
    if "held-out" in ending:
        hooks.measure = lambda model: {"reconstruction_psnr": 20.0}
    model = UnorderedVAE(recipe.network)
    with pytest.raises(NonFiniteLoss, match=f"not finite after step {found} .*lower learning rate"):
        train(recipe, model, broken, pool, RunFolder(tmp_path), hooks, resume=True)
    restored = UnorderedVAE(recipe.network)
    assert RunFolder(tmp_path).restore(restored, torch.optim.Adam(restored.parameters())) == kept
    assert bool(weights(restored).isfinite().all())
    assert RunFolder(tmp_path).best() is None


def test_a_checkpoint_holds_tensors_and_nothing_that_runs(tmp_path: Path, pool: ClipPool) -> None:
    run(tmp_path, pool, stop_after=1)
    header_bytes = int.from_bytes((tmp_path / STATE).read_bytes()[:8], "little")
    header = json.loads((tmp_path / STATE).read_bytes()[8 : 8 + header_bytes])
    assert {name.split(".")[0] for name in header} == {"model", "optimizer", "step"}


def test_the_held_out_measure_of_a_perfect_model_is_perfect(pool: ClipPool) -> None:
    class Memory(UnorderedVAE):
        """Codes that name the clip and the frame, and a decoder that looks them up."""

        def encode(self, frames):
            codes = super().encode(frames)
            flat = torch.stack([pool.clip(index) for index in range(len(pool))])
            clip = next(i for i in range(len(pool)) if (flat[i][:, None] == frames[0][None]).all((2, 3, 4)).any())
            which = [int((flat[clip] == frame).all((1, 2, 3)).nonzero()[0]) for frame in frames[0]]
            static = replace(codes.static, mean=torch.full_like(codes.static.mean, float(clip)))
            dynamic = replace(codes.dynamic, mean=torch.tensor(which).float()[None, :, None].expand(1, -1, 2))
            return replace(codes, static=static, dynamic=dynamic)

        def decode(self, static, dynamic):
            return pool.clip(int(static.mean[0, 0]))[dynamic[0, :, 0].long()][None]

    scores = HeldOut(pool, pairs=5)(Memory(UnorderedVAEConfig.tiny()))
    assert scores == {"reconstruction_psnr": pytest.approx(100), "swap_psnr": pytest.approx(100)}


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_published_recipes_are_complete(name: str) -> None:
    recipe = RECIPES[name]()
    if isinstance(recipe.loss, VariationalLoss):
        assert recipe.clip_frames == 3
        weight = recipe.loss.dynamic_weight
        assert 0 < weight(1.0) <= 1
        assert weight(0.0) >= weight(1.0), "the dynamic code opens up; it is never closed"
        assert 0 < recipe.loss.static_weight(1.0) <= 1
    assert recipe.steps % recipe.cycles == 0


def test_the_paper_recipe_is_the_papers() -> None:
    recipe = RECIPES["sprites_vae_paper"]()
    assert recipe.network == UnorderedVAEConfig.paper(dynamic_dim=8)
    assert (recipe.batch, recipe.steps) == (120, 43_000)
    assert not recipe.loss.static_from_others
    assert recipe.loss.dynamic_weight == Anneal()
    assert recipe.loss.static_weight == Anneal()


def test_an_interrupt_is_heeded_while_the_motion_is_taught_and_a_resumed_run_teaches_it(tmp_path: Path, pool) -> None:
    source, places = Source(pool, pool, CARD), Places(runs=tmp_path / "runs", models=tmp_path / "models", device="cpu")
    recipe = replace(RECIPE, motion=MotionRecipe(hidden=8, layers=1, runs=20, length=6, observed=2, batch=4, steps=30))
    heard: list[float] = []
    listener = Listener(on_motion=heard.append, interrupted=lambda: len(heard) >= 5)
    with pytest.raises(KeyboardInterrupt):
        run_on(source, recipe, places, resume=False, listener=listener)
    assert len(heard) == 5, "at once"
    assert not (places.models / recipe.name).exists()
    steps: list[int] = []
    shares: list[float] = []
    again = Listener(on_step=lambda step, terms, speed: steps.append(step), on_motion=shares.append)
    assert load_model(run_on(source, recipe, places, resume=True, listener=again)).model.motion is not None
    assert steps == [], "the network was finished"
    assert shares == sorted(shares)
    assert shares[0] <= 0.5, "codes are read first"
    assert shares[-1] == 1


def test_who_is_hurried_while_the_motion_is_taught_gets_the_model_without_it(tmp_path: Path, pool: ClipPool) -> None:
    source, places = Source(pool, pool, CARD), Places(runs=tmp_path / "runs", models=tmp_path / "models", device="cpu")
    heard: list[float] = []
    stages: list[str] = []
    listener = Listener(on_stage=stages.append, on_motion=heard.append, hurried=lambda: len(heard) >= 5)
    folder = run_on(source, RECIPE, places, resume=False, listener=listener)
    assert load_model(folder).model.motion is None
    assert "no motion model: the model is wanted now" in stages


def test_a_motion_that_fails_costs_the_motion_and_not_the_model(
    tmp_path: Path, pool: ClipPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*given: object) -> None:
        raise NonFiniteLoss("the motion's loss is not finite at step 5", "teach it otherwise", 5)

    monkeypatch.setattr("training.train.train_motion", fails)
    found: list[str] = []
    folder = run_on(
        Source(pool, pool, CARD), RECIPE, at(tmp_path), resume=False, listener=Listener(on_found=found.append)
    )
    assert load_model(folder).model.motion is None
    assert found == ["no motion model: the motion's loss is not finite at step 5; teach it otherwise"]


TAUGHT = replace(RECIPE, motion=MotionRecipe(hidden=8, layers=1, runs=20, length=6, observed=2, batch=4, steps=3))


def at(folder: Path) -> Places:
    return Places(runs=folder / "runs", models=folder / "models", device="cpu", keep_unfinished=True)


def interrupted_after(steps: int, found: list[str]) -> Listener:
    taken: list[int] = []
    return Listener(
        on_step=lambda step, terms, speed: taken.append(step),
        on_found=found.append,
        interrupted=lambda: len(taken) >= steps,
    )


def test_a_new_run_puts_one_that_did_not_finish_aside_and_says_so(tmp_path: Path, pool: ClipPool) -> None:
    source, places, found = Source(pool, pool, CARD), at(tmp_path), list[str]()
    for steps in (3, 2, 1):
        with pytest.raises(KeyboardInterrupt):
            run_on(source, TAUGHT, places, resume=False, listener=interrupted_after(steps, found))
    first, second = places.runs / "tiny.1", places.runs / "tiny.2"
    assert found == [
        f"a run that did not finish was in {places.runs / 'tiny'}; it is now {aside}" for aside in (first, second)
    ]
    for aside, steps in ((first, 3), (second, 2)):
        kept = UnorderedVAE(TAUGHT.network)
        assert RunFolder(aside).restore(kept, torch.optim.Adam(kept.parameters())) == steps
    run_on(source, TAUGHT, places, resume=True, listener=Listener(on_found=found.append))
    run_on(source, TAUGHT, places, resume=False, listener=Listener(on_found=found.append))
    assert len(found) == 2, "one that is gone on with stays, and one that finished is replaced"
    assert sorted(path.name for path in places.runs.iterdir()) == ["tiny", "tiny.1", "tiny.2"]


def test_a_resumed_second_round_remembers_whose_weights_it_began_with(tmp_path: Path, pool: ClipPool) -> None:
    source, places = Source(pool, pool, CARD), at(tmp_path)
    model = run_on(source, TAUGHT, places, resume=False, listener=Listener())
    again = replace(places, begin=model)
    with pytest.raises(KeyboardInterrupt):
        run_on(source, TAUGHT, again, resume=False, listener=interrupted_after(2, []))
    ended = load_model(run_on(source, TAUGHT, places, resume=True, listener=Listener()))
    assert ended.config["training"]["began_with"].startswith("tiny sha256:")
    (places.runs / "tiny" / STATE).unlink()
    with pytest.raises(ResumeMismatch, match=r"began with tiny sha256:.* no checkpoint: say --from again"):
        run_on(source, TAUGHT, places, resume=True, listener=Listener())
