"""Where measured numbers go: config.json and evaluation.json of the model, its card, docs/results.md, and a figure."""

import json
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import mean
from typing import Any

import torch

from models.checkpoint import CARD, LoadedModel, read_config, write_atomically, write_config
from training.card import METRICS_BEGIN, METRICS_END
from training.code_tables import classes_table, code_metrics, code_tables, consistency_table, ranged
from training.future_tables import drift_table, prediction_table

RESULTS_HEAD = """# Results

Measured by `twofold evaluate MODEL` on identities that no training saw; it writes the sections of models below.

**Protocol.** Each held-out identity gives one clip of 8 frames in scattered poses. A *reconstruction* decodes the
clip's static code with its own dynamic codes; a *swap* decodes the static code of another identity's clip, from
equally many frames in other poses, with these dynamic codes. So the two differ in the static code's source and in
nothing else, and their difference in PSNR is the *gap*. The true picture of every swap is drawn (faces) or composited
(sprites). PSNR is taken per frame over pixels and channels of the 8-bit pictures, then averaged; intervals are 95 %
bootstrap over identities. Where all of them agree there is nothing to resample, and an interval has no width: of 300
that are all right, the exact one begins at 98.8 %.

A *judge* is a small convolutional network taught on true pictures of training identities; what it reads in true
pictures of held-out identities is its own accuracy, and the ceiling of what it can say of swaps. Continuous factors
count as read when within a quarter of half their range. *All static factors at once* are counted in those pictures
alone that show every one of them; of motions that the model draws, the judge's own reading says where digits hide.

*One code held, the other drawn*: the field's judge protocol. With a clip's dynamic codes fixed and the static code
drawn from its prior, a judge should still read the motion; with the static code fixed and the dynamic codes drawn,
the attributes; what is drawn should be read at chance. On sprites this is the published protocol (nine actions of 8
frames, a judge of whole clips with the published layers, IS and entropies in nats), with a judge taught here, all
2664 test clips scored, and dynamic codes drawn by a motion taught on these nine actions, as every compared method's
prior was. Not as published are these: the static code is not drawn from N(0, I) but from the Gaussian that training
codes have on the whole; the motion is a mixture taught afterwards, on finished codes, where the others learn a prior
with the rest, and begins with codes that training clips begin with; and one pair of trousers and one shirt are others
than the published set's. On other data the model's own motion draws and the judge of single pictures reads. ± is the
deviation over passes, each with its own draws. It says nothing about trainings, of which there is one.

*Encoded again*: a swap is encoded, and its codes compared with those it was made of. A distance of 1 is as far as the
average held-out clip's (or frame's) code is from the mean.

*Probes* read one code, fitted on 1000 training identities and scored on the held-out ones: linear readers, and
networks with one hidden layer of 64. *D*, *C* and *I* (Eastwood & Williams 2018) are by random forests, *MIG* is that
of Chen et al. 2018; both are about single numbers of the codes, in single frames. Intervals of D, C and the two
shares are over the forests' trees and not over identities. All intervals are in evaluation.json, beside the model.

*Classes*, where clips are labelled but cannot be drawn (small NORB, the KTH actions): the same readers, fitted on up
to 1000 training clips, read them in all held-out ones, of other toys or persons: from the static code, from the
dynamic code of one frame, and from the mean and deviation of 18 of a clip's dynamic codes. Intervals are over
these toys or persons, since clips of one are no independent draws.

*Predictions*: of held-out movements 10 frames are observed, and the codes of the next ones are predicted by the
model's motion, mean after mean (of a mixture that of its likeliest component). Beside them stand the last observed
code held still, and the true next frames' own codes, which is what the decoder can show at all. Squared errors are
summed over a frame's pixels and channels, values in [0, 1]. *One constant picture for all* has every pixel's median
over all true frames (black, of digits): where most of a frame is ground, SSIM and PSNR are high for a picture of
nothing. Of 40 sampled futures it is counted how often the true code lies within their central 90 %, of the numbers of
a movement's codes that move by more than a fifth of their deviation. *Edges* are the mean square of differences of
neighbouring pixels, 1 for the true frames'.

*Typical*: held-out clips that the thresholds of `fit` were not taken from (of sprites, and where clips are few, other
cuts of the same ones), every other one through H.264, and as many made foreign: upside down, in negative, noise, faces
for a model of something else.
"""
FIGURES = {
    "swaps": "Held-out appearances (left) doing held-out motions (top)",
    "paths": "From one frame of a held-out clip to another: the dynamic code goes, the static one stays",
    "probes": "What readers learn of each factor from each code",
    "futures": "Held-out movements: observed, predicted, and far beyond what is known",
}


