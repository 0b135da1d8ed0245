"""`POST /predict`: the frames that follow the first ones of a clip."""

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from jobs.errors import WrongValue
from jobs.idempotency import Claim
from jobs.records import JobRecord
from service.answers import answer_submission, wanted_format
from service.claims import claimed
from service.clips import clip_of
from service.forms import PREDICT_FIELDS, PREDICT_FORM, described_job
from service.negotiation import parse_prefer
from service.parameters import IdempotencyKey, MovingFormat, Prefer
from service.parts import OwnerDep, Parts, PartsDep
from service.submission import model_and_codes, submit
from service.uploads import Form, FormShape, read_form

router = APIRouter(tags=["make a job"])
SHAPE = FormShape(files={"video": 1})


@router.post("/predict", status_code=202, responses=described_job("predict"), openapi_extra=PREDICT_FORM)
async def predict(
    request: Request,
    parts: PartsDep,
    owner: OwnerDep,
    format: MovingFormat = None,
    prefer: Prefer = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Queue the prediction of a clip's next frames from its first ones: the likeliest future, or samples."""
    preference = parse_prefer(prefer, parts.settings.wait_max)
    wanted = wanted_format("predict", request, format)
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
    if unknown := sorted(set(fields) - set(PREDICT_FIELDS)):
        errors = [{"field": f"{name:.40}", "detail": "unknown"} for name in unknown]
        raise WrongValue(f"unknown fields: {', '.join(unknown):.200}", errors)
    clip, job, name = (fields.pop(field, None) for field in ("clip", "job", "model"))
    if sum((bool(form.files), clip is not None, job is not None)) != 1:
        raise WrongValue.for_field(
            "video", "expected one: a file as video, the id of an upload as clip, or that of a finished encode as job"
        )
    model, source = model_and_codes(parts, owner, name, job, "job")
    if source is None:
        source = {"clip": form.files[0].writer.sha256 if clip is None else clip_of(parts, owner, clip)}
    said = {**fields, "kind": "predict", "model": model.name, "digest": model.digest, "source": source}
    return submit(parts, owner, said, form.files, claim)
