"""The parameters of paths, queries and headers that several routes have, and what the API's description says of them.

Routes take them as text and check them with the words of our own problems; the schemas here tell generators and fuzzers
what those checks let through.
"""

from typing import Annotated, Any

from fastapi import Header, Path, Query
from pydantic import WithJsonSchema

from service.negotiation import KINDS

JOB_ID: dict[str, Any] = {"type": "string", "pattern": "^[0-9a-f]{32}$"}
CLIP_ID: dict[str, Any] = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
SEED: dict[str, Any] = {"type": "integer", "minimum": 0, "maximum": 2**32 - 1}
MOVING = list(KINDS["encode"])
RANGES = "([0-9]{1,18}-[0-9]{0,18}|-[0-9]{1,18})"
# Read where files are answered, and stated here for people and generators.
RANGE: dict[str, Any] = {
    "name": "Range",
    "in": "header",
    "schema": {
        "type": "string",
        "pattern": f"^bytes={RANGES}( *, *{RANGES})*$",
        "examples": ["bytes=0-65535"],
    },
    "description": "which bytes are wanted (206), one range or several",
}
IF_NONE_MATCH: dict[str, Any] = {
    "name": "If-None-Match",
    "in": "header",
    "schema": {"type": "string", "examples": ['"0123-png"']},
    "description": "the ETag of what the client has: 304 where nothing has changed",
}

JobPath = Annotated[str, WithJsonSchema(JOB_ID), Path(description="a job's id, as every request that makes one gives")]
ClipPath = Annotated[str, WithJsonSchema(CLIP_ID), Path(description="a clip's id: the SHA-256 of its content")]
MovingFormat = Annotated[
    str | None,
    WithJsonSchema({"type": "string", "enum": MOVING}),
    Query(description="the representation to answer with, where the request waits; stands above Accept"),
]
Prefer = Annotated[
    str | None,
    WithJsonSchema({"type": "string", "examples": ["wait=30"]}),
    Header(
        description="`wait=SECONDS` answers with the result if it comes within them (60 at most); else comes the job"
    ),
]
IdempotencyKey = Annotated[
    str | None,
    WithJsonSchema({"type": "string", "pattern": "^[!-~]([ -~]{0,253}[!-~])?$"}),
    Header(description="the same key with the same request is the same job, and with another request an error (422)"),
]
