"""The options that several commands share, each said once."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import typer


class Queue(StrEnum):
    """What a worker works on: what a person waits for, video, or training."""

    INTERACTIVE = "interactive"
    BATCH = "batch"
    TRAINING = "training"


REPRESENTATIONS = (".npz", ".json", ".png", ".mp4", ".webp", ".gif")


def _checked(paths: list[Path]) -> list[Path]:
    """Find out before the work, not after it, that a result cannot be written."""
    for path in paths:
        if path.suffix.lower() not in REPRESENTATIONS:
            raise typer.BadParameter(f"{path}: the name's end says what to write, one of {' '.join(REPRESENTATIONS)}")
        if not path.absolute().parent.is_dir():
            raise typer.BadParameter(f"{path}: there is no such folder")
    return paths


def _models_here(incomplete: str) -> list[str]:
    """Return the names of this machine's models, for the shell to complete: a server's may be others."""
    from jobs.catalogue import Catalogue
    from jobs.errors import ConfigurationError
    from jobs.settings import read_settings

    try:
        return [name for name in Catalogue(read_settings()).models() if name.startswith(incomplete)]
    except ConfigurationError:
        return []  # whoever completes has no room to hear of it


Output = Annotated[
    list[Path],
    typer.Option(
        "--output", "-o", callback=_checked, help=f"Write the result: {' '.join(REPRESENTATIONS)}; may be given again."
    ),
]
Model = Annotated[
    str | None, typer.Option(help="A model's name; `twofold models` lists them.", autocompletion=_models_here)
]
Start = Annotated[float | None, typer.Option(help="Seconds to begin at.")]
End = Annotated[float | None, typer.Option(help="Seconds to end at.")]
Stride = Annotated[int | None, typer.Option(help="Take every so-many-th frame.")]
MaxFrames = Annotated[int | None, typer.Option(help="Take no more frames than this.")]
Crop = Annotated[str | None, typer.Option(help="none, center, face, or x,y,w,h in pixels.")]
Transfer = Annotated[Literal["raw", "prior"] | None, typer.Option(help="Codes as they are, or as under p(z|f).")]
Device = Annotated[Literal["auto", "cpu", "cuda"] | None, typer.Option(help="Where to compute.")]
Url = Annotated[str | None, typer.Option(envvar="TWOFOLD_URL", help="The server's address.")]
Local = Annotated[bool, typer.Option("--local", help="In this process, without a server.")]
AsJson = Annotated[bool, typer.Option("--json", help="For machines: JSON, no bar.")]
