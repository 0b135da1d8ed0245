"""`twofold train`: from a recipe's name, or a folder of clips, to a model folder; `twofold teach-motion`."""

import signal
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from models.checkpoint import CARD, load_model, save_model
from models.disentangler import Disentangler
from models.drnet import DrNET, DrNETConfig
from models.motion import Motion
from models.unordered_vae import UnorderedVAE
from training.card import model_card, with_motion
from training.data.errors import DataError
from training.data.pool import ClipPool, Clips
from training.data.sides import Sides
from training.data.videos import Reader
from training.errors import NonFiniteLoss, NothingLearnt, UnevenShares, telling_a_full_disk
from training.held_out import HeldOut
from training.loop import Hooks, Trained, choose_device, seed_of, train
from training.metrics.own_pictures import live_sample
from training.motion import calibrate, fitting, kept_apart, train_motion
from training.objectives import objective_of
from training.peers import Peers, meeting, rank_here, share_statistics
from training.recipe import AdversarialLoss, MotionRecipe, Recipe
from training.recipes import RECIPES, motion_of, published_as
from training.run import RunFolder
from training.sources import Source, kind_of, open_source
from training.statistics import keep_spread, statistics_of

TRIAL = "-trial"  # what a published recipe's model is called that had fewer steps: it takes no other's place


@dataclass(frozen=True, kw_only=True, slots=True)
class Places:
    """Where a run reads and writes on this machine."""

    runs: Path  # checkpoints and logs, one folder a run
    models: Path  # the finished model goes to models/<name>
    data: Path | None = None  # the folder of the recipe's data set, where it has one
    begin: Path | None = None  # a model folder whose weights the run starts from
    device: str = "auto"
    keep_unfinished: bool = False  # a new run puts one of its name that did not finish aside, else takes its place


def find_recipe(name: str) -> Recipe:
    """The recipe of that name.

    Raises:
        ValueError: there is none; the message names those there are.

    """
    if name not in RECIPES:
        raise ValueError(f"no recipe {name!r}; there are {', '.join(sorted(RECIPES))}")
    return RECIPES[name]()


def shortened(recipe: Recipe, steps: int) -> Recipe:
    """The recipe with another number of steps, in one cycle; its motion is taught no longer than that either."""
    motion = replace(
        recipe.motion, steps=min(recipe.motion.steps, steps), runs=min(recipe.motion.runs, max(4, 2 * steps))
    )
    return replace(recipe, steps=steps, cycles=1, motion=motion)


def trial(recipe: Recipe, steps: int) -> Recipe:
    """A published recipe with another number of steps; with fewer ones its model has a name of its own."""
    return replace(shortened(recipe, steps), name=recipe.name + (TRIAL if steps < recipe.steps else ""))


@dataclass(kw_only=True, slots=True)
class Listener:
    """Whom a run tells how it goes, and asks whether to go on."""

    on_step: Callable[[int, Mapping[str, float], float], None] = lambda step, terms, frames_per_second: None
    on_begun: Callable[[int], None] = lambda steps: None  # how many steps it will take at most
    on_measure: Callable[[int, Mapping[str, float]], None] = lambda step, scores: None
    on_sample: Callable[[bytes], None] | None = None  # a picture (WebP), before each measure is told
    on_stage: Callable[[str], None] = lambda stage: None
    on_motion: Callable[[float], None] = lambda share: None  # of what is to be done for the motion, in [0, 1]
    on_found: Callable[[str], None] = lambda line: None  # of a person's own videos, line by line, before training
    interrupted: Callable[[], bool] = lambda: False  # the run ends with a checkpoint, from which it can go on
    enough: Callable[[], bool] = lambda: False  # training ends, and what has been learnt becomes a model
    hurried: Callable[[], bool] = lambda: False  # somebody waits for that: no motion is taught


