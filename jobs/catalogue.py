"""Which models are served: the shipped ones and the user's own, read from their `config.json` without loading any."""

import importlib.util
import json
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.errors import UnknownModel
from jobs.settings import Settings

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
NAMES = "a model's name is up to 64 of a-z, A-Z, 0-9, - _ and ., the first a letter or a digit"
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A model folder, as its config describes it."""

    name: str
    family: str
    digest: str
    folder: Path
    config: Mapping[str, Any]

    @property
    def motion(self) -> bool:
        """Whether it has a motion model, and so can predict."""
        return bool(self.config.get("motion"))

    @property
    def draws_identities(self) -> bool:
        """Whether it draws whom no clip showed.

        A U-Net's decoder needs maps of a real frame, and a DrNET that was imported does not know how its contents
        spread over training clips: it has no statistics.
        """
        network = self.config.get("network")
        unet = isinstance(network, dict) and str(network.get("content")).endswith("_unet")
        return not unet and (self.family != "drnet" or bool(self.config.get("statistics")))


class Catalogue:
    """The models on disk. Folders are looked at anew each time, files only when they have changed."""

    def __init__(self, settings: Settings) -> None:
        self.folders = [folder for folder in (zoo(), settings.own_models_dir) if folder is not None]
        self.default = settings.default_model
        self._read: dict[Path, tuple[tuple[int, int], ModelEntry | None]] = {}

    def models(self) -> dict[str, ModelEntry]:
        """Return the models by name; a user's own model hides a shipped one of the same name."""
        found = {}
        for parent in self.folders:
            for config in sorted(parent.glob("*/config.json")):
                entry = self._entry(config)
                if entry is not None:
                    found[entry.name] = entry
        return found

    def find(self, asked: str | None) -> ModelEntry:
        """Return the model of this name, of this `name@sha256:…`, or the default one.

        Raises:
            UnknownModel: there is none, or its digest is another.

        """
        name, _, digest = (asked or self.default).partition("@")
        models = self.models()
        entry = models.get(name)
        if entry is None:
            served = ", ".join(sorted(models)) or "none: is TWOFOLD_MODELS_DIR right?"
            raise UnknownModel(f"there is no model {name!r:.80}; served are: {served}")
        if digest and digest != entry.digest:
            raise UnknownModel(f"{name} is served as {entry.digest}, not as {digest!r:.90}; ask GET /models/{name}")
        return entry

    def _entry(self, config: Path) -> ModelEntry | None:
        try:
            stat = config.stat()
            version = (stat.st_mtime_ns, stat.st_size)
            known = self._read.get(config)
            if known is None or known[0] != version:
                known = self._read[config] = (version, read_entry(config))
        except OSError:
            return None  # removed while we looked
        return known[1]


def find_models(settings: Settings) -> dict[str, ModelEntry]:
    """Return every model on disk by name, looking once."""
    return Catalogue(settings).models()


def read_entry(config: Path) -> ModelEntry | None:
    """Return the model that a config describes, or None, with a warning, where it describes none."""
    try:
        said = json.loads(config.read_text(encoding="utf-8"))
        entry = ModelEntry(said["name"], said["family"], said["digest"], config.parent, said)
        ours = (
            said["format"] == 1
            and isinstance(entry.family, str)
            and NAME.fullmatch(entry.name)
            and DIGEST.fullmatch(entry.digest)
        )
    except (ValueError, KeyError, TypeError) as error:
        log.warning("%s is not a model's config: %r", config, error)
        return None
    if not ours or entry.name != config.parent.name:
        log.warning("%s is passed over: its format, family, digest, or name (the folder's) is not right", config)
        return None
    return entry


def zoo() -> Path | None:
    """Return the folder of the shipped models, found without importing them."""
    spec = importlib.util.find_spec("models")
    places = list(spec.submodule_search_locations or []) if spec else []
    folders = [Path(place) / "zoo" for place in places]
    return next((folder for folder in folders if folder.is_dir()), None)
