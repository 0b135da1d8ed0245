"""What is measured of predictions, as tables of the results page."""

from collections.abc import Mapping
from statistics import mean
from typing import Any

from training.metrics.prediction import BATCH

AHEAD = (1, 5, 10, 20, 30)  # frames ahead that a table tells
MEASURES = {
    "psnr": ("PSNR, dB", 2),
    "ssim": ("SSIM", 3),
    "squared_error": ("squared error", 1),
    "edges": ("edges", 2),
}


def prediction_table(measured: Mapping[str, Any]) -> str:
    """The future by how far ahead: the model's, standing still, and what the decoder can show at all."""
    steps = [step for step in AHEAD if step <= len(measured["covered"])]
    files = measured.get("files", measured["movements"])
    whose = "movements" if files == measured["movements"] else f"the {files} toys, persons or files that they are of"

    def row(title: str, values: Any, digits: int) -> str:
        return f"| {title} | " + " | ".join(f"{values[step - 1]:.{digits}f}" for step in steps) + " |"

    def between(measure: str, name: str, scale: int, digits: int) -> list[str]:
        rows = measured.get("intervals", {}).get(measure)  # earlier measurements, and those of few files, have none
        ends = [f"{scale * low:.{digits}f} to {scale * high:.{digits}f}" for low, high in rows[name]] if rows else []
        return [f"| 95 % over {whose} | " + " | ".join(ends[step - 1] for step in steps) + " |"] if ends else []

    def sure(name: str) -> str:
        over = measured.get("first_error", {}).get(name)  # earlier measurements have none
        return f" ({over['low']:.1f} to {over['high']:.1f})" if over and "low" in over else ""

    titles = {
        "predicted": "**predicted**",
        "held": "last code held still",
        "own codes": "the true frames' own codes",
        "constant": "one constant picture for all",
    }
    titles = {name: title for name, title in titles.items() if name in measured["psnr"]}
    lines = [
        f"| {measured['movements']} held-out movements, {measured['observed']} frames observed; frames ahead | "
        + " | ".join(map(str, steps))
        + " |",
        "|---" * (len(steps) + 1) + "|",
    ]
    for measure, (unit, digits) in MEASURES.items():
        if measure not in measured:  # earlier measurements have no edges
            continue
        for name in titles:
            lines.append(row(f"{titles[name]}, {unit}", measured[measure][name], digits))
            lines += between(measure, name, 1, digits) if name == "predicted" else []
    lines.append(row("true codes within the samples' central 90 %, %", [100 * v for v in measured["covered"]], 0))
    lines += between("samples", "covered", 100, 0)
    lines.append(row("spread of the samples, deviations of the code", measured["spread"], 2))
    lines += between("samples", "spread", 1, 2)
    ahead = min(10, len(measured["covered"]))
    means = (f"{titles[name]} {mean(measured['squared_error'][name][:ahead]):.1f}{sure(name)}" for name in titles)
    told = [f"Squared error, mean of the first {ahead} frames: {', '.join(means)}."]
    if "far_edges" in measured:
        ends = measured.get("intervals", {}).get("far_edges", {}).get("predicted", [])
        within = [f" ({low:.2f} to {high:.2f})" for low, high in ends] or [""] * len(measured["far_edges"])
        each = zip(measured["far_edges"].items(), within, strict=True)
        far = ", ".join(f"{value:.2f}{sure} {step} frames ahead" for (step, value), sure in each)
        movements = min(BATCH, measured["movements"])
        told += ["", f"Edges of the futures of the first {movements} movements, 1 for their true frames': {far}."]
    return "\n".join([*lines, "", *told])


def drift_table(measured: Mapping[str, Any]) -> str:
    """How well digits keep their shapes, frames and frames ahead."""
    heads, values = map(str, measured["ahead"]), (f"{value:.3f}" for value in measured["ssim"])
    title = f"{measured['clips']} held-out pairs of digits, {measured['observed']} frames observed; frames ahead"
    return "\n".join(
        [
            f"| {title} | " + " | ".join(heads) + " |",
            "|---" * (len(measured["ahead"]) + 1) + "|",
            "| SSIM with the true digits, best aligned | " + " | ".join(values) + " |",
            *drift_floors(measured),
        ]
    )


def drift_floors(measured: Mapping[str, Any]) -> list[str]:
    """How sure that is, how crisp, and what other digits and a black frame get; earlier measurements lack it."""
    if "sharpness" not in measured:
        return []
    intervals = (f"{low:.3f} to {high:.3f}" for low, high in measured["intervals"])
    sharp = (f"{value:.2f}" for value in measured["sharpness"])
    return [
        "| 95 % over pairs of digits | " + " | ".join(intervals) + " |",
        "| energy of edges, 1 for the true digits | " + " | ".join(sharp) + " |",
        "",
        f"The same SSIM is {measured['others']:.3f} for exact pictures of quite other digits, and "
        f"{measured['black']:.3f} for a black frame.",
    ]
