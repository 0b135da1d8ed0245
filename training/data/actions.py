"""The clips on which the field scores Sprites: 3 actions in 3 directions of every character, 8 frames each.

Source: Li & Mandt 2018 (arXiv:1803.02991) and the data set published with it, github.com/YingzhenLi/Sprites at commit
3ce4048: which columns of a sheet are frames, the order of actions and directions, the split by character. One of its
six trousers and one of its six shirts are others here (`training.data.sheets` says why), and pixels are 8-bit values
over 255, not over 256.
"""

from dataclasses import dataclass

import numpy as np
import torch
from einops import rearrange, repeat
from jaxtyping import Int, UInt8
from torch import Tensor

from training.data.drawable import Split
from training.data.sheets import Pose
from training.data.sprites import ATTRIBUTES, NUM_VARIANTS, Sprites, characters, static_factors

ACTIONS = ("walk", "spellcast", "slash")
DIRECTIONS = ("s", "w", "e")  # front, left, right; nobody is seen from the back
FRAMES = 8
COLUMNS = {  # of the sheet, frame by frame
    "walk": (8, 1, 2, 3, 4, 5, 6, 7),
    "spellcast": (0, 1, 2, 3, 4, 5, 4, 6),
    "slash": (0, 1, 2, 3, 4, 5, 4, 0),
}
CLASSES = tuple((action, direction) for action in ACTIONS for direction in DIRECTIONS)  # class 3·action + direction


@dataclass(frozen=True, slots=True)
class ActionClips:
    """Clips of one action each, with what they show."""

    frames: UInt8[Tensor, "n t c h w"]
    action: Int[np.ndarray, " n"]  # a class
    static: Int[np.ndarray, "n f"]  # levels, one a factor
    identity: Int[np.ndarray, " n"]  # 0, 1, …: whose clip it is


class SpriteActions:
    """Characters doing the nine actions, composited when asked for."""

    def __init__(self, sprites: Sprites) -> None:
        self.sprites, self.cells = sprites, cells(sprites.poses)
        self.name, self.classes = "sprites", len(CLASSES)
        self.static_levels = dict.fromkeys(ATTRIBUTES, NUM_VARIANTS)

    def clips(self, split: Split, count: int | None = None) -> ActionClips:
        """All nine clips of the first `count` characters of a split: 9000 for "train", 2664 for "test" unless told."""
        numbers = characters(split)[:count]
        return self.draw(np.repeat(numbers, self.classes), np.tile(np.arange(self.classes), len(numbers)))

    def examples(self, count: int, rng: np.random.Generator) -> ActionClips:
        """Clips of random training characters doing random actions, to teach a judge."""
        return self.draw(rng.choice(characters("train"), count), rng.integers(self.classes, size=count))

    def draw(self, numbers: Int[np.ndarray, " n"], action: Int[np.ndarray, " n"]) -> ActionClips:
        """The clip of each character doing an action."""
        poses = self.cells[torch.from_numpy(action)]
        each = repeat(torch.from_numpy(numbers), "n -> n t", t=FRAMES)
        frames = self.sprites.render(each.reshape(-1), poses.reshape(-1))
        _, identity = np.unique(numbers, return_inverse=True)
        return ActionClips(
            rearrange(frames, "(n t) c h w -> n t c h w", t=FRAMES), action, static_factors(numbers), identity
        )


def cells(poses: tuple[Pose, ...]) -> Int[Tensor, "9 8"]:
    """For each class the number of the pose that each of its frames shows."""
    where = {(pose.action, pose.direction, pose.column): number for number, pose in enumerate(poses)}
    return torch.tensor(
        [[where[action, direction, column] for column in COLUMNS[action]] for action, direction in CLASSES]
    )