@telling_a_full_disk()
def run_recipe(recipe: Recipe, places: Places, *, resume: bool = False, listener: Listener | None = None) -> Path:
    """Train a recipe to its end and write the model folder; returns that folder.

    Where the listener is interrupted the run ends at the next step with a checkpoint; `resume` takes it up there. A
    motion has no checkpoints: it is taught anew.

    Raises:
        DataError: the data cannot be used.
        TrainingError: the loss is not finite, the disk is full, or there is another run in the way.
        KeyboardInterrupt: the run was interrupted.

    """
    listener = listener or Listener()
    with RunFolder(places.runs / recipe.name).held() if rank_here() == 0 else nullcontext():
        listener.on_stage("reading clips")
        source = open_source(recipe.data, places.data, recipe.clip_frames)
        for line in source.found:
            listener.on_found(line)
        return run_on(source, recipe, places, resume=resume, listener=listener)


def run_on(source: Source, recipe: Recipe, places: Places, *, resume: bool, listener: Listener) -> Path:
    """Train a recipe on clips that have been read, by whoever holds the run's name; else as `run_recipe`.

    Where `torchrun` started several processes they train it together, and the first of them does the rest.
    """
    with meeting() as peers:
        device = choose_device(places.device)
        check_clips_suffice(recipe, source)
        check_shares_suffice(recipe, peers)
        training = on_device_if_it_fits(source, device)
        model = new_model(recipe).to(device)
        if isinstance(model, DrNET):
            model.keep_batch_statistics()
        if places.begin is not None:
            recipe = replace(recipe, began_with=take_weights(model, places.begin))
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it
        share_statistics(model, peers)
        folder = RunFolder(places.runs / recipe.name)
        if resume and recipe.began_with is None:
            recipe = replace(recipe, began_with=folder.began_with())
        if places.keep_unfinished and not resume and peers.leads and (aside := folder.put_aside()) is not None:
            listener.on_found(f"a run that did not finish was in {folder.path}; it is now {aside}")
        if source.sides is not None:
            folder.keep_sides(source.sides, source.card.get("crop"), resume)
        hooks = Hooks(
            on_step=listener.on_step,
            on_measure=listener.on_measure,
            measure=HeldOut(source.held_out) if peers.leads else None,
            should_stop=lambda: listener.interrupted() or listener.enough(),
        )
        if (on_sample := listener.on_sample) is not None:
            hooks.sample = lambda model: on_sample(live_sample(model, source.held_out))
        listener.on_begun(recipe.steps)
        listener.on_stage("training")
        try:
            trained = train(recipe, model, objective_of(recipe), training, folder, hooks, resume, peers)
        except NonFiniteLoss as error:
            trained = best_before(error, recipe, model, folder)
            listener.on_found(f"training ended early: {error.found}; the model is that of step {trained.kept}")
    if listener.interrupted():
        raise KeyboardInterrupt
    if not trained.steps:
        raise NothingLearnt("training was ended before its first step, so that there is no model: give it more time")
    if peers.leads:
        if not listener.hurried():
            model.motion = motion_where_there_is_any(model, training, recipe.motion, listener)
        listener.on_stage("measuring")
        export(recipe, trained, model, source, places.models / recipe.name)
        folder.finish()
    return places.models / recipe.name


def check_clips_suffice(recipe: Recipe, source: Source) -> None:
    """Refuse a run whose loss needs more clips than there are.

    Raises:
        DataError: there are too few.

    """
    if isinstance(recipe.loss, AdversarialLoss) and len(source.training) < 2:
        raise DataError(
            "DrNET's adversary compares clips: at least 3 are needed, 2 of them to learn from, got "
            f"{len(source.training)} to learn from"
        )
    remembered = recipe.network.remembered if isinstance(recipe.network, DrNETConfig) else 0
    if remembered and len(source.training) < recipe.batch:  # a step's clips are then not all different ones
        raise DataError(
            f"a discriminator that remembers needs at least as many clips as a batch has, {recipe.batch}; "
            f"got {len(source.training)} to learn from"
        )


