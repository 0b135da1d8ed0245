"""Keys: who may use a server that more than one person reaches, kept as hashes in one file that its operator edits.

A file, not Redis, so that a queue that lost its memory does not open the door: once the file is there, nobody comes in
without a key that it names, however many that are. A key is 256 random bits, so a plain SHA-256 of it tells nothing.
"""

import fcntl
import hashlib
import hmac
import json
import logging
import os
import re
import secrets
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jobs.errors import ConfigurationError

LOCAL = "local"  # the one owner of everything as long as there are no keys
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
PREFIX = "twofold_"  # so that a key found in a log or a repository is known for what it is
LONGEST = 200  # characters; what is longer is not worth hashing
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Key:
    """One key, as far as the server knows it."""

    id: str  # whose jobs and clips these are: a new key of an old name sees nothing of the old one's
    name: str
    sha256: str
    created: datetime
    max_jobs: int | None = None  # waiting or running at once; none means the server's setting
    max_upload_bytes: int | None = None  # in one request; none means the server's setting


class KeyFile:
    """The file of keys. Changes are made whole, by one process at a time, and seen by running servers at once."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> list[Key]:
        """Return the keys in the order they were made; none where there is no file.

        Raises:
            ConfigurationError: the file cannot be read as what `add` writes.

        """
        try:
            said = json.loads(self.path.read_text(encoding="utf-8"))
            if said["format"] != 1:
                raise ValueError(f"format {said['format']!r:.20}, expected 1")
            return [_key(one) for one in said["keys"]]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigurationError(f"the keys in {self.path} cannot be read: {error}") from error

    def add(self, name: str, max_jobs: int | None = None, max_upload_bytes: int | None = None) -> tuple[Key, str]:
        """Make a key and return it with its secret, which is kept nowhere.

        Raises:
            ConfigurationError: the name is taken, or none.

        """
        if not NAME.fullmatch(name):
            raise ConfigurationError(f"a key's name has 1 to 64 letters, digits and . _ @ -, got {name!r:.80}")
        secret = PREFIX + secrets.token_urlsafe(32)
        key = Key(secrets.token_hex(8), name, _hash(secret), datetime.now(UTC), max_jobs, max_upload_bytes)
        with self._changing() as keys:
            if any(other.name == name for other in keys):
                raise ConfigurationError(f"there is a key {name!r} already; remove it first, or take another name")
            keys.append(key)
        return key, secret

    def remove(self, name: str) -> Key:
        """Remove the key of this name; a running server refuses it from then on.

        Raises:
            ConfigurationError: there is none.

        """
        with self._changing() as keys:
            found = next((key for key in keys if key.name == name), None)
            if found is None:
                raise ConfigurationError(f"there is no key {name!r:.80}; `twofold keys list` shows those there are")
            keys.remove(found)
        return found

    @contextmanager
    def _changing(self) -> Iterator[list[Key]]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.with_name(self.path.name + ".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            keys = self.read()
            yield keys
            self._write(keys)

    def _write(self, keys: list[Key]) -> None:
        said = {"format": 1, "keys": [{**asdict(key), "created": key.created.isoformat()} for key in keys]}
        descriptor, name = tempfile.mkstemp(dir=self.path.parent, prefix=".keys-")  # readable by its owner alone
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(said, file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            Path(name).rename(self.path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


class Keyring:
    """The keys as a running server sees them: read anew when the file changes, and never open again by its loss."""

    def __init__(self, path: Path) -> None:
        self.file = KeyFile(path)
        self._version: tuple[int, int, int, int] | None = None  # none: what is there is still to be read
        self._trouble: str | None = None  # what was told last of a file that cannot be read
        self._keys: list[Key] = []
        self._closed = False
        self._look()  # now: the file may be lost before anybody asks

    @property
    def closed(self) -> bool:
        """Whether a key is needed at all."""
        self._look()
        return self._closed

    def find(self, presented: str) -> Key | None:
        """Return the key that was presented. Takes as long for a wrong one as for a right one."""
        self._look()
        if len(presented) > LONGEST:
            return None
        digest = _hash(presented)
        found = None
        for key in self._keys:
            if hmac.compare_digest(key.sha256, digest):
                found = key  # and on to the end
        return found

    def of(self, key_id: str) -> Key | None:
        """Return the key of this id, or None: without keys, or since it was removed."""
        self._look()
        return next((key for key in self._keys if key.id == key_id), None)

    def _look(self) -> None:
        try:
            stat = self.file.path.stat()
        except FileNotFoundError:
            self._version, self._keys = None, []
            return
        except OSError as error:
            self._let_nobody_in(str(error))
            return
        # The time of change too: nothing else tells that an owner or a mode was put right.
        version = (stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size, stat.st_ino)
        if version == self._version:
            return
        self._closed = True
        try:
            self._keys = self.file.read()
        except ConfigurationError as error:
            self._let_nobody_in(str(error))
            return
        self._trouble = None
        self._version = version  # last: who sees it sees the keys that belong to it

    def _let_nobody_in(self, why: str) -> None:
        """Close until the file can be read, which is tried for every request, and told once."""
        self._version, self._keys, self._closed = None, [], True
        if why != self._trouble:
            log.error("nobody is let in: %s", why)
        self._trouble = why


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def _key(said: Mapping[str, Any]) -> Key:
    key = Key(**{**said, "created": datetime.fromisoformat(said["created"])})
    limits = (key.max_jobs, key.max_upload_bytes)
    if not re.fullmatch(r"[0-9a-f]{64}", key.sha256) or not re.fullmatch(r"[0-9a-f]{16}", key.id):
        raise ValueError(f"the key {key.name!r:.80} has no SHA-256 or no id")
    if not all(limit is None or (type(limit) is int and limit > 0) for limit in limits):
        raise ValueError(f"the limits of the key {key.name!r:.80} are no positive numbers")
    return key
