"""What can stop a training run.

Exception
└── TrainingError
    ├── NonFiniteLoss      the loss is NaN or infinite; the last good checkpoint is kept
    ├── NothingLearnt      the run was ended before its first step
    ├── ResumeMismatch     a run folder holds another run than the one to be resumed
    └── UnevenShares       a batch cannot be divided among the processes that train together
"""


class TrainingError(Exception):
    """The run cannot go on; the message says what to do."""


class NonFiniteLoss(TrainingError):
    """The loss is NaN or infinite."""


class NothingLearnt(TrainingError):
    """No step was taken, so that there is no model."""


class ResumeMismatch(TrainingError):
    """The folder holds a run of another recipe."""


class UnevenShares(TrainingError):
    """A batch does not divide among the processes."""
