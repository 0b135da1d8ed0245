"""`twofold evaluate`: measure a model on held-out data and write the numbers where people look for them.

Where every true picture can be drawn (faces, sprites), swaps are compared with the truth, read by judges, and codes are
probed; the protocol is stated in `training.metrics.swaps`. A model of somebody's own clips has no true
factors: its reconstructions are measured, whether it recognises its own swaps, and whether its dynamic codes tell clips
apart.
"""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from einops import rearrange
from jaxtyping import Int
from rich.progress import Progress

from models.checkpoint import load_model
from models.compose import Transfer
from models.disentangler import Disentangler
from models.drnet import DrNET
from training.data.actions import SpriteActions
from training.data.digits import MovingDigits
from training.data.drawable import LOOKED_AT, CompositedSprites, Drawable, DrawnFaces
from training.data.drawn_digits import DrawnDigits
from training.data.errors import DataError
from training.data.face_clips import FaceClips
from training.data.pool import ClipPool, Clips
from training.data.sides import Sides
from training.data.sprites import Sprites
from training.data.videos import Reader
from training.loop import choose_device
from training.metrics.classes import measure_classes
from training.metrics.clip_judge import ClipJudgeConfig, cached_clip_judge
from training.metrics.coded import coded_splits
from training.metrics.consistency import consistency
from training.metrics.dci import dci
from training.metrics.drift import drift
from training.metrics.fidelity import fidelity, similarity
from training.metrics.judge import JudgeConfig, cached_judge
from training.metrics.kept import kept
from training.metrics.leakage import leakage
from training.metrics.matrix import swap_matrix
from training.metrics.mig import mig
from training.metrics.own_clips import LEAST_FILES, alone_of_few, held_out_files, measure_clips, measure_scene
from training.metrics.path_strip import path_strips
from training.metrics.prediction import Futures, futures
from training.metrics.probe_chart import probe_chart
from training.metrics.protocol import Protocol, protocol
from training.metrics.reading import TOLERANCE, shares
from training.metrics.ssim import frame_ssim
from training.metrics.strip import future_strips
from training.metrics.swaps import (
    CLIP_FRAMES,
    circle,
    constant,
    decode_pairs,
    draw_pairs,
    encode,
    frame_psnr,
    held_out_clips,
    merge,
)
from training.metrics.typical import Typical, typical
from training.motion import train_motion
from training.recipe import MotionRecipe
from training.recipes import actions_motion
from training.report import Report, origin
from training.sources import SIZE, Source, kind_of, open_held_out, open_source
from training.statistics import MAX_CLIPS

SEED = 11
OBSERVED = 10  # frames before a prediction, as in the authors' code


@dataclass(frozen=True, kw_only=True, slots=True)
class Budget:
    """How much is measured."""

    identities: int | None = None  # held out; None: 300 faces, or all 296 sprites
    partners: int = 3  # appearances that each motion is given to
    probe_training: int | None = 1000  # identities, or labelled clips, that probes are fitted on
    judge: JudgeConfig = field(default_factory=JudgeConfig)
    clip_judge: ClipJudgeConfig = field(default_factory=ClipJudgeConfig)
    motion: MotionRecipe = field(default_factory=actions_motion)  # of the judge protocol
    seeds: int = 5  # passes in which one code is held and the other drawn; 0 leaves them out
    pool: tuple[int, int] = (3000, 40)  # drawn faces, and frames of each, that judges learn from
    movements: int = 200  # held-out ones whose future is predicted
    ahead: int = 30  # frames
    drifting: int = 40  # movements of digits that are followed over 500 frames
    scene_steps: int = 1500  # of the probe that dynamic codes are to hide their clip from
    scene_clips: tuple[int, int] = (2000, 500)  # for training, and held out, whose codes it is shown
    judged: int = 200  # clips of each kind that are called typical or not
    examples: int = 4000  # true pictures of held-out identities that state the judge's own accuracy

    @classmethod
    def quick(cls) -> "Budget":
        """Seconds, for a first look and for tests: the numbers say little."""
        judge = JudgeConfig(steps=20, batch=32)
        return cls(
            identities=10,
            partners=2,
            probe_training=16,
            judge=judge,
            clip_judge=ClipJudgeConfig(widths=(8, 8, 16, 16), hidden=16, steps=4, batch=4),
            motion=MotionRecipe(hidden=16, layers=1, runs=40, batch=4, steps=4),
            seeds=2,
            pool=(40, 8),
            movements=2,
            ahead=4,
            drifting=2,
            scene_steps=20,
            scene_clips=(60, 20),
            judged=6,
            examples=64,
        )


