"""The training loop: knows no model by name, resumes exactly, and stops on a loss that is not finite."""

import contextlib
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from models.disentangler import Disentangler
from training.data.pool import Clips
from training.errors import NonFiniteLoss
from training.peers import ALONE, Peers
from training.recipe import Recipe
from training.run import Best, RunFolder
from training.schedule import cosine_with_warmup

LOG_EVERY = 100  # steps
CHECKPOINT_SECONDS = 120.0
JUDGED_BY = "reconstruction_psnr"  # what decides which weights are the best: every kind of clips has it


@dataclass(frozen=True, slots=True)
class Terms:
    """What a batch costs, to be minimised, and the numbers worth showing."""

    loss: Float[Tensor, ""]  # nats per clip
    shown: dict[str, Float[Tensor, ""]]


# A family's losses on a batch of clips (b t c h w, in [0, 1]), at `progress` in [0, 1] of the run, one after the
# other: the optimizer has stepped by the one before when the next is computed.
Objective = Callable[[Disentangler, Tensor, float], Iterator[Terms]]


@dataclass(frozen=True, slots=True)
class Trained:
    """What became of a run."""

    steps: int  # taken, by all that went on with it together
    kept: int  # the one after which the model's weights are: that of the best look, where the best are kept
    failed: str = ""  # what ended it, where that was a failure


@dataclass(slots=True)
class Hooks:
    """What is called while a run goes on: the progress bar, and the held-out measure and its listener."""

    on_step: Callable[[int, Mapping[str, float], float], None] = lambda step, shown, speed: None
    on_measure: Callable[[int, Mapping[str, float]], None] = lambda step, scores: None
    measure: Callable[[Disentangler], dict[str, float]] | None = None
    sample: Callable[[Disentangler], None] = lambda model: None  # called beside the measure, in evaluation mode
    should_stop: Callable[[], bool] = field(default=lambda: False)


