"""What one change is worth: the unordered VAE on Sprites with the paper's bound, and the same with one thing changed.

`python -m training.levers --data DIR` trains and measures what has not been measured yet, one lever after the other,
and writes the table of docs/results.md. The runs are short, of one seed: what they say holds for so many steps.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import Progress

from models.checkpoint import load_model, write_atomically
from models.disentangler import Disentangler
from models.unordered_config import UnorderedVAEConfig
from training.data.drawable import CompositedSprites, Drawable
from training.data.sprites import Sprites
from training.metrics.coded import coded_splits
from training.metrics.fidelity import fidelity
from training.metrics.judge import Judge, JudgeConfig, cached_judge
from training.metrics.leakage import static_from_dynamic
from training.metrics.reading import shares
from training.metrics.swaps import (
    CLIP_FRAMES,
    circle,
    decode_pairs,
    draw_pairs,
    encode,
    frame_psnr,
    held_out_clips,
    merge,
)
from training.recipe import MotionRecipe, Recipe, VariationalLoss
from training.report import replace_between
from training.run import as_json, completed
from training.schedule import Anneal
from training.train import Places, run_recipe

SEED = 11
PROBED = 1000  # training characters that the readers of dynamic codes are fitted on, as `twofold evaluate` does
NETWORK = replace(UnorderedVAEConfig.compact(dynamic_dim=8), static_shortcut=False, style_dim=0)
NO_MOTION = MotionRecipe(runs=50, steps=1, hidden=16, layers=1, length=8, observed=4)  # none is asked for here
BASE = Recipe(name="base", data="sprites", network=NETWORK, batch=8, steps=1500, learning_rate=1e-3, motion=NO_MOTION)


def with_network(**changed: Any) -> Recipe:
    """The base with another network."""
    return replace(BASE, network=replace(NETWORK, **changed))


def with_loss(**changed: Any) -> Recipe:
    """The base with another loss."""
    return replace(BASE, loss=VariationalLoss(**changed))


# By what the table calls them.
LEVERS: dict[str, Recipe] = {
    "the paper's bound, compact widths": BASE,
    "dynamic KL from 41, falling to 1 at 45 %": with_loss(dynamic_weight=Anneal(((0.0, 41.0), (0.45, 1.0)))),
    "static code from the frames that are not decoded": with_loss(static_from_others=True),
    "q(z given x), which does not see f": with_network(dynamic_sees_static=False),
    "dynamic codes read from recoloured frames": with_loss(recoloured=True),
    "static KL from 0.001, rising to 0.05 at 60 %": with_loss(static_weight=Anneal(((0.0, 0.001), (0.6, 0.05)))),
    "free bits: 100 nats of static KL cost nothing": with_loss(static_free=100.0),
    "a shortcut to f": with_network(static_shortcut=True),
    "codes that modulate every size of the decoder": with_network(style_dim=512),
    "a residual block after every size": with_network(residual=True),
    "z of 16 numbers, not 8": with_network(dynamic_dim=16),
    "f of 512 numbers, not 256": with_network(static_dim=512),
    "DrNET's adversary on z, 60 nats": replace(
        BASE, network=replace(NETWORK, scene_hidden=100), loss=VariationalLoss(scene_weight=60.0)
    ),
    "a motion-contrastive term on z, 60 nats": with_loss(contrast_weight=60.0),
    "what is drawn worst, counted once more": with_loss(worst_weight=1.0),
}


def measure(model: Disentangler, data: Drawable, judge: Judge, progress: Progress) -> dict[str, float]:
    """The numbers of a row, on all held-out characters, each doing what the one before it in line does."""
    clips = held_out_clips(data, None, SEED)
    codes = encode(model, clips.frames, progress)
    count = len(clips.static)
    pairs = circle(count, 1)
    again = decode_pairs(model, codes, np.stack([np.arange(count)] * 2, axis=1), "raw", progress)
    made, true = decode_pairs(model, codes, pairs, "raw", progress), draw_pairs(data, clips, pairs, progress)
    told = fidelity(frame_psnr(again, clips.frames), frame_psnr(made, true), pairs)
    static = np.repeat(clips.static[pairs[:, 0]], CLIP_FRAMES, axis=0)
    dynamic = clips.dynamic[pairs[:, 1]].reshape(len(static), -1)
    read = shares(judge.read(merge(made)), data, static, dynamic, pairs)
    probes = static_from_dynamic(coded_splits(model, data, PROBED, None, progress), data, "mlp", progress).values()
    return {
        "reconstruction": told.reconstruction_psnr.value,
        "swap": told.swap_psnr.value,
        "gap": told.gap.value,
        "static": 100 * read.static_mean,
        "dynamic": 100 * read.dynamic_all,
        "leak": 100 * float(np.mean([probe.score - probe.chance for probe in probes])),
    }


def table(rows: dict[str, dict[str, float]]) -> str:
    """What has been measured, as Markdown."""
    lines = [
        f"| {BASE.steps} steps of {BASE.batch} clips | reconstruction | swap | gap "
        "| static kept | motion kept | leak, points |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, row in rows.items():
        lines.append(
            f"| {name} | {row['reconstruction']:.2f} dB | {row['swap']:.2f} dB | {row['gap']:.2f} dB "
            f"| {row['static']:.1f} % | {row['dynamic']:.1f} % | {row['leak']:+.1f} |"
        )
    return "\n".join(lines)


def measured_before(kept: Path, recipe: Recipe) -> dict[str, float] | None:
    """The numbers of a lever's row, where they were measured of this very recipe; None where not."""
    known = json.loads(kept.read_text()) if kept.is_file() else {}
    if not known or completed(known["recipe"], recipe) != as_json(recipe):
        return None
    measured: dict[str, float] = known["measured"]
    return measured


def main() -> None:
    """Train, measure and tell; what is measured already is kept."""
    parser = argparse.ArgumentParser(prog="python -m training.levers", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the sprites' layer sheets")
    parser.add_argument("--keep", type=Path, default=Path("var/levers"), help="where runs and numbers are kept")
    parser.add_argument("--cache", type=Path, default=Path("var/data"), help="where the judge is kept")
    parser.add_argument("--page", type=Path, default=Path("docs/results.md"))
    parser.add_argument("--only", help="levers whose names have this in them")
    chosen = parser.parse_args()
    data = CompositedSprites(Sprites.load(chosen.data))
    rows: dict[str, dict[str, float]] = {}
    with Progress() as progress:
        judge = cached_judge(data, JudgeConfig(), chosen.cache, progress)
        for number, (name, recipe) in enumerate(LEVERS.items()):
            recipe = replace(recipe, name=f"lever-{number}")
            kept = chosen.keep / f"{recipe.name}.json"
            measured = measured_before(kept, recipe)
            if measured is None:
                if chosen.only and chosen.only not in name:
                    continue
                progress.console.print(name)
                places = Places(runs=chosen.keep / "runs", models=chosen.keep / "models", data=chosen.data)
                begun = (places.runs / recipe.name / "state.safetensors").is_file()
                folder = run_recipe(recipe, places, resume=begun)
                measured = measure(load_model(folder).model, data, judge, progress)
                said = {"recipe": as_json(recipe), "measured": measured}
                write_atomically(kept, json.dumps(said, indent=1).encode())
            rows[name] = measured
            begin, end = "<!-- levers -->", "<!-- /levers -->"
            page = replace_between(chosen.page.read_text(), begin, end, table(rows))
            write_atomically(chosen.page, page.encode())


if __name__ == "__main__":
    main()
