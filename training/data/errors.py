"""What can be wrong with training data.

ValueError
└── DataError    files are missing, changed, or not enough to learn from
"""


class DataError(ValueError):
    """The data cannot be used; the message says what was found, what was expected and what to do."""
