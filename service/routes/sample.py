"""`POST /sample`: new identities and motions, or new motions of one identity."""

from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from jobs.idempotency import Claim
from jobs.records import JobRecord
from service.answers import answer_submission, wanted_format
from service.claims import claimed
from service.forms import SAMPLE_BODY, SAMPLE_FIELDS, described_job
from service.json_bodies import read_json, text_field
from service.negotiation import parse_prefer
from service.parameters import IdempotencyKey, MovingFormat, Prefer
from service.parts import OwnerDep, Parts, PartsDep
from service.submission import model_and_codes, submit

router = APIRouter(tags=["make a job"])


@router.post("/sample", status_code=202, responses=described_job("sample"), openapi_extra=SAMPLE_BODY)
async def sample(
    request: Request,
    parts: PartsDep,
    owner: OwnerDep,
    format: MovingFormat = None,
    prefer: Prefer = None,
    idempotency_key: IdempotencyKey = None,
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
