"""`GET /latent-grid`: the dynamic plane of one identity, as a picture that an `<img>` can show."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from jobs.errors import WrongValue
from jobs.records import JobRecord
from service.answers import REVALIDATE, answer_submission, wanted_format
from service.forms import described_job
from service.negotiation import Preference, parse_prefer
from service.parts import OwnerDep, Parts, PartsDep
from service.routing import get_and_head
from service.submission import codes_of, find_encode, submit

router = APIRouter(tags=["make a job"])
DEFAULT_WAIT = 30.0  # seconds
KNOWN = frozenset({"model", "digest", "static_job", "seed", "size", "dims", "extent", "spacing", "wait", "format"})


@get_and_head(router, "/latent-grid", responses=described_job("latent-grid"))
async def latent_grid(
    request: Request,
    parts: PartsDep,
    owner: OwnerDep,
    model: Annotated[str | None, Query(description="a name, or NAME@sha256:… for a lasting address")] = None,
    digest: Annotated[str | None, Query(description="sha256:…, the same promise as a parameter of its own")] = None,
    static_job: Annotated[str | None, Query(description="a finished encode, for its identity")] = None,
    seed: Annotated[str | None, Query(description="draws an identity from the prior; 0 when nothing is said")] = None,
    size: Annotated[str, Query(description="2 to 31 pictures a side")] = "9",
    dims: Annotated[str, Query(description="auto, principal (axes), or two dimensions such as 0,1")] = "auto",
    extent: Annotated[str, Query(description="in prior standard deviations")] = "2.5",
    spacing: Annotated[str, Query(description="linear or quantile")] = "linear",
    wait: Annotated[str | None, Query(description="seconds to wait for the picture, 30 when nothing is said")] = None,
    format: Annotated[str | None, Query(description="png, json or npz")] = None,
    prefer: Annotated[str | None, Header(description="wait=SECONDS or respond-async")] = None,
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
    said = {"seed": seed, "size": size, "dims": dims, "extent": extent, "spacing": spacing}
    name = f"{model or parts.catalogue.default}@{digest}" if digest else model
    record = await run_in_threadpool(_submit, parts, owner, name, static_job, said)
    lasting = name is not None and "@" in name
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
    if not wait.isascii() or not wait.replace(".", "", 1).isdigit() or len(wait) > 12:
        raise WrongValue.for_field("wait", f"expected seconds, 0 to {longest:g}, got {wait!r:.40}")
    return Preference(min(float(wait), longest), preference.respond_async)