def check_shares_suffice(recipe: Recipe, peers: Peers) -> None:
    """Refuse processes so many that a share of the batch holds no two clips, which DrNET's adversary compares.

    Raises:
        UnevenShares: there are.

    """
    if isinstance(recipe.loss, AdversarialLoss) and recipe.batch < 2 * peers.count:
        raise UnevenShares(
            f"DrNET's adversary compares clips: of a batch of {recipe.batch} each of {peers.count} processes "
            "needs at least 2; start fewer"
        )
    if peers.count > 1 and isinstance(recipe.network, DrNETConfig) and recipe.network.remembered:
        raise UnevenShares(  # each would remember other clips, and one checkpoint holds the memory of one
            "a discriminator that remembers is trained by one process: start one"
        )


def best_before(error: NonFiniteLoss, recipe: Recipe, model: Disentangler, folder: RunFolder) -> Trained:
    """What is left of a run that failed: the model with the weights that measured best, where these are kept.

    Raises:
        NonFiniteLoss: none are.

    """
    best = folder.best() if recipe.patience else None
    if best is None:
        raise error
    folder.restore_best(model)
    model.eval()
    return Trained(max(error.steps, best.step), best.step, error.found)


class _Hurried(Exception):
    """Somebody waits for the model."""


def motion_where_there_is_any(
    model: Disentangler, clips: Clips, recipe: MotionRecipe, listener: Listener
) -> Motion | None:
    """The motion of these clips, or None, said so, where none can be learnt from them or somebody waits.

    Raises:
        KeyboardInterrupt: the listener is interrupted.

    """
    stages, steps = 0, 1

    def on_stage(stage: str, total: int) -> None:
        nonlocal stages, steps
        stages, steps = stages + 1, total
        listener.on_stage(stage)

    def on_step(done: int, terms: Mapping[str, float]) -> None:
        listener.on_motion((stages - 1 + done / steps) / 2)  # codes are read, then learnt from
        if listener.interrupted():
            raise KeyboardInterrupt
        if listener.hurried():
            raise _Hurried("the model is wanted now")

    try:
        return train_motion(model, clips, recipe, on_stage, on_step)
    except (DataError, _Hurried) as reason:
        listener.on_stage(f"no motion model: {reason}")
        return None
    except NonFiniteLoss as error:
        listener.on_found(f"no motion model: {error}")
        return None


@telling_a_full_disk(then="teach it again; the model is as it was")
def teach_motion(
    folder: Path,
    places: Places,
    *,
    steps: int | None = None,
    on_stage: Callable[[str, int], None] = lambda stage, total: None,
    on_step: Callable[[int, Mapping[str, float]], None] = lambda step, terms: None,
    read: Reader | None = None,
) -> str:
    """Give a model a motion, or a new one in place of its own; returns the model's new digest.

    It is taught as the recipe that made the model says, in so many steps where they are given. With 0 steps it keeps
    its motion, and only how far samples spread is set anew.

    Raises:
        CheckpointError: the folder holds no model.
        DataError: the data cannot be used, or has no movement that is long enough; or there is no motion to keep.
        TrainingError: the loss is not finite, or the disk is full.

    """
    loaded = load_model(folder, choose_device(places.device))
    if isinstance(loaded.model, DrNET):
        loaded.model.keep_batch_statistics()
    kind, sides = kind_of(loaded.config["data"]), Sides.stated(loaded.config)
    recipe = motion_of((loaded.config.get("training") or {}).get("recipe"), kind)
    source = open_source(kind, places.data, clip_frames=3, read=read, sides=sides)
    card = (folder / CARD).read_text() if (folder / CARD).is_file() else ""
    if steps == 0:
        if loaded.model.motion is None:
            raise DataError(f"{loaded.name} has no motion yet: teach it one, in any steps but 0")
        on_stage("encoding movements", kept_apart(recipe))
        calibrate(loaded.model.motion, loaded.model, source.training, recipe, lambda done: on_step(done, {}))
    else:
        recipe = recipe if steps is None else replace(recipe, steps=steps)
        loaded.model.motion = train_motion(loaded.model, source.training, recipe, on_stage, on_step)
        card = with_motion(card, fitting(recipe, source.training))
    return save_model(
        folder,
        loaded.name,
        loaded.model,
        data=loaded.config["data"],
        card=card,
        statistics=loaded.statistics,
        metrics=loaded.config["metrics"],
        training=loaded.config.get("training"),
        dtype=getattr(torch, loaded.config["weights"]["dtype"]),
    )


