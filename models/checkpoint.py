"""Models on disk: a folder with `config.json`, `model.safetensors` and the model card; no pickles anywhere.

A model that has learnt motion has `motion.safetensors` beside it.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from models.disentangler import Disentangler
from models.drnet import DrNET, DrNETConfig
from models.motion import Motion, MotionConfig
from models.unordered_config import UnorderedVAEConfig
from models.unordered_vae import UnorderedVAE

FORMAT = 1
FAMILIES: dict[str, Callable[..., Disentangler]] = {
    UnorderedVAE.family: lambda **sizes: UnorderedVAE(UnorderedVAEConfig(**sizes)),
    DrNET.family: lambda **sizes: DrNET(DrNETConfig(**sizes)),
}
CONFIG, WEIGHTS, MOTION, CARD = "config.json", "model.safetensors", "motion.safetensors", "README.md"
MOTION_PREFIX = "motion."


class CheckpointError(ValueError):
    """A model folder cannot be loaded; the message says which file and why."""


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model ready for use, and what its folder says of it."""

    model: Disentangler
    name: str
    digest: str  # "sha256:…" of weights, family and network
    config: dict[str, Any]

    @property
    def statistics(self) -> dict[str, Any]:
        """Held-out quantiles of the fit scores, and the spread of the dynamic code; {} if not measured."""
        statistics: dict[str, Any] = self.config.get("statistics", {})
        return statistics

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.model.parameters()).device


def build(family: str, network: Mapping[str, Any]) -> Disentangler:
    """A model with untrained weights.

    Raises:
        CheckpointError: no such family, or sizes it does not have.

    """
    if family not in FAMILIES:
        raise CheckpointError(f"unknown family {family!r}, expected one of {', '.join(FAMILIES)}")
    sizes: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in network.items()}
    try:
        return FAMILIES[family](**sizes)
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"the network's sizes do not fit {family}: {error}") from error


def build_motion(sizes: Mapping[str, Any]) -> Motion:
    """A motion model with untrained weights.

    Raises:
        CheckpointError: sizes that it does not have.

    """
    try:
        return Motion(MotionConfig(**sizes))
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"the sizes do not fit a motion model: {error}") from error


def digest_of(
    weights_sha256: str, family: str, network: Mapping[str, Any], motion: Mapping[str, Any] | None = None
) -> str:
    """The identity of a model: what it computes, and nothing that is only said about it."""
    parts = [weights_sha256, family, dict(network)]
    if motion is not None:
        parts += [motion["sha256"], motion["sizes"]]
    said = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(said.encode()).hexdigest()}"


def pack(tensors: Mapping[str, torch.Tensor], dtype: torch.dtype, name: str) -> tuple[bytes, dict[str, Any]]:
    """Weights as the bytes of a file, and what the config says of that file.

    Raises:
        CheckpointError: a weight does not survive `dtype` (it overflows, or was not finite before).

    """
    packed = {
        key: (value.to(dtype) if value.is_floating_point() else value).detach().cpu().contiguous()
        for key, value in tensors.items()
    }
    for key, value in packed.items():
        if not torch.isfinite(value).all():
            raise CheckpointError(f"weight {key} is not finite as {dtype}")
    content = save_tensors(packed)
    return content, {
        "file": name,
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
        "dtype": str(dtype).removeprefix("torch."),
        "parameters": sum(value.numel() for value in packed.values()),
    }


def unpack(folder: Path, stated: Mapping[str, Any], name: str) -> dict[str, torch.Tensor]:
    """The weights of a file, checked against what the config says of it, in float32.

    Raises:
        CheckpointError: it is not the file that is stated.

    """
    content = (folder / name).read_bytes()
    if len(content) != stated["bytes"]:
        raise CheckpointError(f"{folder / name} has {len(content)} bytes, expected {stated['bytes']}")
    sha256 = hashlib.sha256(content).hexdigest()
    if sha256 != stated["sha256"]:
        raise CheckpointError(f"{folder / name} has SHA-256 {sha256}, expected {stated['sha256']}")
    return {key: value.float() for key, value in load_tensors(content).items()}


