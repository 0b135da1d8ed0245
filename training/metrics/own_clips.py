"""What can be measured of clips that cannot be drawn anew: how well held-out ones are redrawn, and their swaps known.

The true picture of a swap is not to be had. But whether a model recognises its own swaps is (`consistency`), and
whether its dynamic codes tell which clip they are of (`scene`): a model that redraws clips well and disentangles
nothing fails at one or the other. Where few clips are held out some training clips stand beside them, to swap with
and to be told from; each pair has a held-out clip in it.

Scenes of one file are no independent draws, nor are clips of one toy or person, where labels say whose they are: so
intervals are over these, and swaps are of different ones. Of less than five there is no interval.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from rich.progress import Progress
from torch import Tensor

from models.disentangler import Disentangler, decode_in_chunks, encode_in_chunks
from training.data.pool import ClipPool, Clips, even_numbers, evenly
from training.metrics.bootstrap import Estimate, mean_over_identities, numbered, weights
from training.metrics.consistency import consistency
from training.metrics.scene import FRAMES, scene_probe
from training.metrics.ssim import frame_ssim
from training.metrics.swaps import CLIP_FRAMES, as_bytes, decode_pairs, encode, frame_psnr
from training.sources import Source

SEED = 11
LEAST_FILES = 5  # held out, for an interval
AMONG, MOST = 10, 300  # clips that a code is to be found among: with training ones at least, of held-out ones at most
PARTNERS = 3  # appearances that each motion is given to
LEAST_TO_PROBE = (10, 2)  # clips to teach a probe on, and to ask it about: it learns of fewer how these few look


def measure_clips(model: Disentangler, source: Source, progress: Progress) -> dict[str, Any]:
    """Reconstruction of held-out clips, 8 frames spread over each, and their swaps encoded again."""
    files = held_out_files(source)
    psnr, ssim = reconstructed(model, source.held_out, progress)
    drawn = weights(np.random.default_rng(SEED), int(files.max()) + 1)[:, files]

    def mean(values: list[float]) -> dict[str, float]:
        estimate = Estimate.of(float(np.mean(values)), mean_over_identities(np.array(values), drawn))
        return without_interval_of_few(asdict(estimate), source)

    return {
        "data": "clips",
        "protocol": {
            "clips": len(psnr),
            "owners" if source.labels else "files": len(set(files.tolist())),
            "frames_per_clip": CLIP_FRAMES,
        },
        "fidelity": {"raw": {"reconstruction_psnr": mean(psnr)}},
        "similarity": {"raw": {"reconstruction_ssim": mean(ssim)}},
        "consistency": measure_swaps_again(model, source, progress),
    }


@torch.inference_mode()
def reconstructed(model: Disentangler, held_out: Clips, progress: Progress) -> tuple[list[float], list[float]]:
    """PSNR in dB and SSIM of each held-out clip's reconstruction."""
    device = next(model.parameters()).device
    psnr, ssim = [], []
    for number in progress.track(range(len(held_out)), description="reconstructing"):
        frames = evenly(held_out.clip(number), CLIP_FRAMES).to(device)
        codes = encode_in_chunks(model, frames)
        again = decode_in_chunks(model, codes.static, codes.dynamic.mean[0])
        made, true = as_bytes(again)[None], as_bytes(frames)[None]
        psnr.append(float(frame_psnr(made, true).mean()))
        ssim.append(float(frame_ssim(made, true).mean()))
    return psnr, ssim


def measure_swaps_again(model: Disentangler, source: Source, progress: Progress) -> dict[str, Any]:
    """Whether swaps with held-out clips have the codes that they were made of, when they are encoded."""
    numbers = even_numbers(len(source.held_out), MOST)
    files = numbered(held_out_files(source)[numbers])
    clips = [source.held_out.clip(int(number)) for number in numbers]
    held_out = len(clips)
    if held_out < LEAST_FILES:
        others = even_numbers(len(source.training), AMONG - held_out)
        clips += [source.training.clip(int(number)) for number in others]
        files = np.concatenate([files, files.max() + 1 + np.arange(len(others))])
    count = min(CLIP_FRAMES, *map(len, clips))
    shown: Tensor = torch.stack([as_bytes(evenly(clip, count)) for clip in clips])
    pairs, own = pairs_with(held_out, files), np.stack([np.arange(held_out)] * 2, axis=1)
    codes = encode(model, shown, progress)
    swaps, again = (decode_pairs(model, codes, which, "raw", progress) for which in (pairs, own))
    found = asdict(consistency(model, codes, swaps, pairs, again, progress, own, files))
    for name in ("swaps", "reconstructions"):
        found[name] = {key: without_interval_of_few(part, source) for key, part in found[name].items()}
    return found | {"held_out": held_out}


def pairs_with(held_out: int, files: Int[np.ndarray, " n"]) -> Int[np.ndarray, "p 2"]:
    """Pairs (appearance, motion): each of the first, held-out clips with some of other files, where there are such.

    A clip's partners lie at even distances among these: they are of several files, and a file's clips have others each.
    Who is not held out takes both roles in turn, as those who are do among themselves.
    """
    pairs, taken = list[tuple[int, int]](), Counter[int]()
    for clip in range(held_out):
        around = (clip + np.arange(1, len(files))) % len(files)
        others, file = around[files[around] != files[clip]], int(files[clip])
        others = np.roll(others if len(others) else around, -taken[file])
        taken[file] += 1
        partners = min(PARTNERS, len(others))
        for other in others[np.arange(partners) * len(others) // partners].tolist():
            pairs += [(other, clip)] if other < held_out else [(other, clip), (clip, other)]
    return np.array(pairs)


def measure_scene(
    model: Disentangler, source: Source, progress: Progress, clips: tuple[int, int] = (2000, 500), steps: int = 1500
) -> dict[str, Any]:
    """Whether dynamic codes tell which clip they are of, by the name "scene"; nothing where clips are too few."""
    training, held_out, files = long_enough(source.training), long_enough(source.held_out), held_out_files(source)
    if isinstance(source.held_out, ClipPool):
        files = files[(source.held_out.lengths >= FRAMES).numpy()]
    if len(training) < LEAST_TO_PROBE[0] or len(held_out) < LEAST_TO_PROBE[1]:
        return {}
    found = asdict(scene_probe(model, training, held_out, progress, *clips, steps=steps, files=files))
    return {"scene": found | {"right": alone_of_few(found["right"], len(set(files.tolist())))}}


def long_enough(clips: Clips) -> Clips:
    """The clips of a pool that have the frames which a probe is shown of each."""
    if not isinstance(clips, ClipPool):
        return clips
    enough = clips.lengths >= FRAMES
    return replace(clips, starts=clips.starts[enough], lengths=clips.lengths[enough])


def held_out_files(source: Source) -> Int[np.ndarray, " n"]:
    """The number of the file, or of the toy or person, that each held-out clip is of, counted from 0.

    Where neither is known, each is of its own.
    """
    if source.labels:
        return source.labels[1].owners()
    if not source.held_out_files:
        return np.arange(len(source.held_out))
    return np.unique(source.held_out_files, return_inverse=True)[1]


def without_interval_of_few(estimate: Mapping[str, float], source: Source) -> dict[str, float]:
    """The estimate, and its value alone where it is of too few files: resampled, they say nothing of others."""
    return alone_of_few(estimate, len(set(held_out_files(source).tolist())))


def alone_of_few(estimate: Mapping[str, float], files: int) -> dict[str, float]:
    """The same, of clips of so many files."""
    ends = ("low", "high") if files < LEAST_FILES else ()
    return {name: value for name, value in estimate.items() if name not in ends}
