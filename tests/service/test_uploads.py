"""The form reader against forms of every shape, cut into pieces of every size."""

import asyncio
import hashlib
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.requests import Request

from jobs.errors import EmptyFile, Malformed, NotAMedia, TruncatedBody, WrongValue
from jobs.folder_store import FolderStore
from jobs.settings import Settings
from service.callers import admit
from service.uploads import FormFile, FormShape, read_form

BOUNDARY = "q7"
GIF = b"GIF89a"
SHAPE = FormShape(files={"video": 3})

contents = st.binary(max_size=3000).map(lambda tail: GIF + tail) | st.lists(
    st.sampled_from([b"\r\n--q7", b"\r\n--q", b"--q7--", b"\r", b"\n", b"\r\n", b"-", b"x" * 900]), max_size=8
).map(lambda pieces: GIF + b"".join(pieces))
texts = st.text(max_size=30)
names = st.text(alphabet="abcdefgh_", min_size=1, max_size=8)
parts = st.lists(st.tuples(st.just("video"), contents) | st.tuples(names, texts), max_size=6)


def build(form):
    body = b""
    for name, value in form:
        file = '; filename="clip"' if isinstance(value, bytes) else ""
        body += f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'.encode()
        body += (value if isinstance(value, bytes) else value.encode()) + b"\r\n"
    return body + f"--{BOUNDARY}--\r\n".encode()


def read(store, body, cuts):
    """Read a body that arrives in pieces; return its parts, files as their contents."""
    edges = sorted({0, len(body), *(cut % (len(body) + 1) for cut in cuts)})
    pieces = [body[start:end] for start, end in pairwise(edges)]
    messages = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    messages.append({"type": "http.request", "body": b"", "more_body": False})

    async def receive():
        return messages.pop(0)

    async def run():
        headers = [(b"content-type", f"multipart/form-data; boundary={BOUNDARY}".encode())]
        scope = {"type": "http", "method": "POST", "headers": headers}
        admit(scope, key=None)
        request = Request(scope, receive)
        async with read_form(request, store, Settings(), SHAPE) as form:
            found = []
            for name, value in form.parts:
                if isinstance(value, FormFile):
                    artifact = value.writer.publish()
                    content = store.path(artifact.sha256).read_bytes()
                    assert artifact.sha256 == hashlib.sha256(content).hexdigest()
                    value = content
                found.append((name, value))
            return found

    return asyncio.run(run())


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return FolderStore(tmp_path_factory.mktemp("artifacts"))


def fits(form):
    """Whether the reader takes so many files, and none holds the boundary, which a sender must not choose so."""
    files = [value for _, value in form if isinstance(value, bytes)]
    return len(files) <= 3 and not any(b"\r\n--q7" in value for value in files)


@settings(max_examples=30)
@given(form=parts.filter(fits), cuts=st.lists(st.integers(0, 5000), max_size=30))
def test_what_was_sent_is_what_is_read_however_it_is_cut(store, form, cuts):
    assert read(store, build(form), cuts) == form
    assert not list(store.unfinished())


@settings(max_examples=30)
@given(form=parts.filter(fits), keep=st.floats(0, 1, exclude_max=True), cuts=st.lists(st.integers(0, 5000), max_size=5))
def test_a_form_that_is_cut_short_never_passes_for_a_whole_one(store, form, keep, cuts):
    body = build(form)
    whole = len(body) - len(b"--\r\n")  # its boundary may be the last one only from here on
    with pytest.raises(TruncatedBody):
        read(store, body[: int(keep * whole)], cuts)
    assert not list(store.unfinished())


@settings(max_examples=30)
@given(
    body=st.binary(max_size=400),
    head=st.sampled_from([b"", b"--q7\r\n", b'--q7\r\nContent-Disposition: form-data; name="a"']),
)
def test_no_body_breaks_the_reader(store, body, head):
    with suppress(Malformed, TruncatedBody, WrongValue, EmptyFile, NotAMedia):
        read(store, head + body, [])
    assert not list(store.unfinished())
