"""`GET /latent-grid`: the dynamic plane of one identity, as a picture that an `<img>` can show."""

import re
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import WithJsonSchema
from starlette.concurrency import run_in_threadpool

from jobs.errors import WrongValue
from jobs.records import JobRecord
from service.answers import REVALIDATE, answer_submission, wanted_format
from service.forms import described_job, described_parts
from service.negotiation import KINDS, Preference, parse_prefer
from service.parameters import IF_NONE_MATCH, JOB_ID, RANGE, SEED, Prefer
from service.parts import OwnerDep, Parts, PartsDep
from service.routing import get_and_head
from service.submission import codes_of, find_encode, submit

router = APIRouter(tags=["make a job"])
DEFAULT_WAIT = 30.0  # seconds
SECONDS = re.compile(r"[0-9]{1,20}(\.[0-9]{0,40})?|[0-9]{1,20}(\.[0-9]{0,40})?[eE][+-]?[0-9]{1,3}", re.ASCII)
KNOWN = frozenset({"model", "digest", "static_job", "seed", "size", "dims", "extent", "spacing", "wait", "format"})


ModelName = Annotated[
    str | None,
    WithJsonSchema({"type": "string", "examples": ["faces-vae"]}),
    Query(description="a name, or NAME@sha256:… for a lasting address"),
]
Digest = Annotated[
    str | None,
    WithJsonSchema({"type": "string", "pattern": "^sha256:[0-9a-f]{64}$"}),
    Query(description="sha256:…, the same promise as a parameter of its own"),
]
StaticJob = Annotated[
    str | None, WithJsonSchema(JOB_ID), Query(description="the id of a finished encode, for its identity; no seed then")
]
SeedText = Annotated[
    str | None,
    WithJsonSchema(SEED | {"examples": [3]}),
    Query(description="draws an identity from the prior; 0 when nothing is said"),
]
Size = Annotated[
    str | None,
    WithJsonSchema({"type": "integer", "minimum": 2, "maximum": 31, "default": 9, "examples": [5]}),
    Query(description="pictures along each side"),
]
Dims = Annotated[
    str | None,
    WithJsonSchema({"type": "string", "pattern": "^(auto|principal|[0-9]{1,4},[0-9]{1,4})$", "default": "auto"}),
    Query(description="auto, principal (axes), or two different dimensions such as 0,1"),
]
Extent = Annotated[
    str | None,
    WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "maximum": 10, "default": 2.5}),
    Query(description="half the plane's width in prior standard deviations"),
]
Spacing = Annotated[
    str | None,
    WithJsonSchema({"type": "string", "enum": ["linear", "quantile"], "default": "linear"}),
    Query(description="equal steps, or steps of equal probability"),
]
Wait = Annotated[
    str | None,
    WithJsonSchema({"type": "number", "minimum": 0}),
    Query(description="seconds to wait for the picture, 30 when nothing is said, 60 at most"),
]
Format = Annotated[
    str | None, WithJsonSchema({"type": "string", "enum": list(KINDS["latent-grid"])}), Query(description="or Accept")
]


@get_and_head(
    router,
    "/latent-grid",
    responses={**described_job("latent-grid"), **described_parts("latent-grid")},
    openapi_extra={"parameters": [RANGE, IF_NONE_MATCH]},
)
async def latent_grid(
    request: Request,
    parts: PartsDep,
    owner: OwnerDep,
    model: ModelName = None,
    digest: Digest = None,
    static_job: StaticJob = None,
    seed: SeedText = None,
    size: Size = None,
    dims: Dims = None,
    extent: Extent = None,
    spacing: Spacing = None,
    wait: Wait = None,
    format: Format = None,
    prefer: Prefer = None,
) -> Response:
    """Decode the dynamic plane of one identity on a grid; waits for it, so that an `<img>` may point here."""
    unknown = sorted(set(request.query_params) - KNOWN)
    if unknown:
        raise WrongValue(
            f"unknown parameters: {', '.join(unknown)}", [{"field": one, "detail": "unknown"} for one in unknown]
        )
    preference = _preference(prefer, wait, parts.settings.wait_max)
    wanted = wanted_format("latent-grid", request, format)
    if seed is None and static_job is None:
        seed = "0"
    asked = {"seed": seed, "size": size, "dims": dims, "extent": extent, "spacing": spacing}
    said = {name: value for name, value in asked.items() if value is not None}
    name = f"{model or parts.catalogue.default}@{digest}" if digest else model
    record = await run_in_threadpool(_submit, parts, owner, name, static_job, said)
    lasting = bool(name and name.partition("@")[2])
    # Only what a seed names is everybody's; an identity belongs to whoever uploaded it.
    cache = f"{'private' if static_job else 'public'}, max-age=31536000, immutable" if lasting else REVALIDATE
    return await answer_submission(parts, request, record, preference, wanted, cache)


def _submit(parts: Parts, owner: str, name: str | None, static_job: str | None, said: dict[str, Any]) -> JobRecord:
    encode = find_encode(parts, owner, static_job, "static_job") if static_job is not None else None
    model = parts.catalogue.find(name or (encode.model if encode else None))
    static = codes_of(encode, model, "static_job") if encode else None
    request = {**said, "kind": "latent-grid", "model": model.name, "digest": model.digest, "static": static}
    return submit(parts, owner, request)


def _preference(prefer: str | None, wait: str | None, longest: float) -> Preference:
    """Return how long to wait: as Prefer says, else as the parameter says, else half a minute."""
    preference = parse_prefer(prefer, longest)
    if preference.wait is not None or (preference.respond_async and wait is None):
        return preference if preference.wait is not None else Preference(0.0, respond_async=True)
    if wait is None:
        return Preference(min(DEFAULT_WAIT, longest))
    if not SECONDS.fullmatch(wait):
        raise WrongValue.for_field("wait", f"expected seconds, 0 to {longest:g}, got {wait!r:.40}")
    return Preference(min(float(wait), longest), preference.respond_async)