def open_drawable(name: str, data: Path | None, cache: Path, pool: tuple[int, int]) -> Drawable | None:
    """The data set by the name that model folders give it, if its true pictures can be drawn.

    Raises:
        DataError: its files are needed, and no folder is given or it lacks them.

    """
    if name == "drawn faces":
        training, frames = pool
        return DrawnFaces(cache, training, min(300, training), frames)
    if name == "LPC sprites":
        if data is None:
            raise DataError("the sprites' layer sheets are needed: give their folder with --data")
        return CompositedSprites(Sprites.load(data))
    if name == "moving digits":
        if data is None:
            raise DataError("MNIST's files are needed: give their folder with --data")
        return DrawnDigits(data)
    return None


def evaluate(
    folder: Path,
    *,
    data: Path | None = None,
    cache: Path,
    docs: Path | None = None,
    device: str = "auto",
    budget: Budget | None = None,
    command: str = "",
    read: Reader | None = None,
    only_fit: bool = False,
    keep: bool = True,
    bar: bool = True,
    on_found: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Measure the model in `folder`; write its metrics, card and evaluation.json, and docs/results.md where given.

    `read` reads a person's own videos, of which those are measured that were held out when the model learnt;
    `on_found` hears what has changed since. `only_fit` measures what is called
    typical and keeps all other numbers, which must be of these weights. Without `keep` nothing is
    written. Nothing written enters the model's digest. Judges are kept in `cache`.

    Raises:
        CheckpointError: the folder holds no model.
        DataError: the data set's files cannot be used, or `only_fit` finds no other numbers or nothing to judge by.

    """
    began, budget = time.monotonic(), budget or Budget()
    loaded = load_model(folder, choose_device(device))
    if isinstance(loaded.model, DrNET):
        loaded.model.keep_batch_statistics()
    if (loaded.model.channels, loaded.model.image_size) != (3, SIZE):
        channels = f"{loaded.model.channels} {'channel' if loaded.model.channels == 1 else 'channels'}"
        raise DataError(
            f"{loaded.name} reads {channels} of {loaded.model.image_size} pixels a side; "
            f"what there is to measure it by has 3 of {SIZE}"
        )
    kind, sides = kind_of(loaded.config["data"]), Sides.stated(loaded.config)
    if only_fit:
        if not loaded.statistics.get("fit"):
            raise DataError(f"{loaded.name} keeps no scores of held-out clips, so that it calls nothing typical")
        results = measured_before(folder, loaded.digest)
        with Progress(disable=not bar) as progress:
            held_out, files = held_out_alone(kind, data, read, sides, on_found)
            judged = told_typical(typical(loaded, held_out, progress, budget.judged, files))
        told = origin(command, loaded.device, time.monotonic() - began)
        results["typical"] = judged | {"measured": told}
        report = Report.of(loaded, results, results.pop("measured"))
        if keep:
            report.write(folder, docs)
        return results
    drawable = open_drawable(loaded.config["data"].get("name", ""), data, cache, budget.pool)
    source: Source | None = None
    with Progress(disable=not bar) as progress:
        if drawable:
            results = measure_swaps(loaded.model, drawable, cache, budget, progress)
            figure = swap_matrix(loaded.model, drawable, SEED + 1, progress)
        else:
            if data is None:
                told = loaded.config["data"].get("name", "own clips")
                raise DataError(f"{loaded.name} learnt from {told}: give their folder with --data")
            source = open_source(kind, data, 2, read, sides)
            tell_changes(source, on_found)
            results, figure = measure_clips(loaded.model, source, progress), None
            if source.labels:
                results["classes"] = measure_classes(loaded.model, source, budget.probe_training, progress)
        strips = None
        if isinstance(loaded.model, DrNET) or not drawable:
            source = source or open_source(kind, data, clip_frames=4)
            results |= measure_scene(loaded.model, source, progress, budget.scene_clips, budget.scene_steps)
        held_out = undecided(source.held_out if source else open_held_out(kind, data))
        files = files_of(source, held_out)
        if loaded.statistics.get("fit"):
            results["typical"] = told_typical(typical(loaded, held_out, progress, budget.judged, files))
        paths = path_strips(loaded.model, held_out, progress)
        if loaded.model.motion is not None:
            if isinstance(held_out, MovingDigits) and held_out.style == "drnet":
                results["drift"] = asdict(drift(loaded.model, held_out, OBSERVED, budget.drifting))
            if ahead := known_ahead(held_out, budget.ahead):
                future = futures(loaded.model, held_out, OBSERVED, ahead, budget.movements, progress, files=files)
                results["prediction"] = told_future(future)
                strips = future_strips(loaded.model, held_out, ahead, progress)
    chart = probe_chart(results["probes"], results["probes_mlp"]) if "probes" in results else None
    drawn = (("swaps", figure), ("paths", paths), ("probes", chart), ("futures", strips))
    figures = {name: picture for name, picture in drawn if picture}
    measured = origin(command, loaded.device, time.monotonic() - began)
    if keep:
        Report.of(loaded, results, measured).write(folder, docs, figures)
    return results


def held_out_alone(
    kind: str, data: Path | None, read: Reader | None, sides: Sides | None, on_found: Callable[[str], None]
) -> tuple[Clips, Int[np.ndarray, " n"]]:
    """The held-out clips by which no training was chosen, for what is measured of them alone, and their files.

    Raises:
        DataError: as `open_source`.

    """
    if kind == "sprites":  # what they were trained on is much to draw, and not needed
        sprites = open_held_out(kind, data)
        return sprites, files_of(None, sprites)
    source = open_source(kind, data, 2, read, sides)
    tell_changes(source, on_found)
    held_out = undecided(source.held_out)
    return held_out, files_of(source, held_out)


def files_of(source: Source | None, held_out: Clips) -> Int[np.ndarray, " n"]:
    """Whose each of these held-out clips is (`held_out_files`); each its own where there is no end of them."""
    if source is None or isinstance(held_out, FaceClips | MovingDigits):
        return np.arange(len(held_out))
    return held_out_files(source)


def tell_changes(source: Source, on_found: Callable[[str], None]) -> None:
    """Say of a person's own clips which are not those that the model learnt from."""
    for line in source.changed:
        on_found(f"only clips that were held out of its training are measured; {line}")


def told_typical(judged: Typical) -> dict[str, Any]:
    """What is called typical, with intervals where the clips are of files enough."""
    shares = {name: alone_of_few(asdict(share), judged.files) for name, share in judged.shares.items()}
    return asdict(judged) | {"shares": shares}


def told_future(future: Futures) -> dict[str, Any]:
    """What is predicted, with intervals where the movements are of files enough."""
    sure = {name: alone_of_few(asdict(error), future.files) for name, error in future.first_error.items()}
    told = asdict(future) | {"first_error": sure}
    return told if future.files >= LEAST_FILES else told | {"intervals": {}}


def measured_before(folder: Path, digest: str) -> dict[str, Any]:
    """What evaluation.json says of these weights, with when and how that was measured.

    Raises:
        DataError: it is not there, or is of other weights.

    """
    path = folder / "evaluation.json"
    stated = json.loads(path.read_text()) if path.is_file() else {}
    if stated.get("digest") != digest:
        raise DataError(f"{path} has no numbers of these weights: evaluate the whole first")
    return {name: part for name, part in stated.items() if name not in ("model", "digest")}


def known_ahead(clips: Clips, most: int) -> int:
    """How many frames after the observed ones some clip shows, at most so many; 0 where all clips are too short."""
    return next((ahead for ahead in range(most, 0, -1) if clips.with_runs(OBSERVED + ahead)), 0)


def undecided(held_out: Clips) -> Clips:
    """The held-out clips by which no training was chosen: of drawn faces, which have no end, others than those.

    Of moving digits, which have no end either, more, so that what is typical is not asked of those that say it.
    """
    if isinstance(held_out, MovingDigits):
        return replace(held_out, clips=2 * MAX_CLIPS)
    return replace(held_out, first=LOOKED_AT) if isinstance(held_out, FaceClips) else held_out


def measure_swaps(
    model: Disentangler, data: Drawable, cache: Path, budget: Budget, progress: Progress
) -> dict[str, Any]:
    """Everything that known factors allow to measure, as JSON holds it."""
    judge = cached_judge(data, budget.judge, cache, progress)
    clips = held_out_clips(data, budget.identities, SEED)
    codes = encode(model, clips.frames, progress)
    count = len(clips.static)
    themselves = np.stack([np.arange(count)] * 2, axis=1)
    pairs = circle(count, budget.partners)
    again = decode_pairs(model, codes, themselves, "raw", progress)
    reconstruction = frame_psnr(again, clips.frames)
    results: dict[str, Any] = {
        "data": data.name,
        "protocol": {
            "identities": count,
            "frames_per_clip": CLIP_FRAMES,
            "swaps": len(pairs),
            "tolerance": TOLERANCE,
            "judge_steps": budget.judge.steps,
            "probe_training_identities": budget.probe_training,
        },
    }
    examples = data.examples("test", budget.examples, np.random.default_rng(SEED))
    someone = np.unique(examples.static, axis=0, return_inverse=True)[1].reshape(-1)
    by_person = np.stack([someone] * 2, axis=1)
    own_static = np.repeat(clips.static, CLIP_FRAMES, axis=0)
    own_dynamic = clips.dynamic.reshape(len(own_static), -1)
    read = {
        "true_pictures": shares(judge.read(examples.frames), data, examples.static, examples.dynamic, by_person),
        "reconstructions": shares(judge.read(merge(again)), data, own_static, own_dynamic, themselves),
    }
    true = draw_pairs(data, clips, pairs, progress)
    static = np.repeat(clips.static[pairs[:, 0]], CLIP_FRAMES, axis=0)
    dynamic = clips.dynamic[pairs[:, 1]].reshape(len(static), -1)
    read["true_swaps"] = shares(judge.read(merge(true)), data, static, dynamic, pairs)
    nothing = constant(true)
    blank = {"psnr": frame_psnr(nothing, true), "ssim": frame_ssim(nothing, true)}
    sure = {name: fidelity(reconstruction, values, pairs).swap_psnr for name, values in blank.items()}
    results["constant"] = {name: one.value for name, one in sure.items()}
    results["constant"]["intervals"] = {name: asdict(one) for name, one in sure.items()}
    results["fidelity"], results["similarity"] = {}, {}
    alike = frame_ssim(again, clips.frames)
    transfers: tuple[Transfer, ...] = ("raw", "prior")
    for how in transfers:
        made = decode_pairs(model, codes, pairs, how, progress)
        results["fidelity"][how] = asdict(fidelity(reconstruction, frame_psnr(made, true), pairs))
        results["similarity"][how] = asdict(similarity(alike, frame_ssim(made, true), pairs))
        read[f"swaps_{how}"] = shares(judge.read(merge(made)), data, static, dynamic, pairs)
        if how == "raw":
            results["consistency"] = asdict(consistency(model, codes, made, pairs, again, progress))
    results["judge"] = {name: asdict(part) for name, part in read.items()}
    if budget.seeds and not model.needs_maps:  # a U-Net's static code cannot be drawn
        if isinstance(data, CompositedSprites):
            results["actions"] = asdict(judge_actions(model, data, cache, budget, progress))
        else:
            results["kept"] = asdict(kept(model, data, judge, clips, codes, budget.seeds, progress))
    return results | measure_codes(model, data, budget, progress)


def judge_actions(
    model: Disentangler, data: CompositedSprites, cache: Path, budget: Budget, progress: Progress
) -> Protocol:
    """The field's judge protocol on the clips that it is stated for, and a motion of what is done in them."""
    device, actions = next(model.parameters()).device, SpriteActions(data.sprites)
    judge = cached_clip_judge(actions, budget.clip_judge, cache, progress, device)
    shown = actions.clips("train", budget.probe_training).frames
    motion = train_motion(model, ClipPool.of_equal_clips(rearrange(shown, "n t c h w -> n t h w c")), budget.motion)
    return protocol(model, actions.clips("test", budget.identities), judge.read, budget.seeds, progress, motion)


def measure_codes(model: Disentangler, data: Drawable, budget: Budget, progress: Progress) -> dict[str, Any]:
    """What the codes tell, without a picture being made of them."""
    coded = coded_splits(model, data, budget.probe_training, budget.identities, progress)
    return {
        "probes": asdict(leakage(coded, data, "linear", progress)),
        "probes_mlp": asdict(leakage(coded, data, "mlp", progress)),
        "dci": asdict(dci(coded.scattered, coded.scattered_held_out, data, progress)),
        "mig": asdict(mig(coded.scattered_held_out, data)),
    }