def save_model(
    folder: Path,
    name: str,
    model: Disentangler,
    *,
    data: Mapping[str, Any],
    card: str,
    statistics: Mapping[str, Any] | None = None,
    metrics: Mapping[str, Any] | None = None,
    training: Mapping[str, Any] | None = None,
    dtype: torch.dtype = torch.float16,
) -> str:
    """Write a model folder and return the model's digest.

    Raises:
        CheckpointError: a weight does not survive `dtype` (it overflows, or was not finite before).

    """
    folder.mkdir(parents=True, exist_ok=True)
    state = model.state_dict()
    content, stated = pack(
        {key: value for key, value in state.items() if not key.startswith(MOTION_PREFIX)}, dtype, WEIGHTS
    )
    network, motion, moving = json.loads(json.dumps(model.network())), None, b""
    if model.motion is not None:
        moving, motion = pack(model.motion.state_dict(), dtype, MOTION)
        motion["sizes"] = json.loads(json.dumps(model.motion.sizes()))
    config = {
        "format": FORMAT,
        "name": name,
        "family": model.family,
        "digest": digest_of(stated["sha256"], model.family, network, motion),
        "network": network,
        "image_size": model.image_size,
        "channels": model.channels,
        "static_dim": model.static_dim,
        "dynamic_dim": model.dynamic_dim,
        "weights": stated,
        "motion": motion,
        "data": dict(data),
        "training": dict(training or {}),
        "statistics": dict(statistics or {}),
        "metrics": dict(metrics or {}),
    }
    files = {} if motion is None else {folder / MOTION: moving}
    # The config goes last: a folder without one is no model, so a half-written one is never served.
    write_together(files | {folder / WEIGHTS: content, folder / CARD: card.encode(), folder / CONFIG: as_json(config)})
    digest: str = config["digest"]
    return digest


def write_config(folder: Path, config: Mapping[str, Any]) -> None:
    """Replace `config.json`, for instance with new metrics; nothing here enters the digest."""
    write_atomically(folder / CONFIG, as_json(config))


def as_json(config: Mapping[str, Any]) -> bytes:
    """A config as the bytes of its file."""
    return (json.dumps(config, indent=1) + "\n").encode()


def read_config(folder: Path) -> dict[str, Any]:
    """`config.json` of a model folder.

    Raises:
        CheckpointError: it is missing, not JSON, or of another format.

    """
    try:
        config: dict[str, Any] = json.loads((folder / CONFIG).read_text())
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{folder / CONFIG} cannot be read: {error}") from error
    if not isinstance(config, dict) or config.get("format") != FORMAT:
        raise CheckpointError(f"{folder / CONFIG} is not a model description of format {FORMAT}")
    return config


def load_model(folder: Path, device: torch.device | str = "cpu") -> LoadedModel:
    """Read a model folder, check it, and return the model in evaluation mode, in float32.

    Raises:
        CheckpointError: a file is missing, its size or SHA-256 is not what the config says, or the
            weights are not those of the network.

    """
    config = read_config(folder)
    try:
        stated, family, network = config["weights"], config["family"], config["network"]
        motion = config.get("motion")
        tensors = unpack(folder, stated, WEIGHTS)
        if config["digest"] != digest_of(stated["sha256"], family, network, motion):
            raise CheckpointError(f"{folder / CONFIG} states a digest that is not that of its weights")
        model = build(family, network)
        model.load_state_dict(tensors)
        if motion is not None:
            model.motion = build_motion(motion["sizes"])
            model.motion.load_state_dict(unpack(folder, motion, MOTION))
        name = str(config["name"])
    except OSError as error:
        raise CheckpointError(f"{error.filename or folder} cannot be read: {error.strerror}") from error
    except KeyError as error:
        raise CheckpointError(f"{folder / CONFIG} lacks {error}") from error
    except (SafetensorError, RuntimeError) as error:
        raise CheckpointError(f"the weights in {folder} are not those of this network: {error}") from error
    model = model.to(device).eval().requires_grad_(False)
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it
    return LoadedModel(model, name, config["digest"], config)


def write_atomically(path: Path, content: bytes) -> None:
    """Replace a file whole: a reader sees the old bytes or the new ones."""
    write_together({path: content})


def write_together(files: Mapping[Path, bytes]) -> None:
    """Replace several files in their order, once all of them have found room on disk: else none is touched."""
    staged: dict[Path, str] = {}
    try:
        for path, content in files.items():
            with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
                staged[path] = file.name
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
                os.chmod(file.name, 0o644)
        for path in files:
            os.replace(staged[path], path)
            del staged[path]
    except BaseException:
        for name in staged.values():
            Path(name).unlink(missing_ok=True)
        raise
