"""Who asks, as the door found out: an owner of jobs and clips, and how much of everything is theirs."""

from starlette.types import Scope

from jobs.keys import LOCAL, Key
from jobs.settings import Settings

_KEY = "twofold.key"


def admit(scope: Scope, key: Key | None) -> None:
    """Write down whose request it is."""
    scope[_KEY] = key


def owner_of(scope: Scope) -> str:
    """Return whose jobs the request may see: everyone's are `local` as long as there are no keys."""
    key = key_of(scope)
    return LOCAL if key is None else key.id


def most_jobs(key: Key | None, settings: Settings) -> int | None:
    """Return how many jobs a key may have waiting or running; None without keys, where the queue's limit is all."""
    return None if key is None else key.max_jobs or settings.key_max_jobs


def most_bytes(scope: Scope, settings: Settings) -> int:
    """Return how many bytes the caller's request may have."""
    key = key_of(scope)
    own = None if key is None else key.max_upload_bytes or settings.key_upload_max_bytes
    return min(own or settings.upload_max_bytes, settings.upload_max_bytes)


def key_of(scope: Scope) -> Key | None:
    """Return the key that let the request in; None where none was needed."""
    key: Key | None = scope[_KEY]
    return key
