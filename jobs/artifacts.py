"""Uploads and results as files named by what they contain: written once, never changed, shared by equal bytes.

What a store of them can do. They lie in a folder (`jobs/folder_store.py`) or in a bucket (`jobs/bucket_store.py`); in
either an artifact appears under its SHA-256 in one step and only when it is whole, so a reader never sees half of one.
"""

import contextlib
import errno
import hashlib
import os
import re
import shutil
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from jobs.errors import StorageFull, StorageUnavailable

SHA256 = re.compile(r"[0-9a-f]{64}")
NO_SPACE = {errno.ENOSPC, errno.EDQUOT}  # the same news to an asker


@dataclass(frozen=True, slots=True)
class Artifact:
    """A stored file: its name is its content."""

    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Stored:
    """An artifact as it lies in a store."""

    sha256: str
    bytes: int
    written: datetime  # last; writing the same bytes again counts


class ArtifactStore(ABC):
    """A store of artifacts, with a local folder for those that are being written, or that somebody reads as a file.

    Any method but those of that folder may raise StorageUnavailable where artifacts are kept elsewhere.
    """

    def __init__(self, incoming: Path, min_free_bytes: int = 0) -> None:
        self.incoming = incoming
        self.min_free_bytes = min_free_bytes
        self.incoming.mkdir(parents=True, exist_ok=True)

    @abstractmethod
    def find(self, sha256: str) -> Stored | None:
        """Return what is known of an artifact, if it is here."""

    @abstractmethod
    def open(self, sha256: str) -> BinaryIO:
        """Open an artifact as a local file with a descriptor, for a decoder; FileNotFoundError when it has gone."""

    @abstractmethod
    def reader(self, sha256: str) -> BinaryIO:
        """Open an artifact to read parts of it, none of which costs the whole; FileNotFoundError when it has gone."""

    @abstractmethod
    def take_in(self, finished: Path, sha256: str) -> None:
        """Make a file of `incoming` visible under its name; its time is now, also when the same bytes are there.

        So a fresh file's age protects it from the sweeper.
        """

    @abstractmethod
    def delete(self, sha256: str) -> bool:
        """Remove an artifact; False when it is known that it was not there."""

    @abstractmethod
    def all(self) -> Iterator[Stored]:
        """Walk over every finished artifact."""

    def delete_all(self, digests: Iterable[str]) -> None:
        """Remove several; one that cannot be removed keeps no other.

        Raises:
            OSError, StorageUnavailable: some could not; that of the first of them. A sweep tries them again.

        """
        failures: list[OSError | StorageUnavailable] = []
        for sha256 in digests:
            try:
                self.delete(sha256)
            except (OSError, StorageUnavailable) as error:
                failures.append(error)
        if failures:
            raise failures[0]

    def exists(self, sha256: str) -> bool:
        """Say whether the artifact is here."""
        return self.find(sha256) is not None

    def writer(self) -> "ArtifactWriter":
        """Begin an artifact; it is thrown away unless `publish` is called."""
        return ArtifactWriter(self)

    def write(self, content: bytes | Iterable[bytes]) -> Artifact:
        """Store bytes, or chunks of them, and return what they are called."""
        with self.writer() as writer:
            for chunk in [content] if isinstance(content, bytes) else content:
                writer.write(chunk)
            return writer.publish()

    def unfinished(self) -> Iterator[Path]:
        """Walk over what is being written, or was when its writer died."""
        yield from self.incoming.iterdir()

    def check_space(self, wanted: int = 0) -> None:
        """Refuse to begin what would not fit.

        Raises:
            StorageFull: writing `wanted` bytes would leave less than the reserve.

        """
        free = shutil.disk_usage(self.incoming).free
        if free - wanted < self.min_free_bytes:
            raise StorageFull(
                f"{free // 2**20} MiB are free on the server and {self.min_free_bytes // 2**20} MiB are the reserve; "
                "try again later"
            )


class ArtifactWriter:
    """One artifact being written: hashed as it comes, visible only once published."""

    CHECK_EVERY = 8 * 2**20  # bytes between looks at the free space

    def __init__(self, store: ArtifactStore) -> None:
        self.store = store
        self.bytes = 0
        self.hash = hashlib.sha256()
        self.unchecked = 0
        store.check_space()
        descriptor, name = tempfile.mkstemp(dir=store.incoming)
        self.file = os.fdopen(descriptor, "wb")
        self.temporary = Path(name)

    @property
    def sha256(self) -> str:
        """The hash of what has been written so far."""
        return self.hash.hexdigest()

    def write(self, chunk: bytes) -> None:
        """Append a chunk."""
        self.unchecked += len(chunk)
        if self.unchecked >= self.CHECK_EVERY:
            self.store.check_space(len(chunk))
            self.unchecked = 0
        try:
            self.file.write(chunk)
        except OSError as error:
            raise told(error) from error
        self.hash.update(chunk)
        self.bytes += len(chunk)

    def publish(self) -> Artifact:
        """Make the artifact visible under its own name."""
        try:
            self.file.flush()
            os.fsync(self.file.fileno())
            self.file.close()
            self.store.take_in(self.temporary, self.sha256)
        except OSError as error:
            raise told(error) from error
        return Artifact(self.sha256, self.bytes)

    def discard(self) -> None:
        """Throw away what was not published."""
        with contextlib.suppress(OSError):  # a full disk refuses the last flush; the file goes anyway
            self.file.close()
        self.temporary.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.discard()


def checked_name(sha256: str) -> str:
    """Return an artifact's name.

    Raises:
        ValueError: it is no SHA-256, so it must not meet a path.

    """
    if not SHA256.fullmatch(sha256):
        raise ValueError(f"an artifact is named by 64 lower-case hex digits, got {sha256!r:.80}")
    return sha256


def told(error: OSError) -> Exception:
    """Return what a failure to write is to an asker: a full disk is said, anything else is ours to mend."""
    if error.errno in NO_SPACE:
        return StorageFull("the server's disk is full; try again later")
    return error
