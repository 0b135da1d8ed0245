"""Twofold: a video's static and dynamic codes, from a server (`Client`, `AsyncClient`) or in this process (`load`)."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from models.disentangler import Disentangler
    from twofold.client import AsyncClient as AsyncClient
    from twofold.client import Client as Client

__all__ = ["AsyncClient", "Client", "load"]


def load(name: str, device: str = "cpu") -> "Disentangler":
    """Return a model in this process, by its name or its folder: tensors in and out, no server.

    `load("faces-vae").encode(frames)` takes frames in [0, 1] of shape (b, t, c, h, w).

    Raises:
        ConfigurationError: a TWOFOLD_ variable is wrong or unknown.
        UnknownModel: there is no model of that name.
        CheckpointError: its files are missing or not what they should be.

    """
    from pathlib import Path

    from jobs.catalogue import Catalogue
    from jobs.settings import read_settings
    from models.checkpoint import load_model

    folder = Path(name)
    if not (folder / "config.json").is_file():
        folder = Catalogue(read_settings()).find(name).folder
    return load_model(folder, device).model


def __getattr__(name: str) -> Any:
    # `twofold --help` and the worker's processes need no HTTP client.
    if name in ("Client", "AsyncClient"):
        from twofold import client

        return getattr(client, name)
    raise AttributeError(f"module 'twofold' has no attribute {name!r}")
