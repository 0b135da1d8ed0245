"""Small NORB as video: fifty toys on a turntable, of which one turn is a clip of 18 frames.

Toys of 5 categories, 10 instances of each, are seen by two cameras at 9 elevations, under 6 lightings, at 18
azimuths. A clip is one toy at one elevation under one lighting: category, instance, elevation and lighting are its
static factors, the azimuth, which is time, the dynamic one. The instances 4, 6, 7, 8, 9 of each category are for
training, 0, 1, 2, 3, 5 are held out, as the files have it: 25 toys × 9 × 6 = 1350 clips a camera on each side.

The folder holds the six files of LeCun, Huang & Bottou (CVPR 2004), each plain or with `.gz`, from
cs.nyu.edu/~ylclab/data/norb-v1.0-small/ :

    smallnorb-5x46789x9x18x6x2x96x96-training-{dat,cat,info}.mat
    smallnorb-5x01235x9x18x6x2x96x96-testing-{dat,cat,info}.mat

They are provided for research and cannot be sold. No checksums are published, so files are checked by what they
say: kinds and sizes, lengths, ranges of every factor, the split's instances, and that every turn is whole.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Int, UInt8
from torch import Tensor

from training.data.area import area_average
from training.data.errors import DataError
from training.data.labels import Labels
from training.data.matrix import MatrixFile
from training.data.pool import ClipPool

Split = Literal["train", "test"]

SIDE = 96  # pixels
CAMERAS = 2
NUM_AZIMUTHS = 18
DEGREES = 20  # from one azimuth to the next
STATIC = ("category", "instance", "elevation", "lighting")
CATEGORIES = ("animal", "human", "plane", "truck", "car")
INSTANCES: dict[Split, tuple[int, ...]] = {"train": (4, 6, 7, 8, 9), "test": (0, 1, 2, 3, 5)}
NUM_ELEVATIONS, NUM_LIGHTINGS = 9, 6
CLIPS = len(CATEGORIES) * 5 * NUM_ELEVATIONS * NUM_LIGHTINGS  # of a camera and a split
FILES: dict[Split, str] = {
    "train": "smallnorb-5x46789x9x18x6x2x96x96-training",
    "test": "smallnorb-5x01235x9x18x6x2x96x96-testing",
}


@dataclass(frozen=True, slots=True)
class Turns:
    """The clips of a split through one camera, in the order of their factors."""

    frames: UInt8[Tensor, "n 18 s s"]  # frame t is at an azimuth of 20 t degrees
    static: Int[np.ndarray, "n 4"]  # as `STATIC` names them; an elevation of e is 30 + 5 e degrees

    @classmethod
    def load(cls, folder: Path, split: Split, size: int = 64, camera: int = 0) -> "Turns":
        """The clips of a split, pictures area-averaged to `size`; of the file a few MB are in memory at a time.

        Raises:
            DataError: a file is missing or is not what it should be.

        """
        if not 0 <= camera < CAMERAS:
            raise ValueError(f"camera must be 0 or 1, got {camera}")
        pictures = MatrixFile.open(matrix_file(folder, split, "dat"), np.uint8, (None, CAMERAS, SIDE, SIDE))
        count = pictures.shape[0]
        order, static = turns_of(read_factors(folder, split, count), FILES[split])
        place = np.empty(count, np.int64)
        place[order] = np.arange(count)
        frames = np.empty((len(static), NUM_AZIMUTHS, size, size), np.uint8)
        in_order = frames.reshape(count, size, size)
        done = 0
        for block in pictures.blocks():
            in_order[place[done : done + len(block)]] = area_average(block[:, camera], size, size)
            done += len(block)
        return cls(torch.from_numpy(frames), static)

    def pool(self) -> ClipPool:
        """The clips with three equal channels, which take the memory of one.

        Frames are aligned as the files label them: nobody can check that all toys stood alike at azimuth 0.
        """
        colour = self.frames[..., None].expand(-1, -1, -1, -1, 3)
        turn = torch.arange(colour.shape[1])  # a turn goes round: the last azimuth is beside the first
        return ClipPool.of_equal_clips(colour, aligned=True, movements=(turn,))

    def labels(self) -> Labels:
        """The factors of the pool's clips, and of its frames the azimuth."""
        return Labels(
            dict(zip(STATIC, self.static.T, strict=True)),
            {"azimuth": np.arange(NUM_AZIMUTHS)},
            whose=("category", "instance"),
        )


def read_factors(folder: Path, split: Split, count: int) -> Int[np.ndarray, "count 5"]:
    """Category, instance, elevation, lighting and azimuth (0 to 17) of each picture, as they lie in the files.

    Raises:
        DataError: there are not `count` of them, or one has a value that the split cannot have.

    """
    categories = MatrixFile.open(matrix_file(folder, split, "cat"), np.int32, (count,))
    info = MatrixFile.open(matrix_file(folder, split, "info"), np.int32, (count, 4))
    instance, elevation, azimuth, lighting = info.whole().T
    allowed = {
        "category": (categories, categories.whole(), range(len(CATEGORIES))),
        "instance": (info, instance, INSTANCES[split]),
        "elevation": (info, elevation, range(NUM_ELEVATIONS)),
        "lighting": (info, lighting, range(NUM_LIGHTINGS)),
        "azimuth": (info, azimuth, range(0, 2 * NUM_AZIMUTHS, 2)),  # stored in tens of degrees
    }
    for name, (file, values, those) in allowed.items():
        strange = values[~np.isin(values, list(those))]
        if len(strange):
            raise DataError(f"{file.path} has {name} {strange[0]}, expected one of {', '.join(map(str, those))}")
    columns = [values for _, values, _ in allowed.values()]
    return np.stack([*columns[:-1], azimuth // 2], axis=1).astype(np.int64)


def turns_of(factors: Int[np.ndarray, "n 5"], name: str) -> tuple[Int[np.ndarray, " n"], Int[np.ndarray, "clips 4"]]:
    """The order in which pictures make whole turns, 18 after 18 of them, and the static factors of each turn.

    Raises:
        DataError: a turn lacks an azimuth, or has one twice.

    """
    order = np.lexsort(factors.T[::-1])
    _, first, sizes = np.unique(factors[order, :4], axis=0, return_index=True, return_counts=True)
    for start, size in zip(first, sizes, strict=True):
        azimuths = factors[order[start : start + size], 4]
        if not np.array_equal(azimuths, np.arange(NUM_AZIMUTHS)):
            category, instance, elevation, lighting = factors[order[start], :4]
            raise DataError(
                f"{name} has {size} pictures of category {category}, instance {instance}, elevation {elevation}, "
                f"lighting {lighting}, at the azimuths {', '.join(str(DEGREES * a) for a in azimuths)}; expected each "
                f"of the {NUM_AZIMUTHS} from 0 to {DEGREES * (NUM_AZIMUTHS - 1)} degrees once"
            )
    return order, factors[order[first], :4]


def matrix_file(folder: Path, split: Split, what: Literal["dat", "cat", "info"]) -> Path:
    """The file of that content, or its gzipped form.

    Raises:
        DataError: there is neither.

    """
    name = f"{FILES[split]}-{what}.mat"
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            return path
    raise DataError(f"{folder} has neither {name} nor {name}.gz; they are at cs.nyu.edu/~ylclab/data/norb-v1.0-small/")
