"""A person's own clips, from their frames to a model that is measured and shown: what `twofold train --clips` does."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np
import torch
from rich.progress import Progress

from models.checkpoint import CARD, CONFIG, load_model, write_atomically
from training.data.pool import ClipPool
from training.drnet_recipes import own_clips_drnet
from training.errors import NameUsed, TrainingError, telling_a_full_disk
from training.loop import Hooks, choose_device, train
from training.metrics.own_clips import measure_clips, measure_scene
from training.metrics.own_pictures import learning_curve, own_samples
from training.objectives import objective_of
from training.peers import started_together
from training.recipe import Recipe
from training.recipes import own_clips
from training.report import Report, origin
from training.run import RunFolder
from training.sizing import dynamic_size, static_size
from training.sources import Source
from training.train import Listener, Places, check_clips_suffice, new_model, run_on, shortened

Family = Literal["vae", "drnet"]
Crop = Literal["center", "face"]
RECIPES: dict[Family, Callable[[], Recipe]] = {"vae": own_clips, "drnet": own_clips_drnet}

PACED_STEPS = 5  # timed before a run that has so many minutes; the first two, which allocate memory, are left out
PACED_ON_GPU = 60  # they are short, and the device is waited for at the end of each
SLOW_STEP = 0.2  # seconds, from which on one step tells enough
FOR_NETWORK = 0.7  # share of the minutes; motion and measures take the rest
LOOKS, LEAST_BETWEEN = 16, 25  # at held-out clips in a run that has so many minutes, and the steps between two
LEAST_STEPS, MOST_STEPS = 100, 40_000  # of a run that has so many minutes
MOTION_A_MINUTE = 100  # steps of the motion, and stretches it learns from, for each of the minutes
CURVE, SAMPLES = "curve.png", "samples.png"


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """What a person asks of a model of their own clips; whatever is left out, the clips decide."""

    name: str
    family: Family = "vae"
    crop: Crop = "center"  # how the clips were cut, for the model's card
    minutes: float | None = None  # about so long, all in all; else until held-out clips are redrawn no better
    steps: int | None = None  # at most
    static_dim: int | None = None
    dynamic_dim: int | None = None
    replace: bool = False  # a finished model of the name

    def __post_init__(self) -> None:
        if self.minutes is not None and not 0 < self.minutes < math.inf:
            raise ValueError(f"minutes must be above 0 and have an end, got {self.minutes:g}")


@telling_a_full_disk()
def train_own(
    source: Source, wish: Wish, places: Places, *, resume: bool = False, listener: Listener | None = None
) -> Path:
    """Train a model on a person's clips and write its folder, with its card, numbers and pictures; returns that folder.

    Raises:
        DataError: the clips cannot be used.
        TrainingError: the loss is not finite, the disk is full, or there is another run in the way.
        KeyboardInterrupt: the run was interrupted; `resume` takes it up.

    """
    if started_together():
        raise TrainingError("own clips are few, and trained on by one process: start it without torchrun")
    listener = listener or Listener()
    for line in source.found:
        listener.on_found(line)
    source = replace(source, card={**source.card, "crop": wish.crop})
    recipe = recipe_for(wish, source)
    listener.on_found(told_sizes(recipe))
    check_clips_suffice(recipe, source)
    runs = RunFolder(places.runs / wish.name)
    with runs.held():
        # Whoever held the name before may have finished since the caller looked.
        refuse_finished(wish, places, resume)
        if wish.minutes is not None:
            left = FOR_NETWORK * 60 * wish.minutes
            steps = runs.begun_steps() if resume else None
            if steps is None:
                listener.on_stage("timing a few steps")
                steps = paced_steps(recipe, source, places.device, left)
            steps = min(steps, wish.steps or steps)
            # The time ends it, and not held-out clips; they are looked at often enough to see how it goes.
            looks = max(LEAST_BETWEEN, steps // LOOKS)
            recipe = replace(recipe, steps=steps, measure_every=min(recipe.measure_every, looks), patience=steps)
            # From here on, so that a machine that was slow to come here still trains.
            deadline, asked = time.monotonic() + left, listener.enough
            listener = replace(listener, enough=lambda: asked() or time.monotonic() > deadline)
        folder = run_on(source, recipe, places, resume=resume, listener=listener)
        show(folder, source, runs)
    return folder


def refuse_finished(wish: Wish, places: Places, resume: bool) -> None:
    """Refuse to train anew what would take a finished model's place, unless that is wished for.

    Raises:
        NameUsed: it would.

    """
    if not (resume or wish.replace) and (places.models / wish.name / CONFIG).is_file():
        raise NameUsed(
            f"there is a model called {wish.name} already: choose another name, or say --replace to have it replaced "
            "by a new one, or --resume to go on with its run"
        )


def recipe_for(wish: Wish, source: Source) -> Recipe:
    """The family's recipe with codes that suit the clips, and no more steps than are asked for."""
    recipe = replace(RECIPES[wish.family](), name=wish.name)
    if isinstance(source.training, ClipPool):
        network = replace(
            recipe.network,
            static_dim=wish.static_dim or static_size(source.training),
            dynamic_dim=wish.dynamic_dim or dynamic_size(source.training),
        )
        recipe = replace(recipe, network=network)
    if wish.steps is not None:
        recipe = shortened(recipe, wish.steps)
    if wish.minutes is not None:
        most = max(20, round(MOTION_A_MINUTE * wish.minutes))
        motion = recipe.motion
        recipe = replace(recipe, motion=replace(motion, runs=min(motion.runs, most), steps=min(motion.steps, most)))
    return recipe


