"""Which representation a client asks for, and how long it waits: `Accept`, `?format=`, `Prefer`, `If-None-Match`."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from jobs.errors import Malformed, NotAcceptable, RangeNotSatisfiable
from jobs.movie_request import MOVIES, NPZ

MEDIA_TYPES = {
    "json": "application/json",
    "png": "image/png",
    "webp": MOVIES["webp"],
    "gif": MOVIES["gif"],
    "mp4": MOVIES["mp4"],
    "npz": NPZ,
}
FORMATS = {media_type: name for name, media_type in MEDIA_TYPES.items()}
MOVING = ("json", "png", "mp4", "webp", "gif", "npz")
KINDS: Mapping[str, tuple[str, ...]] = {  # each kind's own default first
    "encode": MOVING,
    "swap": MOVING,
    "latent-grid": ("png", "json", "npz"),
    "sample": MOVING,
    "interpolate": MOVING,
    "predict": MOVING,
    "decode": MOVING,
    "train": ("json", "png"),
}
MAX_RANGES = 100
RANGES = re.compile(r"bytes=\s*(\d{1,18}-\d{0,18}|-\d{1,18})(\s*,\s*(\d{1,18}-\d{0,18}|-\d{1,18}))*\s*", re.ASCII)
_QUALITY = re.compile(r"(0(\.\d{0,3})?|1(\.0{0,3})?)", re.ASCII)


@dataclass(frozen=True, slots=True)
class MediaRange:
    """One entry of an Accept header."""

    type: str
    subtype: str
    quality: float

    def fit(self, media_type: str) -> int:
        """Say how specifically this range means a media type: 0 not at all, 1 `*/*`, 2 `image/*`, 3 exactly."""
        if (self.type, self.subtype) == ("*", "*"):
            return 1
        type_, subtype = media_type.split("/")
        if self.type != type_:
            return 0
        return 2 if self.subtype == "*" else 3 * (self.subtype == subtype)


def choose(offered: Sequence[str], accept: str | None, named: str | None = None) -> str:
    """Return the format to answer with, of those offered, best first.

    Raises:
        NotAcceptable: `named` (the `format` parameter) or `accept` leaves none.

    """
    said = f"this has {', '.join(offered)}"
    if named is not None:
        if named not in offered:
            raise NotAcceptable(f"there is no format {named!r:.40} here; {said}")
        return named
    ranges = list(parse_accept(accept or "*/*"))
    best, best_quality = None, 0.0
    for name in offered:
        quality = _quality(ranges, MEDIA_TYPES[name])
        if quality > best_quality:
            best, best_quality = name, quality
    if best is None:
        raise NotAcceptable(f"nothing here is {accept!r:.80}; {said}: ask with Accept or ?format=")
    return best


def parse_accept(header: str) -> Iterator[MediaRange]:
    """Read an Accept header; what is not a media range is passed over, as an unknown type would be."""
    for entry in header.split(","):
        name, *parameters = (part.strip() for part in entry.split(";"))
        type_, slash, subtype = name.lower().partition("/")
        if not slash or not type_ or not subtype or (type_ == "*" and subtype != "*"):
            continue
        quality = 1.0
        for parameter in parameters:
            key, _, value = parameter.partition("=")
            if key.strip().lower() == "q":
                quality = float(value) if _QUALITY.fullmatch(value.strip()) else 0.0
        yield MediaRange(type_, subtype, quality)


def _quality(ranges: Sequence[MediaRange], media_type: str) -> float:
    """Return the quality that the most specific range gives a media type (RFC 9110, §12.5.1)."""
    fitting = [(one.fit(media_type), one.quality) for one in ranges if one.fit(media_type)]
    return max(fitting)[1] if fitting else 0.0


@dataclass(frozen=True, slots=True)
class Preference:
    """What a Prefer header asks, as far as we grant it."""

    wait: float | None = None  # seconds
    respond_async: bool = False

    @property
    def applied(self) -> str | None:
        """The value of `Preference-Applied`, or None."""
        if self.wait is not None:
            return f"wait={self.wait:g}"
        return "respond-async" if self.respond_async else None


def parse_prefer(header: str | None, longest: float) -> Preference:
    """Read a Prefer header (RFC 7240): `wait=N` is cut to the longest we grant, nonsense is ignored."""
    wait, respond_async = None, False
    for entry in (header or "").split(","):
        name, _, value = entry.split(";")[0].partition("=")
        name, value = name.strip().lower(), value.strip().strip('"')
        if name == "wait" and wait is None and re.fullmatch(r"[0-9]{1,9}", value):
            wait = min(float(value), longest)
        elif name == "respond-async":
            respond_async = True
    return Preference(wait, respond_async)


def etag(sha256: str, name: str) -> str:
    """Return the strong ETag of a result: what it contains, and as what."""
    return f'"{sha256[:40]}-{name}"'


def not_modified(if_none_match: str | None, tag: str) -> bool:
    """Whether the client has the result already."""
    if if_none_match is None:
        return False
    tags = [one.strip().removeprefix("W/") for one in if_none_match.split(",")]
    return "*" in tags or tag in tags


def check_range(header: str | None, size: int) -> None:
    """Refuse a Range that cannot be answered; more ranges than a hundred are left to be ignored.

    Raises:
        Malformed: it is not a range of bytes.
        RangeNotSatisfiable: it begins past the end.

    """
    if header is None or header.count(",") + 1 > MAX_RANGES:
        return
    if not RANGES.fullmatch(header):
        raise Malformed(f"Range: expected bytes=FIRST-LAST, got {header!r:.80}")
    for part in header.partition("=")[2].split(","):
        first, _, last = part.strip().partition("-")
        if first and last and int(first) > int(last):
            raise Malformed(f"Range: {part.strip()!r} ends before it begins")
        if int(first) >= size if first else int(last) == 0:
            headers = {"Content-Range": f"bytes */{size}"}
            raise RangeNotSatisfiable(
                f"the result has {size} bytes, asked for was {part.strip()!r:.60}", headers=headers
            )