def take_weights(model: Disentangler, folder: Path) -> str:
    """Start from a trained model: every weight whose name and shape are also the new model's; says whose.

    Raises:
        CheckpointError: the folder holds no model.
        DataError: it is of another kind: less than half of the new model's weights are there.

    """
    given = load_model(folder, next(model.parameters()).device)
    own, theirs = model.state_dict(), given.model.state_dict()
    shared = {name: value for name, value in theirs.items() if name in own and own[name].shape == value.shape}
    count = sum(value.numel() for value in shared.values())
    if 2 * count < sum(value.numel() for value in own.values()):
        raise DataError(
            f"{given.name} shares only {count} weights with this recipe's network: begin with another model"
        )
    model.load_state_dict(shared, strict=False)
    if isinstance(model, DrNET):
        model.forget()
    return f"{given.name} {given.digest[:19]}"


def new_model(recipe: Recipe) -> Disentangler:
    """The recipe's network, untrained: always the same for a seed."""
    torch.manual_seed(seed_of(recipe.seed, -1))
    network = recipe.network
    return DrNET(network) if isinstance(network, DrNETConfig) else UnorderedVAE(network)


def export(recipe: Recipe, trained: Trained, model: Disentangler, source: Source, folder: Path) -> None:
    """Write the model folder of a trained model, with its statistics over held-out clips."""
    if isinstance(model, DrNET):
        model.forget()
    keep_spread(model, source.training)
    motion = None if model.motion is None else fitting(recipe.motion, source.training)
    statistics: dict[str, Any] = statistics_of(model, source.held_out)
    save_model(
        folder,
        recipe.name,
        model,
        data=source.card,
        card=model_card(recipe, trained, model, source.card, motion),
        statistics=statistics,
        training=told(recipe, trained) | ({"clips": source.sides.to_json()} if source.sides else {}),
    )


def told(recipe: Recipe, trained: Trained) -> dict[str, Any]:
    """What the model's config says of the run: a published recipe's name, and how far it was followed.

    `steps` were taken, at most `steps_at_most`, and the weights are those after `kept_step`.
    """
    return {
        "recipe": published_as(replace(recipe, name=recipe.name.removesuffix(TRIAL))),
        "steps": trained.steps,
        "steps_at_most": recipe.steps,
        "kept_step": trained.kept,
        "failed": trained.failed or None,
        "batch": recipe.batch,
        "seed": recipe.seed,
        "began_with": recipe.began_with,
    }


def on_device_if_it_fits(source: Source, device: torch.device) -> Clips:
    """The training clips on the GPU where half its free memory holds them, else where they are."""
    if device.type == "cuda" and isinstance(source.training, ClipPool):
        free, _ = torch.cuda.mem_get_info(device)
        if source.training.frames.nbytes < free / 2:
            return source.training.to(device)
    return source.training


class Interrupts:
    """Remembers Ctrl-C and SIGTERM while a run goes on, so that it ends between two steps."""

    def __init__(self) -> None:
        self.received = False

    def __enter__(self) -> "Interrupts":
        self.before = {number: signal.signal(number, self.receive) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)

    def receive(self, number: int, frame: object) -> None:
        """Note a signal; a second one of Ctrl-C ends the process at once."""
        if self.received:
            raise KeyboardInterrupt
        self.received = True

    def seen(self) -> bool:
        """Whether the run was asked to end."""
        return self.received
