"""The idx format of MNIST: arrays of bytes behind a small header, plain or gzipped."""

import gzip
import hashlib
import math
import zlib
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from training.data.errors import DataError

UNSIGNED_BYTE = 8


def read_idx(path: Path, sha256: str | None = None) -> UInt8[np.ndarray, "..."]:
    """The array of a file: two zero bytes, the type (8, bytes), the number of axes, big-endian sizes, the values.

    `sha256` is that of the unpacked file, where it must be a certain one: packers differ in what they make of it.

    Raises:
        DataError: the file is missing, cut off, or holds something else.

    """
    try:
        content = path.read_bytes()
        if content[:2] == b"\x1f\x8b":
            content = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    if len(content) < 4 or content[:3] != bytes((0, 0, UNSIGNED_BYTE)):
        raise DataError(f"{path} is no idx file of bytes: it begins with {content[:4].hex(' ')}, expected 00 00 08")
    axes = content[3]
    header = 4 + 4 * axes
    shape = np.frombuffer(content[4:header], ">u4") if len(content) >= header else None
    if shape is None or len(content) - header != math.prod(shape.tolist()):
        stated = "more" if shape is None else f"{header + math.prod(shape.tolist())}"
        raise DataError(f"{path} has {len(content)} bytes, and its header states {stated}")
    found = hashlib.sha256(content).hexdigest()
    if sha256 is not None and found != sha256:
        raise DataError(f"{path} has, unpacked, SHA-256 {found}, expected {sha256}: fetch it anew")
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape.tolist())
