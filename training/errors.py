"""What can stop a training run.

Exception
└── TrainingError
    ├── NonFiniteLoss      the loss is NaN or infinite; the last good checkpoint is kept
    ├── DiskFull           there is no room for a checkpoint, the log or the model
    ├── NothingLearnt      the run was ended before its first step
    ├── NameHeld           another training of the same name is going on
    ├── NameUsed           there is a finished model of the name
    ├── ResumeMismatch     a run folder holds another run than the one to be resumed
    └── UnevenShares       a batch cannot be divided among the processes that train together
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager


class TrainingError(Exception):
    """The run cannot go on; the message says what to do."""


class NonFiniteLoss(TrainingError):
    """The loss is NaN or infinite, or made weights that are."""

    def __init__(self, found: str, remedy: str, steps: int) -> None:
        super().__init__(f"{found}; {remedy}")
        self.found = found
        self.steps = steps  # taken by then


class NothingLearnt(TrainingError):
    """No step was taken, so that there is no model."""


class NameHeld(TrainingError):
    """Another training of the same name is going on."""


class NameUsed(TrainingError):
    """There is a finished model of the name, which nobody said to replace."""


class DiskFull(TrainingError):
    """There is no room on disk, or none left of somebody's share of it."""


class ResumeMismatch(TrainingError):
    """The folder holds a run of another recipe."""


class UnevenShares(TrainingError):
    """A batch does not divide among the processes."""


@contextmanager
def telling_a_full_disk(then: str = "--resume goes on from the last checkpoint") -> Iterator[None]:
    """Let a write that found no room end in words.

    Raises:
        DiskFull: it did; the message says to free some space, and what happens `then`.

    """
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise DiskFull(f"the disk is full: free some space, then {then}") from error
