"""What can be wrong with training data.

ValueError
└── DataError         files are missing, changed, or not enough to learn from
    └── Unreadable    one file gives no frames; the others may do
"""


class DataError(ValueError):
    """The data cannot be used; the message says what was found, what was expected and what to do."""


class Unreadable(DataError):
    """A video of several that cannot be decoded, or shows nothing of what was asked for; the message says why."""