def recipe_frames(family: Family) -> int:
    """How many frames of a clip an example of the family has: the least that a clip needs."""
    return RECIPES[family]().clip_frames


def told_sizes(recipe: Recipe) -> str:
    """Say how large the codes will be."""
    return f"codes: {recipe.network.static_dim} numbers for who or what, {recipe.network.dynamic_dim} for each frame"


def paced_steps(recipe: Recipe, source: Source, device: str, seconds: float) -> int:
    """The number of steps that this machine takes in so many seconds, from 100 to 40 000, by timing a few."""
    chosen = choose_device(device)
    stamps: list[float] = []

    def enough() -> bool:  # asked before each step
        if chosen.type == "cuda":
            torch.cuda.synchronize(chosen)  # until then the GPU has only been told what to do
        stamps.append(time.monotonic())
        return len(stamps) > 3 and stamps[-1] - stamps[-2] > SLOW_STEP

    few = replace(recipe, steps=PACED_STEPS if chosen.type == "cpu" else PACED_ON_GPU, patience=0)
    with TemporaryDirectory() as folder:
        hooks = Hooks(should_stop=enough)
        train(few, new_model(few).to(chosen), objective_of(few), source.training, RunFolder(Path(folder)), hooks)
    each = float(np.median(np.diff(stamps)[2:]))
    return int(np.clip(seconds / each, LEAST_STEPS, MOST_STEPS))


def show(folder: Path, source: Source, runs: RunFolder) -> None:
    """Measure the model on held-out clips; write its numbers, the curve of its training and pictures beside it."""
    began, loaded = time.monotonic(), load_model(folder, "cpu")
    with Progress(disable=True) as progress:
        results: dict[str, Any] = measure_clips(loaded.model, source, progress)
        results |= measure_scene(loaded.model, source, progress)
    measured = origin("", loaded.device, time.monotonic() - began)
    Report.of(loaded, results, measured).write(folder, None)
    write_atomically(folder / SAMPLES, own_samples(loaded.model, source.training, source.held_out))
    write_atomically(folder / CURVE, learning_curve(runs.entries()))
    card = (folder / CARD).read_text()
    pictures = (
        f"\n![Held-out clips, redrawn, and others doing what they do]({SAMPLES})\n"
        f"\n![How well held-out clips were redrawn while the model learnt]({CURVE})\n"
    )
    write_atomically(folder / CARD, card.replace("\n## Limits", f"{pictures}\n## Limits", 1).encode())