def choose_device(name: str = "auto") -> torch.device:
    """The device of that name; "auto" takes a GPU where there is one."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(name)


def precision(device: torch.device) -> contextlib.AbstractContextManager[Any]:
    """Autocast to bf16 where the hardware multiplies it faster than float32; else nothing."""
    if device.type == "cuda":
        helps = torch.cuda.is_bf16_supported()
    else:
        helps = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=helps)


def train(
    recipe: Recipe,
    model: Disentangler,
    objective: Objective,
    pool: Clips,
    folder: RunFolder,
    hooks: Hooks,
    resume: bool = False,
    peers: Peers = ALONE,
) -> Trained:
    """Train `model` in place on the device where it is; returns the number of steps taken, and whose weights it has.

    Every step's batch and noise come from the seed and the step's number alone, so a resumed run takes
    the very steps that an uninterrupted one takes. With a recipe's patience the run may end before its last step, and
    the model is left with the weights that measured best, whatever ended it. Peers draw the same batch, take a share
    of it each with noise of their own, and end with the same weights; one of them keeps the folder. What the
    recipe keeps gets no gradient, also afterwards.

    Raises:
        NonFiniteLoss: before anything is kept that it touched; the folder keeps the last good checkpoint.
        ResumeMismatch: the folder holds another run.
        UnevenShares: the recipe's batch does not divide among the peers.

    """
    device = next(model.parameters()).device
    for name in recipe.kept:
        model.get_submodule(name).requires_grad_(False)
    optimizer = torch.optim.Adam(model.parameters(), recipe.learning_rate, recipe.momenta, fused=True)
    if peers.leads:
        folder.begin(recipe, resume)
    step = folder.restore(model, optimizer) if resume else 0
    if resume and peers.leads:
        folder.forget_after(step)
    model.train()
    looking = Looking(hooks, folder, recipe.patience * recipe.measure_every, resume)
    saved_at, clock = time.monotonic(), Speedometer(recipe.batch * recipe.clip_frames)
    every, latest = looks_every(device), dict[str, Tensor]()
    while step < recipe.steps and not peers.any(hooks.should_stop()):
        torch.manual_seed(seed_of(recipe.seed + peers.rank, step))
        generator = torch.Generator().manual_seed(seed_of(recipe.seed, step))
        within = None if recipe.reach is None else round(recipe.reach(step / recipe.steps))
        frames = peers.share(pool.draw(recipe.batch, recipe.clip_frames, generator, within)).to(device)
        for group in optimizer.param_groups:
            rate = cosine_with_warmup(step, recipe.steps, recipe.warmup, recipe.cycles)
            group["lr"] = recipe.learning_rate * rate
        losses = objective(model, frames, step / recipe.steps)
        latest = {}
        while (terms := following(losses, device)) is not None:
            optimizer.zero_grad(set_to_none=True)
            terms.loss.backward()  # type: ignore[no-untyped-call]
            peers.average_gradients(model.parameters())
            latest |= terms.shown
            if step % every == 0:
                check_finite(peers.average({"loss": terms.loss})["loss"], latest, step)
            torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.largest_gradient)
            optimizer.step()  # what has no gradient stays as it is, its moments too
        step += 1
        clock.tick()
        if step % every == 0:
            shown = {name: float(value) for name, value in peers.average(latest).items()}
            hooks.on_step(step, shown, clock.frames_per_second)
            if step % LOG_EVERY == 0 and peers.leads:
                folder.log({"step": step, **shown, "frames_per_second": clock.frames_per_second})
        if step % recipe.measure_every == 0 or step == recipe.steps:
            check_weights(model, latest, step)
            looking.look(step, model)
            if peers.any(looking.enough(step)):
                break
        if peers.leads and time.monotonic() - saved_at > CHECKPOINT_SECONDS:
            check_weights(model, latest, step)
            folder.save(step, model, optimizer)
            saved_at = time.monotonic()
    check_weights(model, latest, step)
    if peers.leads:
        folder.save(step, model, optimizer)
    if recipe.patience:
        if step:  # untrained weights are nobody's best
            looking.look(step, model)
        looking.take_best(model)
    model.eval()
    kept = looking.best.step if looking.best is not None else step
    return Trained(max(step, kept), kept)  # the best may be of steps that a run which died had taken


class Looking:
    """The measure on held-out clips as a run goes on; with patience (steps) it keeps the best weights in the folder."""

    def __init__(self, hooks: Hooks, folder: RunFolder, patience: int, resume: bool) -> None:
        self.hooks, self.folder, self.patience = hooks, folder, patience
        # Of peers that train together one looks; the others have no best, and never say that it is enough.
        self.best = folder.best() if resume and patience and hooks.measure is not None else None
        self.looked_at = -1

    def look(self, step: int, model: Disentangler) -> None:
        """Measure once a step, and tell."""
        if self.hooks.measure is None or step == self.looked_at:
            return
        self.looked_at = step
        with evaluating(model), precision(next(model.parameters()).device):
            scores = self.hooks.measure(model)
            self.hooks.sample(model)
        self.folder.log({"step": step, **scores})
        self.hooks.on_measure(step, scores)
        if self.patience and (self.best is None or scores[JUDGED_BY] > self.best.score):
            self.best = Best(scores[JUDGED_BY], step)
            self.folder.keep_best(self.best, model)

    def enough(self, step: int) -> bool:
        """Whether nothing better has come for so long."""
        return bool(self.patience and self.best and step - self.best.step >= self.patience)

    def take_best(self, model: Disentangler) -> None:
        """Leave the model with the weights that measured best."""
        if self.best is not None:
            self.folder.restore_best(model)


def seed_of(seed: int, step: int) -> int:
    """One seed a step, different for every run seed."""
    return (seed * 1_000_003 + step) % 2**63


def looks_every(device: torch.device) -> int:
    """How many steps lie between two looks at the loss: to read it waits for a GPU, so that is done now and then."""
    return 1 if device.type == "cpu" else LOG_EVERY


def following(losses: Iterator[Terms], device: torch.device) -> Terms | None:
    """The next loss of a step, in the precision of the device; None after the last."""
    with precision(device):
        return next(losses, None)


def check_finite(loss: Float[Tensor, ""], shown: Mapping[str, Tensor], step: int) -> None:
    """Refuse a loss that is NaN or infinite.

    Raises:
        NonFiniteLoss: it is; the message names the terms and the remedy.

    """
    if not math.isfinite(float(loss.detach())):
        raise _not_finite("the loss is not finite at", shown, step)


def check_weights(model: nn.Module, shown: Mapping[str, Tensor], step: int) -> None:
    """Refuse to keep weights that a step with a NaN or infinite gradient has made, though nobody looked at it.

    Raises:
        NonFiniteLoss: some are not finite; they never are again.

    """
    if not all_finite(model):
        raise _not_finite("the weights are not finite after", shown, step)


def all_finite(module: nn.Module) -> bool:
    """Whether no weight and no running statistic is NaN or infinite."""
    numbers = [value for value in module.state_dict().values() if value.is_floating_point()]
    return bool(torch.stack([value.isfinite().all() for value in numbers]).all())


def _not_finite(what: str, shown: Mapping[str, Tensor], step: int) -> NonFiniteLoss:
    terms = ", ".join(f"{name} {float(value):.4g}" for name, value in shown.items())
    return NonFiniteLoss(
        f"{what} step {step} ({terms})",
        "the last good checkpoint is kept: look for broken clips, or begin anew with a recipe of a lower learning rate "
        "(training/recipes.py)",
        step,
    )


@contextlib.contextmanager
def evaluating(model: Disentangler) -> Iterator[None]:
    """Evaluation mode for a while, without gradients, and then whatever mode it was in."""
    before = model.training
    model.eval()
    with torch.inference_mode():
        yield
    model.train(before)


class Speedometer:
    """Frames per second, smoothed over about fifty steps."""

    def __init__(self, frames_per_step: int) -> None:
        self.frames_per_step = frames_per_step
        self.seconds_per_step = 0.0
        self.last = time.monotonic()

    def tick(self) -> None:
        """Count one step."""
        now = time.monotonic()
        took, self.last = now - self.last, now
        self.seconds_per_step = 0.98 * self.seconds_per_step + 0.02 * took if self.seconds_per_step else took

    @property
    def frames_per_second(self) -> float:
        """Frames that went through the model per second."""
        return self.frames_per_step / self.seconds_per_step if self.seconds_per_step else 0.0
