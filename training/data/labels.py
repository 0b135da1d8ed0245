"""What a data set's files say of its clips beside their frames: which class they are of, by factor."""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Int


@dataclass(frozen=True, slots=True)
class Labels:
    """Classes by name, in the order of a pool's clips."""

    clips: dict[str, Int[np.ndarray, " n"]]
    frames: dict[str, Int[np.ndarray, " t"]] = field(default_factory=dict)  # of frame t of every clip, if it is aligned
    whose: tuple[str, ...] = ()  # the factors that say together whose a clip is; without them each is by itself

    def owners(self) -> Int[np.ndarray, " n"]:
        """A number for each clip that those of one toy or person have in common."""
        if not self.whose:
            return np.arange(len(next(iter(self.clips.values()))))
        together = np.stack([self.clips[name] for name in self.whose], axis=1)
        numbers: np.ndarray = np.unique(together, axis=0, return_inverse=True)[1].reshape(-1)
        return numbers
