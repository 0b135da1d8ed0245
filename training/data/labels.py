"""What a data set's files say of its clips beside their frames: which class they are of, by factor."""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Int


@dataclass(frozen=True, slots=True)
class Labels:
    """Classes by name, in the order of a pool's clips."""

    clips: dict[str, Int[np.ndarray, " n"]]
    frames: dict[str, Int[np.ndarray, " t"]] = field(default_factory=dict)  # of frame t of every clip, if it is aligned
