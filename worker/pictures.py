"""Reads still and animated pictures (PNG, APNG, GIF, WebP, JPEG) with Pillow. Runs in the decoder process only."""

import struct
import warnings
from collections.abc import Iterator
from io import BufferedReader, FileIO
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, MpoImagePlugin, WebPImagePlugin

from worker.order import Limits, Refusal
from worker.video import check_size, on_black

LATE_PLUGINS = (MpoImagePlugin, WebPImagePlugin)  # what `Image.preinit` leaves out
# What Pillow's parsers raise on broken files; none of it is about us, for nothing of ours runs in there.
PARSER_ERRORS = (
    OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, OverflowError, struct.error
)  # fmt: skip
UNSET_DELAY = 0.1  # seconds a frame is shown that asks for no time at all, as browsers do


def prepare() -> None:
    """Load Pillow's plugins now: it does so when it first meets a format, by which time no file can be opened."""
    Image.preinit()


class StillPicture:
    """One frame of a picture file."""

    aspect = 1.0

    def __init__(self, image: Image.Image, time: float) -> None:
        self.time = time
        self._image = image

    def rgb(self) -> NDArray[np.uint8]:
        """Return the picture as it is meant to be seen, (h, w, 3), transparent parts laid on black."""
        image = self._image
        if image.mode.startswith("I"):  # 16 bits of gray; Pillow would clip them, not scale them
            image = Image.fromarray((np.asarray(image).astype(np.float64) / 257 + 0.5).clip(0, 255).astype(np.uint8))
        try:
            image = ImageOps.exif_transpose(image)
        except PARSER_ERRORS as error:
            raise Refusal("undecodable", f"the picture's EXIF data cannot be read: {error}") from error
        if not image.has_transparency_data:
            return np.asarray(image.convert("RGB"))
        rgba = np.asarray(image.convert("RGBA"))
        return on_black(rgba[..., :3], rgba[..., 3])


def read_pictures(file: FileIO, kind: str, limits: Limits) -> Iterator[StillPicture]:
    """Give every frame of a picture file; a still picture is a clip of one frame.

    Raises:
        Refusal: the file is broken, cut off, or its pictures are too large.

    """
    Image.MAX_IMAGE_PIXELS = limits.frame_pixels
    seen = 0
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(file, formats=[kind]) as image:
                check_size(image.width, image.height, limits)
                for picture in _frames(image):
                    seen += 1
                    yield picture
    except (Image.DecompressionBombWarning, Image.DecompressionBombError, MemoryError) as error:
        raise Refusal("frame-too-large", f"a picture has more than the {limits.frame_pixels} pixels taken") from error
    except PARSER_ERRORS as error:
        where = f"after {seen} good frames" if seen else "before its first frame"
        raise Refusal("undecodable", f"the {kind} file is broken or cut off {where}: {error}") from error
    if not seen:
        raise Refusal("undecodable", f"the {kind} file has no picture in it")


def _frames(image: Image.Image) -> Iterator[StillPicture]:
    index, time = 0, 0.0
    if getattr(image, "default_image", False):
        index = 1  # an APNG may keep a stand-in picture that is no part of its animation
    while True:
        try:
            image.seek(index)
        except EOFError:
            return
        image.load()
        yield StillPicture(image, time)
        time += float(image.info.get("duration", 0)) / 1000 or UNSET_DELAY
        if not getattr(image, "is_animated", False):
            return
        index += 1


def gif_ends(file: FileIO) -> bool:
    """Whether a GIF has its trailer: cut between two frames, it would pass for a shorter one.

    What stands behind the trailer, and stray bytes between blocks, are passed over, as decoders do.
    """
    file.seek(0)
    reader = BufferedReader(file)
    try:
        head = reader.read(13)
        if len(head) < 13:
            return False
        _skip_palette(reader, head[10])
        while introducer := reader.read(1):
            if introducer == b";":
                return True
            if introducer == b",":  # a picture: place, size, its own palette, the least size of its code words
                _skip_palette(reader, (reader.read(9) or b"\0")[-1])
                reader.seek(1, 1)
            elif introducer == b"!":
                reader.seek(1, 1)  # the extension's label
            else:
                continue
            while (length := reader.read(1) or b"\0") != b"\0":
                reader.seek(length[0], 1)
        return False
    finally:
        reader.detach()


def _skip_palette(reader: BinaryIO, packed: int) -> None:
    if packed & 0x80:
        reader.seek(3 << (packed & 7) + 1, 1)
