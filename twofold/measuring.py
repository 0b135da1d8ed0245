"""`twofold evaluate`: the training room's measures, as a table."""

import json
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from jobs.settings import read_settings
from training.evaluate import Budget, evaluate
from training.report import flat_metrics
from twofold.learning import crop_of, find_folder, readable_failures, reading


def evaluate_model(
    model: str,
    data: Path | None,
    *,
    device: str | None = None,
    quick: bool = False,
    passes: int | None = None,
    only_fit: bool = False,
    as_json: bool = False,
) -> None:
    """Measure a model on held-out data, and write the numbers into its folder and, in a checkout, into docs/.

    Those of a first look are shown, and written nowhere: they would stand where good ones do.
    """
    budget = Budget.quick() if quick else Budget()
    if passes is not None:
        budget = replace(budget, seeds=passes)
    settings = read_settings()
    folder = find_folder(model, settings)
    with readable_failures(), reading(crop_of(folder), settings) as read:
        results = evaluate(
            folder,
            data=data,
            cache=settings.data_dir / "data",
            docs=documentation_of(folder),
            device=device or settings.device,
            budget=budget,
            command=f"twofold evaluate {model}"
            + (f" --passes {passes}" if passes is not None else "")
            + (" --only-fit" if only_fit else ""),
            read=read,
            only_fit=only_fit,
            keep=not quick,
            bar=not as_json,
            on_found=lambda line: Console(stderr=True).print(line, markup=False, highlight=False, soft_wrap=True),
        )
    if as_json:
        print(json.dumps({"model": folder.name, "metrics": flat_metrics(results), **results}))
        return
    metrics = Table("measure", "", box=None)
    for name, value in flat_metrics(results).items():
        metrics.add_row(name, f"{value:.3f}")
    Console().print(metrics)


def documentation_of(folder: Path) -> Path | None:
    """Return docs/ where the model is one that is shipped from a checkout; its numbers are told there too."""
    root = Path(__file__).resolve().parent.parent
    shipped = folder.resolve().parent == root / "models" / "zoo"
    return root / "docs" if shipped and (root / "docs").is_dir() else None
