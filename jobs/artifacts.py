"""Uploads and results as files named by what they contain: written once, never changed, shared by equal bytes.

A file appears under its SHA-256 by an atomic rename and only when it is whole, so a reader never sees half of one.
"""

import contextlib
import errno
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from jobs.errors import StorageFull

SHA256 = re.compile(r"[0-9a-f]{64}")
NO_SPACE = {errno.ENOSPC, errno.EDQUOT}  # the same news to an asker


@dataclass(frozen=True, slots=True)
class Artifact:
    """A stored file: its name is its content."""

    sha256: str
    bytes: int


class ArtifactStore:
    """A folder of artifacts, `ab/abcdef…`, with unfinished ones apart in `incoming/`."""

    def __init__(self, root: Path, min_free_bytes: int = 0) -> None:
        self.root = root
        self.incoming = root / "incoming"
        self.min_free_bytes = min_free_bytes
        self.incoming.mkdir(parents=True, exist_ok=True)

    def path(self, sha256: str) -> Path:
        """Return where an artifact is, or would be.

        Raises:
            ValueError: the name is no SHA-256, so it must not meet a path.

        """
        if not SHA256.fullmatch(sha256):
            raise ValueError(f"an artifact is named by 64 lower-case hex digits, got {sha256!r:.80}")
        return self.root / sha256[:2] / sha256

    def exists(self, sha256: str) -> bool:
        """Say whether the artifact is here."""
        return self.path(sha256).is_file()

    def open(self, sha256: str) -> BinaryIO:
        """Open an artifact for reading; FileNotFoundError when it has gone."""
        return self.path(sha256).open("rb")

    def size(self, sha256: str) -> int:
        """Return the artifact's size in bytes."""
        return self.path(sha256).stat().st_size

    def writer(self) -> "ArtifactWriter":
        """Begin an artifact; it is thrown away unless `publish` is called."""
        return ArtifactWriter(self)

    def write(self, content: bytes | Iterable[bytes]) -> Artifact:
        """Store bytes, or chunks of them, and return what they are called."""
        with self.writer() as writer:
            for chunk in [content] if isinstance(content, bytes) else content:
                writer.write(chunk)
            return writer.publish()

    def delete(self, sha256: str) -> bool:
        """Remove an artifact; False when it was not there."""
        try:
            self.path(sha256).unlink()
        except FileNotFoundError:
            return False
        return True

    def all(self) -> Iterator[Path]:
        """Walk over every finished artifact."""
        for folder in sorted(self.root.iterdir()):
            if len(folder.name) == 2 and folder.is_dir():
                yield from (path for path in folder.iterdir() if SHA256.fullmatch(path.name))

    def unfinished(self) -> Iterator[Path]:
        """Walk over what is being written, or was when its writer died."""
        yield from self.incoming.iterdir()

    def check_space(self, wanted: int = 0) -> None:
        """Refuse to begin what would not fit.

        Raises:
            StorageFull: writing `wanted` bytes would leave less than the reserve.

        """
        free = shutil.disk_usage(self.root).free
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
            raise _full(error) from error
        self.hash.update(chunk)
        self.bytes += len(chunk)

    def publish(self) -> Artifact:
        """Make the artifact visible under its own name."""
        try:
            self.file.flush()
            os.fsync(self.file.fileno())
            self.file.close()
            final = self.store.path(self.sha256)
            final.parent.mkdir(exist_ok=True)
            # Also when the same bytes are there already: the fresh file's age protects it from the sweeper.
            self.temporary.rename(final)
        except OSError as error:
            raise _full(error) from error
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


def _full(error: OSError) -> Exception:
    if error.errno in NO_SPACE:
        return StorageFull("the server's disk is full; try again later")
    return error