@dataclass(frozen=True, slots=True)
class Report:
    """One evaluation of one model."""

    name: str
    digest: str
    results: Mapping[str, Any]
    training: Mapping[str, Any]  # what the model's config says of its run
    measured: Mapping[str, Any]  # when, where and how (`origin`)

    @classmethod
    def of(cls, loaded: LoadedModel, results: Mapping[str, Any], measured: Mapping[str, Any]) -> "Report":
        """The report of these results."""
        return cls(loaded.name, loaded.digest, results, loaded.config.get("training", {}), measured)

    def write(self, folder: Path, docs: Path | None, figures: Mapping[str, bytes] | None = None) -> None:
        """Write everything; `docs` is the repository's folder, where there is one.

        Figures go by their kind, and those of an earlier evaluation go; with None they stay.
        """
        config = read_config(folder)
        write_config(folder, {**config, "metrics": flat_metrics(self.results)})
        stated = {"model": self.name, "digest": self.digest, "measured": self.measured, **self.results}
        write_atomically(folder / "evaluation.json", (json.dumps(stated, indent=1) + "\n").encode())
        if (folder / CARD).is_file():
            card = replace_between((folder / CARD).read_text(), METRICS_BEGIN, METRICS_END, self.tables())
            write_atomically(folder / CARD, card.encode())
        if docs is None:
            return
        shown = ""
        (docs / "figures").mkdir(parents=True, exist_ok=True)
        for kind, title in FIGURES.items():
            path = docs / "figures" / f"{kind}-{self.name}.png"
            if figures is not None and kind in figures:
                write_atomically(path, figures[kind])
            elif figures is not None:
                path.unlink(missing_ok=True)
            if path.is_file():
                shown += f"![{title}](figures/{kind}-{self.name}.png)\n\n"
        page = docs / "results.md"
        text = page.read_text() if page.is_file() else RESULTS_HEAD
        begin, end = f"<!-- model {self.name} -->", f"<!-- /model {self.name} -->"
        section = f"\n## {self.name}\n\n{shown}{self.tables()}\n"
        write_atomically(page, replace_between(text, begin, end, section).encode())

    def tables(self) -> str:
        """Markdown: what was measured, in small tables, and where the numbers come from."""
        parts = [fidelity_table(self.results)]
        if "judge" in self.results:
            parts += [judge_table(self.results), *code_tables(self.results)]
        elif "consistency" in self.results:
            parts.append(consistency_table(self.results["consistency"]))
        if "classes" in self.results:
            parts.append(classes_table(self.results["classes"]))
        if "prediction" in self.results:
            parts.append(prediction_table(self.results["prediction"]))
        parts += [
            line(self.results[name])
            for name, line in (("drift", drift_table), ("scene", scene_line), ("typical", typical_table))
            if name in self.results
        ]
        recipe = recipe_of(self.training)
        parts.append(f"Weights `{self.digest[:19]}…`{f', {recipe}' if recipe else ''}. {sentence_of(self.measured)}")
        return "\n\n".join(parts)


