"""What every picture of results is put together with."""

import io

import numpy as np
from jaxtyping import UInt8
from PIL import Image
from torch import Tensor

MAX_BYTES = 300_000  # of a picture as a file


def paste(picture: Image.Image, frame: UInt8[Tensor, "c h w"], x: int, y: int) -> None:
    """Put a frame of the model's size at its place."""
    picture.paste(Image.fromarray(np.ascontiguousarray(frame.permute(1, 2, 0).numpy())), (x, y))


def as_png(picture: Image.Image) -> bytes:
    """Encode, with a palette of 256 colours where the file would be too large without."""
    for version in (picture, picture.quantize(256, dither=Image.Dither.FLOYDSTEINBERG)):
        buffer = io.BytesIO()
        version.save(buffer, "PNG", optimize=True)
        if buffer.tell() <= MAX_BYTES:
            break
    return buffer.getvalue()
