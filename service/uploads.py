"""Forms with files, read as they arrive: text into a few kilobytes of memory, files into the artifact store, hashed.

Nothing is kept of a form that is not whole: the closing boundary must come, every file must begin like a picture or a
video of the kinds we take, and a client that stops sending is given up. Written over python-multipart's parser because
the usual form reader spools every file before anyone may look at it, and takes a form cut short for one without fields.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

import anyio
from anyio import to_thread
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from jobs.artifacts import ArtifactStore, ArtifactWriter
from jobs.errors import (
    EmptyFile,
    Malformed,
    NotAForm,
    NotAMedia,
    Problem,
    TruncatedBody,
    UploadTimeout,
    WrongValue,
)
from jobs.magic import ACCEPTED, HEAD_BYTES, JPEG, PNG, contradicts, sniff
from jobs.settings import Settings
from jobs.tracing import spanning
from service.bodies import Body

MAX_FIELDS = 64
MAX_TEXT_BYTES = 64 * 1024  # of all text fields together, names included
MAX_HEADER_BYTES = 16 * 1024  # of one header line of a part; a file's name may be long, and is not used


@dataclass(slots=True)
class FormFile:
    """One uploaded file."""

    field: str
    name: str
    writer: ArtifactWriter
    head: bytes = b""
    recognised: bool = False


@dataclass(slots=True)
class Form:
    """A form that arrived whole: its parts in the order they came, texts as strings and files as they were written."""

    parts: list[tuple[str, str | FormFile]] = field(default_factory=list)

    @property
    def files(self) -> list[FormFile]:
        """The files, in order."""
        return [value for _, value in self.parts if isinstance(value, FormFile)]

    def texts(self) -> dict[str, str]:
        """Return the text fields that may come once.

        Raises:
            WrongValue: one came twice.

        """
        found: dict[str, str] = {}
        for name, value in self.parts:
            if isinstance(value, str):
                if name in found:
                    raise WrongValue.for_field(name, "given more than once")
                found[name] = value
        return found


@dataclass(frozen=True, slots=True)
class FormShape:
    """What a form may hold: how many files under which names, and which text fields may come more than once."""

    files: Mapping[str, int]


@asynccontextmanager
async def read_form(
    request: Request, store: ArtifactStore, settings: Settings, shape: FormShape
) -> AsyncIterator[Form]:
    """Read a request's form; its files are thrown away at the end unless they were published.

    Raises:
        NotAForm: it is of another type.
        Malformed: no boundary, or not what multipart is.
        TruncatedBody: it ends before its closing boundary.
        TooLarge: more bytes came than are taken.
        UploadTimeout: they came too slowly.
        NotAMedia, EmptyFile, WrongValue: what is in it.

    """
    kind, options = parse_options_header(request.headers.get("content-type"))
    if kind == b"application/x-www-form-urlencoded":
        yield _texts_only(await _small_body(request, settings))
        return
    if kind != b"multipart/form-data":
        said = kind.decode("latin-1") or "nothing"
        raise NotAForm(f"expected multipart/form-data, got {said!r:.80}; with curl: -F video=@clip.mp4")
    if not options.get(b"boundary"):
        raise Malformed("Content-Type: multipart/form-data without a boundary")
    reader, body = _FormReader(options[b"boundary"], store, shape), Body(request, settings)
    try:
        with spanning("upload") as span:
            async for block in body.blocks():
                await to_thread.run_sync(reader.feed, block)
            await to_thread.run_sync(reader.finish)
            span.tell(files=len(reader.form.files), bytes=sum(file.writer.bytes for file in reader.form.files))
        yield reader.form
    except ClientDisconnect:
        raise TruncatedBody("the connection was closed before the form ended") from None
    except UploadTimeout:
        raise
    except Problem:
        await body.run_off()
        raise
    finally:
        # Also when the request is cancelled: what is half written must go.
        with anyio.CancelScope(shield=True):
            await to_thread.run_sync(reader.discard)


async def _small_body(request: Request, settings: Settings) -> bytes:
    body = bytearray()
    async for block in Body(request, settings).blocks():
        body += block
        if len(body) > MAX_TEXT_BYTES:
            raise WrongValue(f"the fields of a form may have {MAX_TEXT_BYTES} bytes together; files need multipart")
    return bytes(body)


def _texts_only(body: bytes) -> Form:
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict")
    except (UnicodeDecodeError, ValueError) as error:
        raise Malformed(f"the form cannot be read: {error}") from None
    return Form([(name, value) for name, value in pairs])


class _FormReader:
    """Turns blocks of a multipart body into a form; lives in worker threads, one block at a time."""

    def __init__(self, boundary: bytes, store: ArtifactStore, shape: FormShape) -> None:
        self.form = Form()
        self.store = store
        self.shape = shape
        self.text_bytes = 0
        self.ended = False
        self._headers: dict[bytes, bytes] = {}
        self._header_name = self._header_value = b""
        self._name = ""
        self._text: bytearray | None = None
        self._file: FormFile | None = None
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._part_begin,
                    "on_header_field": self._on_header_name,
                    "on_header_value": self._on_header_value,
                    "on_header_end": self._header_end,
                    "on_headers_finished": self._headers_finished,
                    "on_part_data": self._part_data,
                    "on_part_end": self._part_end,
                    "on_end": self._end,
                },
                max_header_count=16,
                max_header_size=MAX_HEADER_BYTES,
            )
        except FormParserError as error:
            raise Malformed(f"Content-Type: {error}") from None

    def feed(self, block: bytes) -> None:
        """Take in a block."""
        if self.ended:
            return  # an epilogue, which multipart allows and nobody reads
        try:
            self._parser.write(block)
        except FormParserError as error:
            raise Malformed(f"the body is not the multipart form that its Content-Type announces: {error}") from None

    def finish(self) -> None:
        """Make sure that the form is whole."""
        if not self.ended:
            raise TruncatedBody("the form ends before its closing boundary: it was not received whole, send it again")

    def discard(self) -> None:
        """Throw away files that were not published."""
        for file in [*self.form.files, *([self._file] if self._file else [])]:
            file.writer.discard()

    def _part_begin(self) -> None:
        self._headers, self._header_name, self._header_value = {}, b"", b""
        if len(self.form.parts) >= MAX_FIELDS:
            raise WrongValue(f"a form may have {MAX_FIELDS} fields, this one has more")

    def _on_header_name(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _header_end(self) -> None:
        self._headers[self._header_name.lower()] = self._header_value
        self._header_name = self._header_value = b""

    def _headers_finished(self) -> None:
        disposition, options = parse_options_header(self._headers.get(b"content-disposition"))
        if disposition != b"form-data" or b"name" not in options:
            raise Malformed("a part of the form has no Content-Disposition: form-data with a name")
        self._name = _text(options[b"name"], "a field's name")
        self._count(len(self._name))
        if b"filename" not in options and b"filename*" not in options and not self._is_nameless_file():
            self._text = bytearray()
            return
        allowed = self.shape.files.get(self._name, 0)
        if sum(file.field == self._name for file in self.form.files) >= allowed:
            detail = f"at most {allowed} files are taken" if allowed else "no file is taken under this name"
            raise WrongValue.for_field(self._name[:80], detail)
        name = options.get(b"filename", b"").decode("utf-8", "replace")
        self._file = FormFile(self._name, name, self.store.writer())

    def _is_nameless_file(self) -> bool:
        """Whether a part without a file's name is one all the same, which RFC 7578 (§4.2) allows: its type says so."""
        kind, _ = parse_options_header(self._headers.get(b"content-type"))
        return self._name in self.shape.files and kind.startswith((b"video/", b"image/", b"application/octet-stream"))

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if self._file is None:
            assert self._text is not None
            self._count(end - start)
            self._text += data[start:end]
            return
        chunk = data[start:end]
        if not self._file.recognised:
            self._file.head += chunk[: HEAD_BYTES - len(self._file.head)]
            if len(self._file.head) >= HEAD_BYTES:
                self._recognise(self._file)
        self._file.writer.write(chunk)

    def _part_end(self) -> None:
        if self._file is not None:
            file, self._file = self._file, None
            self.form.parts.append((file.field, file))
            if not file.writer.bytes:
                raise EmptyFile.for_field(file.field, "the file has no bytes")
            if not file.recognised:
                self._recognise(file)
        else:
            assert self._text is not None
            self.form.parts.append((self._name, _text(bytes(self._text), self._name)))
            self._text = None

    def _end(self) -> None:
        self.ended = True

    def _count(self, num_bytes: int) -> None:
        self.text_bytes += num_bytes
        if self.text_bytes > MAX_TEXT_BYTES:
            raise WrongValue(
                f"the text fields of a form may have {MAX_TEXT_BYTES} bytes together; is a file sent as text?"
            )

    def _recognise(self, file: FormFile) -> None:
        """Look at the first bytes, which count; the name and the type that the client states do not."""
        container = sniff(file.head)
        if container is None:
            raise NotAMedia.for_field(file.field, f"these bytes are no picture or video that we take: {ACCEPTED}")
        if container in (PNG, JPEG) and contradicts(container, file.name):
            raise NotAMedia.for_field(
                file.field, f"named like a video, but it is a {container.title} picture; name it so if that is meant"
            )
        file.recognised = True


def _text(raw: bytes, what: str) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise Malformed(f"{what[:80]}: text must be UTF-8") from None
