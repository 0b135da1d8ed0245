"""Weights of the authors' DrNET code, taken into ours: their names for what `models.drnet_blocks` has.

Source: github.com/edenton/drnet-py, commit 240cf6e. Its U-Nets count stages from 1 (`c1`, `upc2`) and its plain
networks from 0 (`main.0`), where the decoder's steps begin at 3, after the first layer's three parts.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from models.drnet import ContentKind, DrNET, DrNETConfig, PoseKind

Rule = tuple[str, Callable[[re.Match[str]], str]]

ENCODER: tuple[Rule, ...] = (
    (r"c(\d+)\.(\d)\.main\.(\d\..+)", lambda found: f"stages.{int(found[1]) - 1}.{found[2]}.{found[3]}"),  # VGG
    (r"c(\d+)\.main\.(\d\..+)", lambda found: f"stages.{int(found[1]) - 1}.0.{found[2]}"),
    (r"c\d+\.(\d\..+)", lambda found: f"head.{found[1]}"),
    (r"main\.(\d+)\.main\.(\d\..+)", lambda found: f"stages.{found[1]}.0.{found[2]}"),
)
DECODER: tuple[Rule, ...] = (
    (r"upc1\.(\d\..+)", lambda found: f"first.{found[1]}"),
    (r"upc(\d+)\.(\d)\.main\.(\d\..+)", lambda found: f"steps.{int(found[1]) - 2}.{found[2]}.{found[3]}"),  # VGG
    (r"upc(\d+)\.main\.(\d\..+)", lambda found: f"steps.{int(found[1]) - 2}.0.{found[2]}"),
    (r"upc(\d+)\.(\d\..+)", lambda found: f"steps.{int(found[1]) - 2}.{found[2]}"),
    (r"main\.([01]\.\w+)", lambda found: f"first.{found[1]}"),
    (r"main\.(\d+)\.main\.(\d\..+)", lambda found: f"steps.{int(found[1]) - 3}.0.{found[2]}"),
    (r"main\.(\d+)\.(\w+)", lambda found: f"steps.{int(found[1]) - 3}.0.{found[2]}"),
)
DISCRIMINATOR: tuple[Rule, ...] = ((r"main\.(\d\..+)", lambda found: f"layers.{found[1]}"),)


class ForeignWeights(ValueError):
    """Weights that are not those of the network they are meant for; the message names the first that differs."""


def rules_for_encoder(names: Iterable[str]) -> tuple[Rule, ...]:
    """The rules of an encoder with these names: a ResNet's are ours but for a prefix, a plain one's head follows."""
    names = list(names)
    if any(name.startswith("main.conv1.") for name in names):
        return ((r"main\.(.+)", lambda found: found[1]),)
    stages = {int(found[1]) for name in names if (found := re.match(r"main\.(\d+)\.main\.", name))}
    head = len(stages)
    return (*ENCODER, (r"main\.(\d+)\.(\w+)", lambda found: f"head.{int(found[1]) - head}.{found[2]}"))


def renamed(tensors: Mapping[str, Tensor], rules: Iterable[Rule]) -> dict[str, Tensor]:
    """The tensors under our names; counts of batches are left out, since evaluation does not use them.

    Raises:
        ForeignWeights: a name that no rule knows.

    """
    rules = list(rules)
    ours: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if name.endswith("num_batches_tracked"):
            continue
        own = next((rename(found) for pattern, rename in rules if (found := re.fullmatch(pattern, name))), None)
        if own is None:
            raise ForeignWeights(f"no network of drnet-py has {name}")
        ours[own] = tensor
    return ours


def load_reference(module: nn.Module, tensors: Mapping[str, Tensor], rules: Iterable[Rule]) -> None:
    """Give `module` the weights that the authors' code saved under its own names.

    Raises:
        ForeignWeights: a name that this network has no place for, a shape that differs, or a weight that lacks.

    """
    own = {name: value for name, value in module.state_dict().items() if not name.endswith("num_batches_tracked")}
    given = renamed(tensors, rules)
    for name, tensor in given.items():
        if name not in own:
            raise ForeignWeights(f"this network has no place for what is called {name} here")
        if own[name].shape != tensor.shape:
            raise ForeignWeights(f"{name} has shape {tuple(tensor.shape)}, expected {tuple(own[name].shape)}")
    if missing := sorted(own.keys() - given.keys()):
        raise ForeignWeights(f"the weights lack what is called {missing[0]} here")
    module.load_state_dict(given, strict=False)


PARTS = ("content_encoder", "pose_encoder", "decoder")
HOW_TO_CONVERT = (
    "A checkpoint of drnet-py is a pickle, which is not opened here. Where it was made: "
    "safetensors.torch.save_file({f'{part}.{name}': tensor.contiguous() for part in "
    "('content_encoder', 'pose_encoder', 'decoder') for name, tensor in checkpoint[part].state_dict().items()}, "
    "'drnet.safetensors')"
)


def read_parts(path: Path) -> dict[str, dict[str, Tensor]]:
    """The tensors of each part from a safetensors file with names like `decoder.upc1.0.weight`.

    The authors' code pickles whole modules, and opening those can run anything, so they are turned into
    tensors where they were made (`HOW_TO_CONVERT`).

    Raises:
        ForeignWeights: the file is something else, or a part is missing.

    """
    try:
        tensors = load_file(path)
    except (OSError, SafetensorError) as error:
        raise ForeignWeights(f"{path} is no safetensors file ({error}). {HOW_TO_CONVERT}") from error
    parts: dict[str, dict[str, Tensor]] = {part: {} for part in PARTS}
    for name, tensor in tensors.items():
        part, _, rest = name.partition(".")
        if part not in parts:
            raise ForeignWeights(f"{path} has {name}, which is of none of {', '.join(PARTS)}")
        parts[part][rest] = tensor
    for part in PARTS:
        if not parts[part]:
            raise ForeignWeights(f"{path} has no tensors of {part}")
    return parts


UNKNOWN_SPREAD = 0.4  # taken for the deviation of poses in [-1, 1] of which nothing is known


def import_drnet(parts: Mapping[str, Mapping[str, Tensor]], unit_pose: bool) -> DrNET:
    """The model of which these are the weights; its networks and sizes are read off names and shapes.

    `unit_pose` says whether it was trained with `--normalize`, which the weights do not tell.

    Raises:
        ForeignWeights: the parts do not make one of the authors' networks.

    """
    try:
        model = DrNET(config_of(parts, unit_pose)).eval()
    except (KeyError, ValueError) as error:
        raise ForeignWeights(f"these are not the weights of a network of drnet-py: {error}") from error
    load_reference(model.content_encoder, parts["content_encoder"], rules_for_encoder(parts["content_encoder"]))
    load_reference(model.pose_encoder, parts["pose_encoder"], rules_for_encoder(parts["pose_encoder"]))
    load_reference(model.decoder, parts["decoder"], DECODER)
    # Its training clips are not at hand: no identity is drawn, and planes end where tanh does, at 2.5 deviations.
    model.get_buffer("content_factor").zero_()
    model.get_buffer("pose_std").fill_(UNKNOWN_SPREAD)
    return model


def config_of(parts: Mapping[str, Mapping[str, Tensor]], unit_pose: bool) -> DrNETConfig:
    """Which networks of which sizes these are.

    Raises:
        ForeignWeights: a name that no network of theirs has.
        KeyError: what tells the sizes is not there.

    """
    content = renamed(parts["content_encoder"], rules_for_encoder(parts["content_encoder"]))
    pose = renamed(parts["pose_encoder"], rules_for_encoder(parts["pose_encoder"]))
    kind: ContentKind = "dcgan_unet" if any(name.startswith("upc") for name in parts["decoder"]) else "dcgan"
    if "stages.0.1.0.weight" in content:
        kind = "vgg_unet"
    pose_kind: PoseKind = "resnet" if "conv_out.weight" in pose else "dcgan"
    width, channels = content["stages.0.0.0.weight"].shape[:2]
    return DrNETConfig(
        content=kind,
        pose=pose_kind,
        static_dim=len(content["head.0.weight"]),
        dynamic_dim=len(pose["conv_out.weight" if pose_kind == "resnet" else "head.0.weight"]),
        unit_pose=unit_pose,
        width=width,
        channels=channels,
        image_size=128 if "stages.4.0.0.weight" in content else 64,
    )
