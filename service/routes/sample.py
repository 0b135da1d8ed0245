"""`POST /sample`: new identities and motions, or new motions of one identity."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from jobs.idempotency import Claim
from jobs.records import JobRecord
from service.answers import answer_submission, wanted_format
from service.claims import claimed
from service.forms import SAMPLE_FIELDS, described_job, json_body
from service.json_bodies import read_json, text_field
from service.negotiation import parse_prefer
from service.parts import OwnerDep, Parts, PartsDep
from service.submission import model_and_codes, submit

router = APIRouter(tags=["make a job"])


@router.post("/sample", status_code=202, responses=described_job("sample"), openapi_extra=json_body(SAMPLE_FIELDS))
async def sample(
    request: Request,
    parts: PartsDep,
    owner: OwnerDep,
    format: Annotated[str | None, Query(description="json, png, mp4, webp, gif or npz")] = None,
    prefer: Annotated[str | None, Header(description="wait=SECONDS")] = None,
    idempotency_key: Annotated[str | None, Header()] = None,
) -> Response:
    """Draw identities and their motions from the prior: whoever no clip showed, doing what none did."""
    preference = parse_prefer(prefer, parts.settings.wait_max)
    wanted = wanted_format("sample", request, format)
    async with claimed(parts, owner, idempotency_key) as claim:
        fields = await read_json(request, parts.settings, SAMPLE_FIELDS)
        record = await run_in_threadpool(_submit, parts, owner, fields, claim)
    return await answer_submission(parts, request, record, preference, wanted)


def _submit(parts: Parts, owner: str, fields: dict[str, Any], claim: Claim | None) -> JobRecord:
    name, job = text_field(fields, "model"), text_field(fields, "static_job")
    model, static = model_and_codes(parts, owner, name, job, "static_job")
    said = {**fields, "kind": "sample", "model": model.name, "digest": model.digest, "static": static}
    return submit(parts, owner, said, claim=claim)
