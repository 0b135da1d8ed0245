"""What a command line says: a key, and settings above the environment's, with a readable line where one is wrong."""

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from jobs.errors import ConfigurationError

if TYPE_CHECKING:
    from jobs.settings import Settings

KEY: ContextVar[str | None] = ContextVar("KEY", default=None)  # who asks a server, as --key or TWOFOLD_KEY says


def settings_with(**said: Any) -> "Settings":
    """Return the environment's settings, with what is said, where it is not None, above them.

    Raises:
        ConfigurationError: one of them is wrong; it is named as the variable that it is.

    """
    from pydantic import ValidationError

    from jobs.settings import Settings

    try:
        return Settings(**{name: value for name, value in said.items() if value is not None})
    except ValidationError as error:
        wrong = [f"TWOFOLD_{'_'.join(map(str, one['loc'])).upper()}: {one['msg']}" for one in error.errors()]
        raise ConfigurationError("; ".join(wrong)) from None
