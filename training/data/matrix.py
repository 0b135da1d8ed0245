"""The binary matrix format of NORB: an array behind a little-endian header, plain or gzipped, read row by row."""

import gzip
import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Shaped

from training.data.errors import DataError

# A packed matrix (0x1E3D4C52) is read by nothing here.
KINDS: dict[int, np.dtype[Any]] = {
    0x1E3D4C51: np.dtype("<f4"),
    0x1E3D4C53: np.dtype("<f8"),
    0x1E3D4C54: np.dtype("<i4"),
    0x1E3D4C55: np.dtype("u1"),
    0x1E3D4C56: np.dtype("<i2"),
}
STATED_AXES = 3  # sizes that every header has; of an array with fewer axes the others mean nothing
MOST_AXES = 8


@dataclass(frozen=True, slots=True)
class MatrixFile:
    """A file whose header was read and makes sense."""

    path: Path
    kind: np.dtype[Any]
    shape: tuple[int, ...]

    @classmethod
    def open(cls, path: Path, kind: type[np.generic], shape: tuple[int | None, ...]) -> "MatrixFile":
        """The header of a file that should hold this kind and shape; None is any size.

        Raises:
            DataError: it holds another, or cannot be read.

        """
        with _opened(path) as file:
            found = cls(path, *read_header(file, path))
        expected = f"{np.dtype(kind).name} of {_said(shape)}"
        fits = len(found.shape) == len(shape) and all(
            size in (None, there) for size, there in zip(shape, found.shape, strict=True)
        )
        if found.kind != np.dtype(kind).newbyteorder("<") or not fits:
            raise DataError(f"{path} holds {found.kind.name} of {_said(found.shape)}, expected {expected}")
        return found

    def blocks(self, rows: int = 256) -> Iterator[Shaped[np.ndarray, "..."]]:
        """The array in order, at most so many rows at a time, so that no more than these are in memory.

        Raises:
            DataError: the file ends too early, or goes on after the last row.

        """
        row_bytes = self.kind.itemsize * math.prod(self.shape[1:])
        with _opened(self.path) as file:
            read_header(file, self.path)
            for first in range(0, self.shape[0], rows):
                count = min(rows, self.shape[0] - first)
                content = _read(file, self.path, count * row_bytes)
                if len(content) < count * row_bytes:
                    self._refuse(f"ends after {first * row_bytes + len(content)} of them")
                yield np.frombuffer(content, self.kind).reshape(count, *self.shape[1:])
            if _read(file, self.path, 1):
                self._refuse("goes on after them")

    def whole(self) -> Shaped[np.ndarray, "..."]:
        """The array, of a file that is small.

        Raises:
            DataError: the file ends too early, or goes on after the last row.

        """
        return np.concatenate(list(self.blocks(rows=65_536)))

    def _refuse(self, how: str) -> None:
        stated = self.kind.itemsize * math.prod(self.shape)
        raise DataError(f"{self.path} states {_said(self.shape)}, {stated} bytes after its header, and {how}")


def read_header(file: BufferedIOBase, path: Path) -> tuple[np.dtype[Any], tuple[int, ...]]:
    """The kind of the values and the sizes of the axes; the file is then at its first value.

    Raises:
        DataError: this is no such file.

    """
    begin = _read(file, path, 8)
    magic, axes = np.frombuffer(begin, "<u4").tolist() if len(begin) == 8 else (0, 0)
    if magic not in KINDS:
        raise DataError(
            f"{path} is no NORB matrix: it begins with {begin[:4].hex(' ') or 'nothing'}, "
            "expected 55 4c 3d 1e (bytes) or 54 4c 3d 1e (integers)"
        )
    if not 1 <= axes <= MOST_AXES:
        raise DataError(f"{path} states {axes} axes, expected 1 to {MOST_AXES}")
    words = max(STATED_AXES, axes)
    sizes = _read(file, path, 4 * words)
    if len(sizes) < 4 * words:
        raise DataError(f"{path} ends within its header: {len(sizes)} bytes of sizes, expected {4 * words}")
    shape = tuple(np.frombuffer(sizes, "<i4")[:axes].tolist())
    if min(shape) < 1:
        raise DataError(f"{path} states the sizes {_said(shape)}, expected positive ones")
    return KINDS[magic], shape


def _opened(path: Path) -> BufferedIOBase:
    """The file, through gzip where it begins like one, whatever its name."""
    try:
        with path.open("rb") as file:
            zipped = file.read(2) == b"\x1f\x8b"
        return gzip.open(path) if zipped else path.open("rb")
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error}") from error


def _read(file: BufferedIOBase, path: Path, count: int) -> bytes:
    """So many bytes, or those that are left."""
    try:
        return file.read(count)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read: {error}") from error


def _said(shape: tuple[int | None, ...]) -> str:
    return " × ".join("any" if size is None else str(size) for size in shape)
