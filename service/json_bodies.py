"""JSON bodies, read within limits and more strictly than Python reads them: what JSON has not is refused by name."""

import json
import math
from collections.abc import Collection
from typing import Any

from python_multipart.multipart import parse_options_header
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request

from jobs.errors import Malformed, NotJson, Problem, TruncatedBody, UploadTimeout, WrongValue
from jobs.settings import Settings
from service.bodies import JSON_MAX_BYTES, Body

LONGEST_NUMBER = 400  # digits; Python itself gives up at 4300


async def read_json(request: Request, settings: Settings, known: Collection[str]) -> dict[str, Any]:
    """Return the fields of a JSON object; those that are null are left out, as if nothing were said.

    Raises:
        NotJson: it is of another type.
        Malformed: it is not what JSON is.
        TruncatedBody: the connection was closed before its end.
        TooLarge, UploadTimeout: more bytes came than are taken, or they came too slowly.
        WrongValue: it is no object, nested too deep, or has a field twice, an unknown one, or NaN or the like.

    """
    kind, _ = parse_options_header(request.headers.get("content-type"))
    if kind != b"application/json":
        said = kind.decode("latin-1") or "nothing"
        raise NotJson(f"expected application/json, got {said!r:.80}; with curl: --json '{{…}}'")
    body, content = Body(request, settings, JSON_MAX_BYTES), bytearray()
    try:
        async for block in body.blocks():
            content += block
        fields = await run_in_threadpool(parse_object, bytes(content))  # it takes a while for a million numbers
    except ClientDisconnect:
        raise TruncatedBody("the connection was closed before the body ended") from None
    except UploadTimeout:
        raise
    except Problem:
        await body.run_off()
        raise
    if unknown := sorted(set(fields) - set(known)):
        errors = [{"field": f"{name:.40}", "detail": "unknown"} for name in unknown[:20]]
        raise WrongValue(f"unknown fields: {', '.join(unknown):.200}; known are {', '.join(sorted(known))}", errors)
    return {name: value for name, value in fields.items() if value is not None}


def parse_object(content: bytes) -> dict[str, Any]:
    """Return the object that JSON text holds.

    Raises:
        Malformed: it is not what JSON is.
        WrongValue: it is JSON, or nearly, and yet nothing that could be meant.

    """
    try:
        said = json.loads(
            content.decode(),
            parse_constant=_constant,
            parse_float=_float,
            parse_int=_int,
            object_pairs_hook=_object,
        )
    except UnicodeDecodeError:
        raise Malformed("the body is not UTF-8, which JSON is") from None
    except json.JSONDecodeError as error:
        raise Malformed(f"the body is not JSON: {error}") from None
    except RecursionError:
        raise WrongValue("the body is nested too deep to be read") from None
    if not isinstance(said, dict):
        raise WrongValue(f"expected an object, {{…}}, got {type(said).__name__}")
    return said


def text_field(fields: dict[str, Any], name: str) -> str | None:
    """Take a field of text out of the others; None where it is not given.

    Raises:
        WrongValue: it is something else.

    """
    value = fields.pop(name, None)
    if value is not None and not isinstance(value, str):
        raise WrongValue.for_field(name, f"expected text, got {value!r:.60}")
    return value


def _constant(name: str) -> float:
    raise WrongValue(f"{name} is no number of JSON, and none that can be meant here")


def _float(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise WrongValue(f"{digits:.40} is too large a number")
    return value


def _int(digits: str) -> int:
    if len(digits) > LONGEST_NUMBER:
        raise WrongValue(f"{digits:.40}… is too large a number")
    return int(digits)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if not name.isascii():
            # Perhaps half of a surrogate pair, which no answer could repeat.
            raise WrongValue(f"unknown field: {name!a:.60}")
        if name in found:
            raise WrongValue.for_field(f"{name:.40}", "given more than once")
        found[name] = value
    return found
