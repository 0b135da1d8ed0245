"""Weights of the authors' DrNET code, taken into ours: their names for what `models.drnet_blocks` has.

Source: github.com/edenton/drnet-py, commit 240cf6e. Its U-Nets count stages from 1 (`c1`, `upc2`) and its plain
networks from 0 (`main.0`), where the decoder's steps begin at 3, after the first layer's three parts.
"""

import re
from collections.abc import Callable, Iterable, Mapping

from torch import Tensor, nn

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


def load_reference(module: nn.Module, tensors: Mapping[str, Tensor], rules: Iterable[Rule]) -> None:
    """Give `module` the weights that the authors' code saved under its own names.

    Raises:
        ForeignWeights: a name that this network has no place for, a shape that differs, or a weight that lacks.

    """
    rules = list(rules)
    own = {name: value for name, value in module.state_dict().items() if not name.endswith("num_batches_tracked")}
    renamed: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if name.endswith("num_batches_tracked"):
            continue
        ours = next((rename(found) for pattern, rename in rules if (found := re.fullmatch(pattern, name))), None)
        if ours not in own:
            raise ForeignWeights(f"this network has no place for {name}")
        if own[ours].shape != tensor.shape:
            raise ForeignWeights(f"{name} has shape {tuple(tensor.shape)}, expected {tuple(own[ours].shape)}")
        renamed[ours] = tensor
    if missing := sorted(own.keys() - renamed.keys()):
        raise ForeignWeights(f"the weights lack what is called {missing[0]} here")
    module.load_state_dict(renamed, strict=False)  # but for the counts of batches, which evaluation does not use
