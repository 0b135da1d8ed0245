"""Artifacts in a folder of this machine, or of a disk that several share: a file appears by an atomic rename."""

import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from jobs.artifacts import SHA256, ArtifactStore, Stored, checked_name


class FolderStore(ArtifactStore):
    """A folder of artifacts, `ab/abcdef…`, with unfinished ones apart in `incoming/`."""

    def __init__(self, root: Path, min_free_bytes: int = 0) -> None:
        super().__init__(root / "incoming", min_free_bytes)
        self.root = root

    def path(self, sha256: str) -> Path:
        """Return where an artifact is, or would be.

        Raises:
            ValueError: the name is no SHA-256, so it must not meet a path.

        """
        return self.root / checked_name(sha256)[:2] / sha256

    def find(self, sha256: str) -> Stored | None:
        """Return what the file system knows of an artifact."""
        return _stored(self.path(sha256))

    def open(self, sha256: str) -> BinaryIO:
        """Open the file itself."""
        return self.path(sha256).open("rb")

    def reader(self, sha256: str) -> BinaryIO:
        """Open the file itself."""
        return self.open(sha256)

    def take_in(self, finished: Path, sha256: str) -> None:
        """Rename the file: in one step it has its name, whether one of that name was there or not."""
        final = self.path(sha256)
        final.parent.mkdir(exist_ok=True)
        finished.rename(final)

    def delete(self, sha256: str) -> bool:
        """Remove the file."""
        try:
            self.path(sha256).unlink()
        except FileNotFoundError:
            return False
        return True

    def all(self) -> Iterator[Stored]:
        """Walk over the folders."""
        for folder in sorted(self.root.iterdir()):
            if len(folder.name) == 2 and folder.is_dir():
                for path in folder.iterdir():
                    if SHA256.fullmatch(path.name) and (stored := _stored(path)):
                        yield stored


def _stored(path: Path) -> Stored | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None  # never written, or removed meanwhile
    if not stat.S_ISREG(found.st_mode):
        return None
    return Stored(path.name, found.st_size, datetime.fromtimestamp(found.st_mtime, UTC))
