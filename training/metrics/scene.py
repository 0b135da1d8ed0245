"""Whether dynamic codes tell which video they are of: what DrNET's adversary is there to prevent.

A fresh probe, of the shape of the scene discriminator and unknown to the model, learns on pairs of dynamic codes of
training clips whether both are of one clip, and answers for held-out clips. Half of the pairs are of one clip, so
chance is one half. The probe learns until it no longer gets better; a code that hides its clip stays at chance.

Where the dynamic factors themselves tell clips apart, a code that holds them and nothing else does so too. A digit that
goes at speed 0 along one side, as one in eight does, is at the same height or breadth in all frames of its clip. So a
probe of the true places says how much a code may tell; frames of drawn faces are of movements of their own, and there
it is chance.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from rich.progress import Progress
from torch import Tensor
from torch.nn import functional

from models.disentangler import Disentangler
from models.drnet_blocks import SceneDiscriminator
from training.data.digits import MovingDigits
from training.data.pool import ClipPool, Clips
from training.loop import seed_of
from training.metrics.bootstrap import Estimate, mean_over_pairs, numbered, weights

HIDDEN = 256
FRAMES = 8  # codes of each clip
BATCH = 50  # clips encoded at a time
PAIRS = 512  # in a step of the probe
ROUNDS = 200  # bootstrap


@dataclass(frozen=True, slots=True)
class SceneProbe:
    """The share of held-out pairs that a fresh probe tells right; chance is 0.5."""

    right: Estimate
    places: Estimate | None  # of a probe of the true places, where clips have such
    clips: int  # held out
    steps: int


@torch.inference_mode()
def clip_codes(model: Disentangler, clips: Clips, count: int, seed: int) -> Float[Tensor, "n t z"]:
    """The dynamic codes of random frames of so many random clips, or of all where there are no more."""
    device, generator = next(model.parameters()).device, torch.Generator().manual_seed(seed)
    numbers = chosen(clips, count, generator)
    parts = []
    for some in torch.split(numbers, BATCH):
        # Those of a pool are its own, one by one: a clip that came twice would be paired with itself as another.
        drawn = clips.draw_of(some, FRAMES, generator) if isinstance(clips, ClipPool) else None
        frames = clips.draw(len(some), FRAMES, generator) if drawn is None else drawn
        parts.append(model.encode_dynamic(frames.to(device)).mean.float().cpu())
    return torch.cat(parts)


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs of codes, and which clips they are of."""

    first: Float[Tensor, "p z"]
    second: Float[Tensor, "p z"]
    clips: Int[Tensor, "p 2"]

    @property
    def apart(self) -> Float[Tensor, " p"]:
        """1 where they are of two clips, else 0."""
        return (self.clips[:, 0] != self.clips[:, 1]).float()


def pairs_of(codes: Float[Tensor, "n t z"], count: int, generator: torch.Generator) -> Pairs:
    """The first half are of one clip's different frames, the others of two clips."""
    clips, length = codes.shape[:2]
    first = torch.randint(clips, (count,), generator=generator)
    frame = torch.randint(length, (count,), generator=generator)
    apart = torch.arange(count) >= count // 2
    second = torch.where(apart, (first + torch.randint(1, clips, (count,), generator=generator)) % clips, first)
    shift = torch.randint(1, length, (count,), generator=generator)
    return Pairs(codes[first, frame], codes[second, (frame + shift) % length], torch.stack([first, second], 1))


def chosen(clips: Clips, count: int, generator: torch.Generator) -> Int[Tensor, " n"]:
    """The numbers of so many random clips, or of all where there are no more."""
    return torch.randperm(len(clips), generator=generator)[:count]


def scene_probe(
    model: Disentangler,
    training: Clips,
    held_out: Clips,
    progress: Progress,
    num_training: int = 2000,
    num_held_out: int = 500,
    steps: int = 1500,
    seed: int = 3,
    files: Int[np.ndarray, " clips"] | None = None,
) -> SceneProbe:
    """Teach a fresh probe on training clips, and count what it tells right of held-out ones.

    `files` says which file, toy or person each held-out clip of a pool is of, if not its own: intervals are over these.
    """
    known, unknown = clip_codes(model, training, num_training, seed), clip_codes(model, held_out, num_held_out, seed)
    places = None
    if isinstance(training, MovingDigits) and isinstance(held_out, MovingDigits):
        there = training.places(len(known), FRAMES, torch.Generator().manual_seed(seed))
        elsewhere = held_out.places(len(unknown), FRAMES, torch.Generator().manual_seed(seed))
        places = told_right(there, elsewhere, progress, steps, seed)
    of = None
    if files is not None and isinstance(held_out, ClipPool):  # elsewhere clips are new ones, of no file
        of = files[chosen(held_out, num_held_out, torch.Generator().manual_seed(seed)).numpy()]
    return SceneProbe(told_right(known, unknown, progress, steps, seed, of), places, len(unknown), steps)


def told_right(
    known: Float[Tensor, "n t z"],
    unknown: Float[Tensor, "m t z"],
    progress: Progress,
    steps: int,
    seed: int,
    files: Int[np.ndarray, " m"] | None = None,
) -> Estimate:
    """What a probe that learnt on known codes tells right of unknown ones, of one clip each, or of these `files`."""
    mean, std = known.mean((0, 1)), known.std((0, 1)).clamp_min(1e-6)
    known, unknown = (known - mean) / std, (unknown - mean) / std
    torch.manual_seed(seed)
    probe = SceneDiscriminator(known.shape[2], HIDDEN)
    optimizer = torch.optim.Adam(probe.parameters(), 1e-3)
    for step in progress.track(range(steps), description="probing for the scene"):
        pairs = pairs_of(known, PAIRS, torch.Generator().manual_seed(seed_of(seed, step)))
        loss = functional.binary_cross_entropy_with_logits(probe(pairs.first, pairs.second), pairs.apart)
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        optimizer.step()
    with torch.inference_mode():
        pairs = pairs_of(unknown, 20 * PAIRS, torch.Generator().manual_seed(seed))
        right = ((probe(pairs.first, pairs.second) > 0).float() == pairs.apart).double().numpy()
    # Pairs share clips, and are no independent draws: clips are resampled, or whose they are.
    of = np.arange(len(unknown)) if files is None else numbered(files)
    drawn = weights(np.random.default_rng(seed), int(of.max()) + 1, ROUNDS)
    halves = [mean_over_pairs(right[part], of[pairs.clips[part].numpy()], drawn) for part in halved(len(right))]
    return Estimate.of(float(right.mean()), np.mean(halves, axis=0))


def halved(count: int) -> tuple[slice, slice]:
    """Pairs of one clip, and pairs of two."""
    return slice(count // 2), slice(count // 2, None)
