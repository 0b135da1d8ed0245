"""`POST /encode`: the codes of a clip."""

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from jobs.errors import WrongValue
from jobs.idempotency import Claim
from jobs.records import JobRecord
from service.answers import answer_submission, wanted_format
from service.claims import claimed
from service.clips import clip_of
from service.forms import ENCODE_FORM, described_job
from service.negotiation import parse_prefer
from service.parameters import IdempotencyKey, MovingFormat, Prefer
from service.parts import OwnerDep, Parts, PartsDep
from service.submission import submit
from service.uploads import Form, FormShape, read_form

router = APIRouter(tags=["make a job"])
SHAPE = FormShape(files={"video": 1})


@router.post("/encode", status_code=202, responses=described_job("encode"), openapi_extra=ENCODE_FORM)
async def encode(
    request: Request,
    parts: PartsDep,
    owner: OwnerDep,
    format: MovingFormat = None,
    prefer: Prefer = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Queue the encoding of a clip: its static code, its dynamic code a frame, and how well it fits the model."""
    preference = parse_prefer(prefer, parts.settings.wait_max)
    wanted = wanted_format("encode", request, format)
    async with (
        claimed(parts, owner, idempotency_key) as claim,
        read_form(request, parts.artifacts, parts.settings, SHAPE) as form,
    ):
        record = await run_in_threadpool(_submit, parts, owner, form, claim)
    return await answer_submission(parts, request, record, preference, wanted)


def _submit(parts: Parts, owner: str, form: Form, claim: Claim | None) -> JobRecord:
    fields = form.texts()
    if "video" in fields:
        raise WrongValue.for_field("video", "expected a file, got text; with curl: -F video=@clip.mp4")
    clip = fields.pop("clip", None)
    if (clip is None) == (not form.files):
        raise WrongValue.for_field("video", "expected one clip: a file as video, or the id of an upload as clip")
    model = parts.catalogue.find(fields.pop("model", None))
    content = form.files[0].writer.sha256 if clip is None else clip_of(parts, owner, clip)
    said = {**fields, "kind": "encode", "model": model.name, "digest": model.digest, "clip": content}
    return submit(parts, owner, said, form.files, claim)
