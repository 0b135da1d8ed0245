"""What a command line says: a key, and settings above the environment's."""

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jobs.settings import Settings

KEY: ContextVar[str | None] = ContextVar("KEY", default=None)  # who asks a server, as --key or TWOFOLD_KEY says


def settings_with(**said: Any) -> "Settings":
    """Return the environment's settings, with what is said, where it is not None, above them.

    Raises:
        ConfigurationError: one of them is wrong; it is named as the variable that it is.

    """
    from jobs.settings import read_settings

    return read_settings(**{name: value for name, value in said.items() if value is not None})
