"""LPC sprites: 1296 characters in all 178 poses, composited from the layer sheets when asked for.

The layers are those of the published Sprites set (Li & Mandt 2018), drawn for the Liberated Pixel Cup
(CC-BY-SA 3.0 or GPL 3.0), with every pose of the sheet as Helminger et al. 2018 use them. Layers are
alpha-composited in the order skin, legs, shirt, hair, shoes on opaque black.

Source: github.com/jrconway3/Universal-LPC-spritesheet at commit 2668274d; the folder that is read is a checkout of
it, or holds the 25 sheets alone (`training.data.sheets` names them).
"""

import hashlib
import io
from pathlib import Path

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Int, UInt8
from PIL import Image
from torch import Tensor

from training.data.errors import DataError
from training.data.sheets import SHEETS, Pose, Sheet, all_poses

ATTRIBUTES = ("skin", "legs", "shirt", "hair")  # the base-6 digits of a character's number, in order
LAYER_ORDER = (*ATTRIBUTES, "shoes")
NUM_VARIANTS = 6
NUM_CHARACTERS = NUM_VARIANTS ** len(ATTRIBUTES)
NUM_TRAIN = 1000
TILE = 64


def characters(split: str) -> Int[np.ndarray, " n"]:
    """Numbers of the characters of a split: 1000 for "train", 296 held out for "test".

    Source: the published split, `numpy.random.RandomState(423).permutation(1296)` (Li & Mandt 2018).
    """
    order = np.random.RandomState(423).permutation(NUM_CHARACTERS)
    return {"train": order[:NUM_TRAIN], "test": order[NUM_TRAIN:]}[split]


def static_factors(numbers: Int[np.ndarray, " n"]) -> Int[np.ndarray, "n 4"]:
    """The variant of skin, legs, shirt and hair of each character: its number's base-6 digits."""
    powers = NUM_VARIANTS ** np.arange(len(ATTRIBUTES) - 1, -1, -1)
    return np.asarray(numbers)[:, None] // powers % NUM_VARIANTS


class Sprites:
    """The layers, held on one device (70 MB), from which any character in any pose is composited."""

    def __init__(self, layers: UInt8[Tensor, "5 6 178 4 64 64"], poses: tuple[Pose, ...]) -> None:
        self.layers, self.poses = layers, poses

    @classmethod
    def load(cls, folder: Path) -> "Sprites":
        """Read and check the sheets.

        Raises:
            DataError: a file is missing, or is not the one that was published.

        """
        poses = all_poses()
        layers = torch.zeros(len(LAYER_ORDER), NUM_VARIANTS, len(poses), 4, TILE, TILE, dtype=torch.uint8)
        for sheet in SHEETS:
            cells = torch.from_numpy(cut(read_sheet(folder, sheet), poses))
            chosen: int | slice = slice(None) if sheet.attribute == "shoes" else sheet.index
            layers[LAYER_ORDER.index(sheet.attribute), chosen] = cells
        return cls(layers, poses)

    def to(self, device: torch.device | str) -> "Sprites":
        """The same sprites on another device, where they are then composited."""
        return type(self)(self.layers.to(device), self.poses)

    def render(self, numbers: Int[Tensor, " n"], poses: Int[Tensor, " n"]) -> UInt8[Tensor, "n 3 64 64"]:
        """Pictures of characters in poses, paired element by element."""
        digits = [numbers // NUM_VARIANTS**power % NUM_VARIANTS for power in range(len(ATTRIBUTES) - 1, -1, -1)]
        shoes = torch.zeros_like(numbers)
        picture = torch.zeros(len(numbers), 3, TILE, TILE, dtype=torch.uint8, device=self.layers.device)
        for slot, variant in enumerate([*digits, shoes]):
            layer = self.layers[slot, variant, poses]
            n, y, x = torch.nonzero(layer[:, 3], as_tuple=True)  # a layer covers little of a picture
            alpha, upper = layer[n, 3:, y, x].to(torch.int32), layer[n, :3, y, x].to(torch.int32)
            lower = picture[n, :, y, x]
            # (a·s + (255 − a)·d) / 255, rounded to the nearest
            picture[n, :, y, x] = ((alpha * upper + (255 - alpha) * lower + 127) // 255).to(torch.uint8)
        return picture


def read_sheet(folder: Path, sheet: Sheet) -> UInt8[np.ndarray, "1344 832 4"]:
    """One layer's sheet as RGBA, from a checkout of the repository or a folder of these sheets alone.

    Raises:
        DataError: it is missing or not the expected one.

    """
    places = [folder / sheet.path, folder / sheet.short_path]
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        raise DataError(
            f"{folder} has neither {sheet.path} nor {sheet.short_path}: give a checkout of "
            f"{__doc__.split('Source: ')[1].split(';')[0]}"
        )
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != sheet.sha256:
        raise DataError(f"{path} has SHA-256 {found}, expected {sheet.sha256}: fetch it anew")
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image.convert("RGBA"))


def cut(sheet: UInt8[np.ndarray, "1344 832 4"], poses: tuple[Pose, ...]) -> UInt8[np.ndarray, "178 4 64 64"]:
    """The cells of the poses, in their order, channels first."""
    tiles = rearrange(sheet, "(row h) (column w) c -> row column c h w", h=TILE, w=TILE)
    return np.stack([tiles[pose.row, pose.column] for pose in poses])
