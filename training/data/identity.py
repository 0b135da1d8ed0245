"""Who a drawn face can show: nine factors with their levels and colours; and in which three ways it moves."""

import math
from dataclasses import astuple, dataclass, fields

import numpy as np

Colour = tuple[int, int, int]

SKIN: tuple[Colour, ...] = (
    (255, 224, 204),
    (245, 196, 152),
    (224, 166, 114),
    (196, 130, 84),
    (160, 98, 66),
    (122, 74, 56),
)
HAIR: tuple[Colour, ...] = (
    (22, 22, 34),
    (70, 34, 14),
    (212, 90, 30),
    (248, 206, 84),
    (228, 230, 238),
    (150, 46, 132),
)
IRIS: tuple[Colour, ...] = ((86, 46, 20), (40, 120, 220), (40, 150, 70), (130, 134, 142))
BACKGROUND: tuple[Colour, ...] = (
    (112, 190, 236),
    (132, 212, 170),
    (246, 124, 112),
    (188, 160, 234),
    (54, 72, 138),
    (250, 232, 176),
)
FACE_SHAPES = ("round", "oval", "square", "heart")
HAIR_STYLES = ("crop", "quiff", "curls", "bob", "long", "bun")
BROWS = ("thin", "straight", "arched")
GLASSES = ("none", "round", "square")
BEARDS = ("none", "moustache", "full")

FACTORS: dict[str, int] = {
    "skin": len(SKIN),
    "face_shape": len(FACE_SHAPES),
    "hair_style": len(HAIR_STYLES),
    "hair_colour": len(HAIR),
    "eyes": len(IRIS),
    "brows": len(BROWS),
    "glasses": len(GLASSES),
    "beard": len(BEARDS),
    "background": len(BACKGROUND),
}
DYNAMIC: dict[str, tuple[float, float]] = {"smile": (-1.0, 1.0), "surprise": (0.0, 1.0), "turn": (-1.0, 1.0)}
NUM_IDENTITIES = math.prod(FACTORS.values())  # 559,872


@dataclass(frozen=True, order=True)
class Identity:
    """Who is drawn: one level for each static factor, in the order of `FACTORS`."""

    skin: int
    face_shape: int
    hair_style: int
    hair_colour: int
    eyes: int
    brows: int
    glasses: int
    beard: int
    background: int

    def __post_init__(self) -> None:
        for field, level, levels in zip(fields(self), astuple(self), FACTORS.values(), strict=True):
            if not 0 <= level < levels:
                raise ValueError(f"{field.name} has levels 0 to {levels - 1}, got {level}")

    @classmethod
    def from_number(cls, number: int) -> "Identity":
        """Read a number in [0, NUM_IDENTITIES) as mixed-radix digits, the last factor fastest."""
        if not 0 <= number < NUM_IDENTITIES:
            raise ValueError(f"identities are numbered 0 to {NUM_IDENTITIES - 1}, got {number}")
        return cls(*(int(level) for level in np.unravel_index(number, tuple(FACTORS.values()))))

    @classmethod
    def sample(cls, rng: np.random.Generator) -> "Identity":
        """Any identity, all equally likely."""
        return cls.from_number(int(rng.integers(NUM_IDENTITIES)))

    @property
    def number(self) -> int:
        """The inverse of `from_number`."""
        return int(np.ravel_multi_index(astuple(self), tuple(FACTORS.values())))

    @property
    def levels(self) -> tuple[int, ...]:
        """One level a factor, in the order of `FACTORS`."""
        return astuple(self)
