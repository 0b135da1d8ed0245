"""`POST /swap`: every static source doing every dynamic source's motion."""

from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from jobs.errors import WrongValue
from jobs.idempotency import Claim
from jobs.records import JobRecord
from service.answers import answer_submission, wanted_format
from service.claims import claimed
from service.clips import clip_of
from service.forms import SWAP_FORM, described_job
from service.negotiation import parse_prefer
from service.parameters import IdempotencyKey, MovingFormat, Prefer
from service.parts import OwnerDep, Parts, PartsDep
from service.submission import codes_of, find_encode, submit
from service.uploads import Form, FormFile, FormShape, read_form

router = APIRouter(tags=["make a job"])
SIDES = ("static", "dynamic")
MOST = 8
SHAPE = FormShape(files={side: MOST for side in SIDES})


@router.post("/swap", status_code=202, responses=described_job("swap"), openapi_extra=SWAP_FORM)
async def swap(
    request: Request,
    parts: PartsDep,
    owner: OwnerDep,
    format: MovingFormat = None,
    prefer: Prefer = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Queue the swap of up to eight appearances with up to eight motions."""
    preference = parse_prefer(prefer, parts.settings.wait_max)
    wanted = wanted_format("swap", request, format)
    async with (
        claimed(parts, owner, idempotency_key) as claim,
        read_form(request, parts.artifacts, parts.settings, SHAPE) as form,
    ):
        record = await run_in_threadpool(_submit, parts, owner, form, claim)
    return await answer_submission(parts, request, record, preference, wanted)


def _submit(parts: Parts, owner: str, form: Form, claim: Claim | None) -> JobRecord:
    sources: dict[str, list[tuple[str, str | FormFile]]] = {side: [] for side in SIDES}
    others = Form()
    for name, value in form.parts:
        side, _, origin = name.partition("_")
        if side in SIDES and origin in ("", "job", "clip"):
            if not origin and isinstance(value, str):
                raise WrongValue.for_field(name, f"expected a file, got text; ids of encodes go into {side}_job")
            sources[side].append((name, value))
        else:
            others.parts.append((name, value))
    for side in SIDES:
        if not 1 <= len(sources[side]) <= MOST:
            raise WrongValue.for_field(
                side, f"expected 1 to {MOST} sources ({side}, {side}_clip or {side}_job), got {len(sources[side])}"
            )
    encodes = {
        value: find_encode(parts, owner, value, name)
        for side in SIDES
        for name, value in sources[side]
        if name.endswith("_job") and isinstance(value, str)
    }
    fields = others.texts()
    # Without a model the codes say whose they are.
    model = parts.catalogue.find(fields.pop("model", None) or next((one.model for one in encodes.values()), None))

    def said(name: str, value: str | FormFile) -> dict[str, Any]:
        if isinstance(value, FormFile):
            return {"clip": value.writer.sha256}
        if name.endswith("_clip"):
            return {"clip": clip_of(parts, owner, value)}
        return codes_of(encodes[value], model, name)

    asked = {side: [said(name, value) for name, value in sources[side]] for side in SIDES}
    request = {**fields, **asked, "kind": "swap", "model": model.name, "digest": model.digest}
    return submit(parts, owner, request, form.files, claim)