def origin(command: str, device: torch.device, seconds: float) -> dict[str, Any]:
    """When, where and how something was measured."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "command": command,
        "hardware": hardware(device),
        "seconds": round(seconds),
    }


def sentence_of(measured: Mapping[str, Any]) -> str:
    """The same in words."""
    by = f" by `{measured['command']}`" if measured["command"] else ""
    return f"Measured {measured['date']} on {measured['hardware']} in {measured['seconds']} s{by}."


def flat_metrics(results: Mapping[str, Any]) -> dict[str, float]:
    """The headline numbers, by names that say their unit."""
    raw = results["fidelity"]["raw"]
    metrics = {f"{name}_db": estimate["value"] for name, estimate in raw.items()}
    if "judge" in results:
        swaps = results["judge"]["swaps_raw"]
        metrics |= {
            "swap_psnr_prior_db": results["fidelity"]["prior"]["swap_psnr"]["value"],
            "static_factors_kept": swaps["static_mean"],
            "static_all_kept": swaps["static_all"],
            "dynamic_all_kept": swaps["dynamic_all"],
        }
        metrics |= {f"static_{name}_kept": share for name, share in swaps["static"].items()}
        metrics |= {f"dynamic_{name}_kept": share for name, share in swaps["dynamic"].items()}
        metrics |= {f"dynamic_{name}_r2": value for name, value in swaps["r2"].items()}
    for name, estimate in results.get("similarity", {}).get("raw", {}).items():
        metrics[name] = estimate["value"]
    metrics |= code_metrics(results)
    if "drift" in results:
        metrics |= {
            f"drift_{n}_ssim": v for n, v in zip(results["drift"]["ahead"], results["drift"]["ssim"], strict=True)
        }
    if "typical" in results:
        shares = results["typical"]["shares"]
        metrics |= {
            f"typical_{name.replace(' ', '_').replace('-', '_')}": share["value"] for name, share in shares.items()
        }
    if "scene" in results:
        metrics["scene_probe_right"] = results["scene"]["right"]["value"]
    if "prediction" in results:
        ahead = min(10, len(results["prediction"]["covered"]))
        metrics[f"predicted_{ahead}_ahead_psnr_db"] = results["prediction"]["psnr"]["predicted"][ahead - 1]
        metrics[f"predicted_{ahead}_ahead_ssim"] = results["prediction"]["ssim"]["predicted"][ahead - 1]
        metrics[f"predicted_{ahead}_squared_error"] = mean(results["prediction"]["squared_error"]["predicted"][:ahead])
    return {name: round(float(value), 4) for name, value in metrics.items()}


def fidelity_table(results: Mapping[str, Any]) -> str:
    """PSNR with intervals."""
    protocol, measured = results["protocol"], results["fidelity"]

    def cell(how: str, name: str) -> str:
        return ranged(measured[how][name], 1, 2)

    if "swap_psnr" not in measured["raw"]:
        few = "" if "low" in measured["raw"]["reconstruction_psnr"] else ", too few for intervals"
        clips = f"{protocol['clips']} held-out {'clip' if protocol['clips'] == 1 else 'clips'}"
        whose, kind = ("owners", "toys or persons") if "owners" in protocol else ("files", "files")
        if protocol.get(whose, protocol["clips"]) < protocol["clips"]:
            clips += f" of {protocol[whose]} {'file' if (protocol[whose], kind) == (1, 'files') else kind}"
        return "\n".join(
            [
                f"| PSNR in dB, {clips}{few} | |",
                "|---|---|",
                f"| reconstruction | {cell('raw', 'reconstruction_psnr')} |",
                *similarity_rows(results),
            ]
        )
    return "\n".join(
        [
            f"| PSNR in dB, {protocol['identities']} held-out identities, {protocol['swaps']} swaps "
            f"of {protocol['frames_per_clip']} frames | |",
            "|---|---|",
            f"| reconstruction | {cell('raw', 'reconstruction_psnr')} |",
            f"| **swap against the true picture** | **{cell('raw', 'swap_psnr')}** |",
            f"| gap | {cell('raw', 'gap')} |",
            f"| swap, dynamic codes standardised by the prior | {cell('prior', 'swap_psnr')} |",
            *constant_row(results, "one constant picture for all", "psnr", 2),
            *similarity_rows(results),
        ]
    )


def similarity_rows(results: Mapping[str, Any]) -> list[str]:
    """SSIM with intervals, where it was measured."""
    measured = results.get("similarity", {}).get("raw", {})
    titles = {"reconstruction_ssim": "SSIM of the reconstruction", "swap_ssim": "SSIM of the swap"}
    rows = [f"| {titles[name]} | {ranged(estimate, 1, 3)} |" for name, estimate in measured.items()]
    return [*rows, *(constant_row(results, "SSIM of one constant picture for all", "ssim", 3) if rows else [])]


def constant_row(results: Mapping[str, Any], title: str, measure: str, digits: int) -> list[str]:
    """What a picture of nothing gets, where it was measured."""
    if "constant" not in results:
        return []
    sure = results["constant"].get("intervals", {}).get(measure, {})  # earlier measurements have none
    return [f"| {title} | {ranged({**sure, 'value': results['constant'][measure]}, 1, digits)} |"]


def judge_table(results: Mapping[str, Any]) -> str:
    """Shares read right, in swaps and in true pictures."""
    read = results["judge"]
    columns = ("swaps_raw", "swaps_prior", "reconstructions", "true_pictures")

    def row(title: str, of: Any) -> str:
        return f"| {title} | " + " | ".join(f"{100 * of(read[column]):.1f}" for column in columns) + " |"

    lines = [
        "| read by the judge, % | swaps | swaps, standardised | reconstructions | true pictures |",
        "|---|---|---|---|---|",
        row("**static factors of the appearance**, mean", lambda part: part["static_mean"]),
        row("all static factors at once", lambda part: part["static_all"]),
        *(row(name, lambda part, name=name: part["static"][name]) for name in read["swaps_raw"]["static"]),
        row("**dynamic factors of the motion**, all at once", lambda part: part["dynamic_all"]),
        *(row(name, lambda part, name=name: part["dynamic"][name]) for name in read["swaps_raw"]["dynamic"]),
        *(row(f"{name}, R² × 100", lambda part, name=name: part["r2"][name]) for name in read["swaps_raw"]["r2"]),
    ]
    return "\n".join(lines)


def scene_line(measured: Mapping[str, Any]) -> str:
    """What a fresh probe makes of pairs of dynamic codes."""

    def share(of: Mapping[str, float]) -> str:
        value, _, interval = ranged(of, 100, 1).partition(" ")
        return f"{value} % {interval}".rstrip()

    line = (
        f"Of pairs of dynamic codes of {measured['clips']} held-out clips, a fresh probe tells whether they are of "
        f"one clip in {share(measured['right'])}; chance is 50 %"
    )
    if measured.get("places"):
        line += f", and a probe of the true places alone tells it in {share(measured['places'])}"
    return f"{line}."


def typical_table(measured: Mapping[str, Any]) -> str:
    """Which kinds of clips are called typical, and how often."""
    shares = measured["shares"]

    def cell(share: Mapping[str, float]) -> str:
        return ranged(share, 100, 1)

    table = "\n".join(
        [
            f"| {measured['clips']} clips of each kind | " + " | ".join(shares) + " |",
            "|---" * (len(shares) + 1) + "|",
            "| called typical (`fit`), % | " + " | ".join(map(cell, shares.values())) + " |",
        ]
    )
    return f"{table}\n\n{sentence_of(measured['measured'])}" if "measured" in measured else table


def replace_between(text: str, begin: str, end: str, content: str) -> str:
    """Put `content` between two markers, which are appended where they are missing."""
    block = f"{begin}\n{content.strip()}\n{end}"
    if begin in text and end in text:
        before, rest = text.split(begin, 1)
        return before + block + rest.split(end, 1)[1]
    return f"{text.rstrip()}\n\n{block}\n"


def recipe_of(training: Mapping[str, Any]) -> str:
    """What a config says of the run, in words; nothing where it says nothing."""
    if not training.get("recipe"):
        return ""
    begun = f", begun with the weights of {training['began_with']}…" if training.get("began_with") else ""
    return (
        f"recipe `{training['recipe']}` ({training['steps']} steps of {training['batch']} clips, "
        f"seed {training['seed']}{begun})"
    )


def hardware(device: torch.device) -> str:
    """The device in words."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{cores} {'core' if cores == 1 else 'cores'} of {platform.machine()}"
