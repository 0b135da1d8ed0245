"""Teaching a model's motion: the LSTM over the codes of its frozen encoders, first on true codes, then on its own.

The authors' code shows true poses at every step (teacher forcing), so that what the LSTM does with its own errors is
never trained; and it leaves BatchNorm in training mode, so that a code depends on the batch. Here the encoders
are in evaluation mode, every step's prediction from true codes is scored by its likelihood, and from the same
observed frames the future is rolled out, mean after mean, over a horizon that grows while the run goes on, and is
held to the true codes with gradients through the whole of it. The static code is drawn from its posterior at every
step, so that a movement is not known by the face that made it.

Last, the samples' spread is calibrated on movements of clips that were kept apart; of a single clip there are none, and
its samples' spread is left as it was learnt.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor

from models.disentangler import Disentangler
from models.motion import Motion, MotionConfig
from training.data.errors import DataError
from training.data.pool import Clips
from training.errors import NonFiniteLoss
from training.loop import all_finite, evaluating, precision, seed_of
from training.recipe import MotionRecipe
from training.schedule import cosine_with_warmup

BATCH = 50  # runs encoded at a time
KEPT_APART = 20  # one clip in so many, and one run in so many, calibrates the samples instead
CENTRAL = 0.9  # share of the samples that should hold as large a share of what comes
WIDENINGS = (*(1 + 0.1 * step for step in range(21)), 3.5, 4.0, 4.5, 5.0)
LEAST_FRAMES = 6  # of a run: fewer hold no motion worth learning
LOWER = "teach it with a recipe of a lower learning rate (training/recipes.py)"


@dataclass(frozen=True, slots=True)
class CodedRuns:
    """The codes of stretches of movement: who is seen in the observed frames, and what all frames do."""

    static: Float[Tensor, "n s"]
    dynamic: Float[Tensor, "n t z"]
    static_std: Float[Tensor, "n s"]  # of each posterior; 0 where a family has none
    static_var: Float[Tensor, " s"]  # mean variance of the posteriors
    dynamic_var: Float[Tensor, " z"]


def code_runs(
    model: Disentangler,
    clips: Clips,
    count: int,
    length: int,
    observed: int,
    seed: int,
    on_run: Callable[[int], None] = lambda done: None,
    numbers: Sequence[int] | None = None,
) -> CodedRuns:
    """The codes of `count` stretches of `length` frames; the static code is of the first `observed` ones.

    They are of clips of these `numbers`, or of any that are long enough, and of one clip as often as chance has it.

    Raises:
        DataError: no clip is so long.

    """
    numbers = clips.with_runs(length) if numbers is None else numbers
    if not numbers:
        raise DataError(f"no clip has {length} frames in a row, so there is no motion to learn")
    device, generator = next(model.parameters()).device, torch.Generator().manual_seed(seed)
    static, dynamic, std, unsure = [], [], [], []
    with evaluating(model), precision(device):
        for first in range(0, count, BATCH):
            chosen = torch.randint(len(numbers), (min(BATCH, count - first),), generator=generator)
            runs = torch.stack([clips.run(numbers[int(which)], length, generator) for which in chosen]).to(device)
            who, codes = model.encode(runs[:, :observed]).static, model.encode_dynamic(runs)
            static.append(who.mean.float().cpu())
            dynamic.append(codes.mean.float().cpu())
            std.append(who.std.float().cpu())
            unsure.append((who.std.float().square().mean(0).cpu(), codes.std.float().square().mean((0, 1)).cpu()))
            on_run(first + len(chosen))
    static_var, dynamic_var = (torch.stack(parts).mean(0) for parts in zip(*unsure, strict=True))
    return CodedRuns(torch.cat(static), torch.cat(dynamic), torch.cat(std), static_var, dynamic_var)


def parted(numbers: Sequence[int], seed: int) -> tuple[Sequence[int], Sequence[int]]:
    """Numbers of clips to learn motion from, and of one in twenty, at least one, that only calibrate it.

    Stretches of one clip overlap, and a motion is surer of those that it learnt: hence whole clips. One clip alone is
    learnt from, and none calibrates.
    """
    if len(numbers) < 2:
        return numbers, ()
    order = torch.randperm(len(numbers), generator=torch.Generator().manual_seed(seed)).tolist()
    kept = max(1, len(numbers) // KEPT_APART)
    return [numbers[which] for which in order[kept:]], [numbers[which] for which in order[:kept]]


def new_motion(model: Disentangler, runs: CodedRuns, recipe: MotionRecipe) -> Motion:
    """An untrained motion model for these codes, which it will see standardised.

    A dimension that tells frames apart by less than the posteriors' own spread is an unused one; it is measured
    by that spread, so that its noise is not blown up to the size of a motion, nor a sampled identity, which has
    the prior's spread there, seen as somebody out of this world.
    """
    torch.manual_seed(recipe.seed)
    motion = Motion(
        MotionConfig(
            static_dim=model.static_dim,
            dynamic_dim=model.dynamic_dim,
            hidden=recipe.hidden,
            layers=recipe.layers,
            codes=model.dynamic_range,
            components=recipe.components,
            starts=min(recipe.starts, len(runs.dynamic)),
        )
    )
    flat = runs.dynamic.flatten(0, 1)
    motion.get_buffer("static_mean").copy_(runs.static.mean(0))
    motion.get_buffer("static_std").copy_((runs.static.var(0) + runs.static_var).sqrt().clamp_min(1e-2))
    motion.get_buffer("dynamic_mean").copy_(flat.mean(0))
    motion.get_buffer("dynamic_std").copy_((flat.var(0) + runs.dynamic_var).sqrt().clamp_min(1e-3))
    if motion.config.starts:
        motion.get_buffer("starts").copy_(runs.dynamic[: motion.config.starts, 0])  # runs come in random order
    return motion


def motion_loss(
    motion: Motion,
    static: Float[Tensor, "b s"],
    dynamic: Float[Tensor, "b t z"],
    seen: Float[Tensor, "b t z"],
    observed: int,
    horizon: int,
    own_weight: float,
) -> tuple[Float[Tensor, ""], dict[str, float]]:
    """−log p of every next code given those seen, in nats a dimension, + the squared error of the mean roll-out.

    Both are of standardised codes, so that one scale serves every family. `seen` are the true codes or noisy ones;
    `horizon` frames are rolled out.
    """
    std = motion.get_buffer("dynamic_std")
    prediction, _ = motion.observe(seen[:, :-1], static)
    surprise = -(prediction.log_prob(dynamic[:, 1:]) + torch.log(std).sum()).mean() / dynamic.shape[2]
    if own_weight == 0:
        return surprise, {"surprise": float(surprise.detach())}
    future = motion.roll_out(seen[:, :observed], static, horizon)
    error = (((future - dynamic[:, observed : observed + horizon]) / std) ** 2).mean()
    return surprise + own_weight * error, {"surprise": float(surprise.detach()), "error": float(error.detach())}


def train_motion(
    model: Disentangler,
    clips: Clips,
    recipe: MotionRecipe,
    on_stage: Callable[[str, int], None] = lambda stage, total: None,
    on_step: Callable[[int, dict[str, float]], None] = lambda step, terms: None,
) -> Motion:
    """Teach a motion on the model's codes of these clips, and return it in evaluation mode, where the model is.

    Clips too short for the recipe's runs make shorter runs, down to 6 frames.

    Raises:
        DataError: no clip is long enough.
        NonFiniteLoss: the loss is not finite, or what the last step made of the weights.

    """
    recipe = fitting(recipe, clips)
    length, observed = recipe.length, recipe.observed
    on_stage("encoding movements", recipe.runs)
    learnt, apart = parted(clips.with_runs(length), recipe.seed)
    kept = kept_apart(recipe) if apart else 0
    count = max(1, recipe.runs - kept)
    runs = code_runs(model, clips, count, length, observed, recipe.seed, lambda done: on_step(done, {}), learnt)
    motion = new_motion(model, runs, recipe)
    optimizer = torch.optim.Adam(motion.parameters(), recipe.learning_rate)
    on_stage("teaching motion", recipe.steps)
    for step in range(recipe.steps):
        generator = torch.Generator().manual_seed(seed_of(recipe.seed, step))
        chosen = torch.randint(len(runs.static), (recipe.batch,), generator=generator)
        who = runs.static[chosen]
        who = who + runs.static_std[chosen] * torch.randn(who.shape, generator=generator)
        codes = runs.dynamic[chosen]
        seen = codes
        if recipe.unsure:
            seen = codes + recipe.unsure * runs.dynamic_var.sqrt() * torch.randn(codes.shape, generator=generator)
        if recipe.jitter:
            stray = motion.get_buffer("dynamic_std") * torch.randn(codes.shape, generator=generator)
            seen = seen + recipe.jitter * stray
        for group in optimizer.param_groups:
            group["lr"] = recipe.learning_rate * cosine_with_warmup(step, recipe.steps, 100)
        grown = min(1.0, (step + 1) / (recipe.growing * recipe.steps))
        horizon = max(1, math.ceil(grown * (length - observed)))
        loss, terms = motion_loss(motion, who, codes, seen, observed, horizon, recipe.own_weight)
        if not math.isfinite(float(loss.detach())):
            raise NonFiniteLoss(f"the motion's loss is not finite at step {step} ({terms})", LOWER, step)
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(motion.parameters(), 1.0)
        optimizer.step()
        on_step(step + 1, terms)
    if not all_finite(motion):  # the last step's gradient was not
        raise NonFiniteLoss("the motion's weights are not finite after its last step", LOWER, recipe.steps)
    motion.eval().requires_grad_(False)
    calibrate(motion, model, clips, recipe)
    return motion.to(next(model.parameters()).device)


def kept_apart(recipe: MotionRecipe) -> int:
    """How many runs calibrate a motion, where there are clips for them."""
    return max(1, recipe.runs // KEPT_APART)


def calibrate(
    motion: Motion,
    model: Disentangler,
    clips: Clips,
    recipe: MotionRecipe,
    on_run: Callable[[int], None] = lambda done: None,
) -> None:
    """Set how far samples spread, by movements of the clips that the motion did not learn from, if there are such.

    Raises:
        DataError: no clip is long enough.

    """
    recipe = fitting(recipe, clips)
    _, apart = parted(clips.with_runs(recipe.length), recipe.seed)
    if not apart:
        return
    # A seed of their own: where clips have no end their numbers say nothing, and one seed moves all alike.
    seed = seed_of(recipe.seed, recipe.steps)
    runs = code_runs(model, clips, kept_apart(recipe), recipe.length, recipe.observed, seed, on_run, apart)
    device = motion.get_buffer("widening").device
    widening = calibrated(motion, runs.static.to(device), runs.dynamic.to(device), recipe.observed)
    motion.get_buffer("widening").fill_(widening)


@torch.inference_mode()
def calibrated(
    motion: Motion, static: Float[Tensor, "n s"], dynamic: Float[Tensor, "n t z"], observed: int, samples: int = 40
) -> float:
    """The least widening with which the central 90 % of sampled futures hold 90 % of what came.

    It is sought from 1 to 5, and 5 means: that, or more.

    A single step's likelihood, as it is trained, does not answer for what twenty steps add up to: their errors go
    together, and a step's own spread is that of codes, not of people who change their minds.
    """
    truth = dynamic[:, observed:]
    for widening in WIDENINGS:
        motion.get_buffer("widening").fill_(widening)
        futures = motion.roll_out(
            dynamic[:, :observed].repeat(samples, 1, 1),
            static.repeat(samples, 1),
            truth.shape[1],
            torch.Generator().manual_seed(0),
        )
        inside = within_central(rearrange(futures, "(n b) t z -> n b t z", n=samples), truth)
        if float(inside.float().mean()) >= CENTRAL:
            return widening
    return WIDENINGS[-1]


def within_central(samples: Float[Tensor, "n b t z"], truth: Float[Tensor, "b t z"]) -> Bool[Tensor, "b t z"]:
    """Whether the truth lies within the central 90 % of the samples, code by code.

    Below the j-th smallest of n samples lies j / (n + 1) of what they are drawn from, on average, and not j / n: few
    samples seldom hold the ends. `quantile` finds that one at (j − 1) / (n − 1). With less than 19 samples no two hold
    90 %: the least and the largest hold (n − 1) / (n + 1).
    """
    count, tail = len(samples), (1 - CENTRAL) / 2
    share = max(0.0, (tail * (count + 1) - 1) / max(1, count - 1))
    low, high = (torch.quantile(samples, at, dim=0) for at in (share, 1 - share))
    return (truth >= low) & (truth <= high)


def fitting(recipe: MotionRecipe, clips: Clips) -> MotionRecipe:
    """The recipe with runs that these clips have, and no more than a third of each observed.

    Raises:
        DataError: they are too short to learn motion from.

    """
    length = longest_run(clips, recipe.length)
    return replace(recipe, length=length, observed=min(recipe.observed, max(2, length // 3)))


def longest_run(clips: Clips, wanted: int) -> int:
    """The longest run, at most `wanted` frames, that at least half of the clips have.

    Raises:
        DataError: they have less than 6 frames.

    """
    for length in range(wanted, LEAST_FRAMES - 1, -1):
        if 2 * len(clips.with_runs(length)) >= len(clips):
            return length
    raise DataError(f"most clips have less than {LEAST_FRAMES} frames in a row, too few to learn motion from")
