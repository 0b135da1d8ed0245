"""`POST /interpolate`: the path between the codes of two frames."""

from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from jobs.errors import WrongValue
from jobs.idempotency import Claim
from jobs.records import JobRecord
from service.answers import answer_submission, wanted_format
from service.claims import claimed
from service.forms import INTERPOLATE_BODY, INTERPOLATE_FIELDS, described_job
from service.json_bodies import read_json, text_field
from service.negotiation import parse_prefer
from service.parameters import IdempotencyKey, MovingFormat, Prefer
from service.parts import OwnerDep, Parts, PartsDep
from service.submission import codes_of, find_encode, submit

router = APIRouter(tags=["make a job"])


@router.post(
    "/interpolate",
    status_code=202,
    responses=described_job("interpolate"),
    openapi_extra=INTERPOLATE_BODY,
)
async def interpolate(
    request: Request,
    parts: PartsDep,
    owner: OwnerDep,
    format: MovingFormat = None,
    prefer: Prefer = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Go from the codes of one frame to those of another in equal steps: the motion, the identity, or both."""
    preference = parse_prefer(prefer, parts.settings.wait_max)
    wanted = wanted_format("interpolate", request, format)
    async with claimed(parts, owner, idempotency_key) as claim:
        fields = await read_json(request, parts.settings, INTERPOLATE_FIELDS)
        record = await run_in_threadpool(_submit, parts, owner, fields, claim)
    return await answer_submission(parts, request, record, preference, wanted)


def _submit(parts: Parts, owner: str, fields: dict[str, Any], claim: Claim | None) -> JobRecord:
    name, ends = text_field(fields, "model"), _ends(fields.pop("ends", None))
    encodes = [find_encode(parts, owner, job, f"ends.{place}.job") for place, (job, _) in enumerate(ends)]
    model = parts.catalogue.find(name or encodes[0].model)
    said_ends = [
        {"source": codes_of(encode, model, f"ends.{place}.job"), "frame": frame}
        for place, (encode, (_, frame)) in enumerate(zip(encodes, ends, strict=True))
    ]
    said = {**fields, "kind": "interpolate", "model": model.name, "digest": model.digest, "ends": said_ends}
    return submit(parts, owner, said, claim=claim)


def _ends(said: Any) -> list[tuple[str, Any]]:
    """Return the job and the frame of each end."""
    if not isinstance(said, list) or len(said) != 2:
        raise WrongValue.for_field("ends", 'expected two: [{"job": ID, "frame": NUMBER}, {"job": ID, "frame": NUMBER}]')
    for place, end in enumerate(said):
        if not isinstance(end, dict) or set(end) != {"job", "frame"} or not isinstance(end["job"], str):
            raise WrongValue.for_field(f"ends.{place}", 'expected {"job": ID, "frame": NUMBER}')
    return [(end["job"], end["frame"]) for end in said]
