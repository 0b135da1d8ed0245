"""What a file says it is in its first bytes: the list of containers that we take.

The service looks before it accepts an upload (415) and the decoder looks again to choose the one reader that may touch
the file. Playlists, scripts and vector pictures are on no list, so nothing of ours ever follows a link inside a file.
"""

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

HEAD_BYTES = 1024  # enough for every rule below; MPEG transport streams need 3 packets of 188


@dataclass(frozen=True, slots=True)
class Container:
    """One kind of file: its name for people, and the reader that opens it."""

    title: str
    reader: Literal["video", "picture"]
    demuxer: str  # FFmpeg's name for a video, Pillow's for a picture
    suffixes: frozenset[str]


MP4 = Container("MP4 or QuickTime", "video", "mov", frozenset({"mp4", "m4v", "mov", "qt", "3gp"}))
MATROSKA = Container("Matroska or WebM", "video", "matroska", frozenset({"mkv", "webm"}))
AVI = Container("AVI", "video", "avi", frozenset({"avi"}))
MPEG_PROGRAM = Container("MPEG program stream", "video", "mpeg", frozenset({"mpg", "mpeg", "vob"}))
MPEG_TRANSPORT = Container("MPEG transport stream", "video", "mpegts", frozenset({"ts", "mts", "m2ts"}))
MPEG_VIDEO = Container("MPEG video", "video", "mpegvideo", frozenset({"m1v", "m2v", "mpg", "mpeg"}))
OGG = Container("Ogg", "video", "ogg", frozenset({"ogg", "ogv"}))
FLASH = Container("Flash video", "video", "flv", frozenset({"flv"}))
IVF = Container("IVF", "video", "ivf", frozenset({"ivf"}))
GIF = Container("GIF", "picture", "GIF", frozenset({"gif"}))
PNG = Container("PNG", "picture", "PNG", frozenset({"png", "apng"}))
JPEG = Container("JPEG", "picture", "JPEG", frozenset({"jpg", "jpeg"}))
WEBP = Container("WebP", "picture", "WEBP", frozenset({"webp"}))

CONTAINERS = (
    MP4, MATROSKA, AVI, MPEG_PROGRAM, MPEG_TRANSPORT, MPEG_VIDEO, OGG, FLASH, IVF, GIF, PNG, JPEG, WEBP
)  # fmt: skip
ACCEPTED = "MP4, QuickTime, WebM, Matroska, AVI, MPEG, Ogg, FLV, GIF, PNG, APNG, WebP or JPEG"

_PREFIXES = (
    (b"\x1aE\xdf\xa3", MATROSKA),
    (b"\x00\x00\x01\xba", MPEG_PROGRAM),
    (b"\x00\x00\x01\xb3", MPEG_VIDEO),
    (b"OggS", OGG),
    (b"FLV\x01", FLASH),
    (b"DKIF", IVF),
    (b"GIF87a", GIF),
    (b"GIF89a", GIF),
    (b"\x89PNG\r\n\x1a\n", PNG),
    (b"\xff\xd8\xff", JPEG),
)
_MP4_BOXES = {b"ftyp", b"styp", b"moov", b"moof", b"mdat", b"free", b"skip", b"wide", b"pnot"}
_STILL_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"avif", b"avis", b"crx "}


def sniff(head: bytes) -> Container | None:
    """Name the container that begins with these bytes (`HEAD_BYTES`, or the whole file); None if we take no such."""
    for prefix, container in _PREFIXES:
        if head.startswith(prefix):
            return container
    if head[:4] == b"RIFF":
        return {b"AVI ": AVI, b"WEBP": WEBP}.get(head[8:12])
    if head[4:8] in _MP4_BOXES:
        return None if head[4:8] == b"ftyp" and head[8:12] in _STILL_BRANDS else MP4
    if len(head) > 2 * 188 and head[0] == head[188] == head[376] == 0x47:
        return MPEG_TRANSPORT
    return None


def contradicts(container: Container, filename: str) -> bool:
    """Tell whether a name promises a video (`.mp4`) of a file that holds a picture, or the other way round.

    A wrong name within one reader (a QuickTime file called `.mp4`, a JPEG called `.png`) misleads nobody.
    """
    suffix = PurePosixPath(filename).suffix.lstrip(".").lower()
    promised = {known.reader for known in CONTAINERS if suffix in known.suffixes}
    return bool(promised) and container.reader not in promised
