"""`POST /train`: a model of the caller's own clips, where the operator has enabled it."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import WithJsonSchema
from starlette.concurrency import run_in_threadpool

from jobs.catalogue import NAME, NAMES
from jobs.errors import NameTaken, TrainingOff, WrongValue
from jobs.idempotency import Claim
from jobs.records import JobRecord
from jobs.requests import parse_request
from jobs.train_request import TrainRequest
from service.answers import answer_submission, wanted_format
from service.claims import claimed
from service.clips import clip_of
from service.forms import TRAIN_BODY, TRAIN_FIELDS, described_job
from service.json_bodies import read_json, text_field
from service.negotiation import KINDS, parse_prefer
from service.parameters import IdempotencyKey, Prefer
from service.parts import OwnerDep, Parts, PartsDep
from service.submission import submit

router = APIRouter(tags=["make a job"])


LearntFormat = Annotated[
    str | None,
    WithJsonSchema({"type": "string", "enum": list(KINDS["train"])}),
    Query(description="the representation to answer with, where the request waits; stands above Accept"),
]


@router.post("/train", status_code=202, responses=described_job("train"), openapi_extra=TRAIN_BODY)
async def train(
    request: Request,
    parts: PartsDep,
    owner: OwnerDep,
    format: LearntFormat = None,
    prefer: Prefer = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Queue the training of a model on uploaded clips.

    The new model is served to everybody who may ask this server, under its name, without a restart. Events say how
    training goes. A cancel ends training, and what has been learnt by then becomes a model, without a motion if none
    had been taught; a cancel with purge=true leaves no model. Off unless the operator has set TWOFOLD_TRAINING.
    """
    if not parts.settings.training:
        raise TrainingOff("this server learns no models; its operator turns that on with TWOFOLD_TRAINING=true")
    preference = parse_prefer(prefer, parts.settings.wait_max)
    wanted = wanted_format("train", request, format)
    async with claimed(parts, owner, idempotency_key) as claim:
        fields = await read_json(request, parts.settings, TRAIN_FIELDS)
        record = await run_in_threadpool(_submit, parts, owner, fields, claim)
    return await answer_submission(parts, request, record, preference, wanted)


def _submit(parts: Parts, owner: str, fields: dict[str, Any], claim: Claim | None) -> JobRecord:
    name, callback = text_field(fields, "name"), fields.pop("callback", None)
    if name is None:
        raise WrongValue.for_field("name", "expected what the model is to be called")
    if not NAME.fullmatch(name):
        raise WrongValue.for_field("name", f"{NAMES}, not {name!r:.80}")
    said = {**fields, "kind": "train", "model": name}
    asked = parse_request(said)
    assert isinstance(asked, TrainRequest), "its kind says so"
    most = parts.settings.train_max_minutes
    if asked.minutes > most:
        raise WrongValue.for_field("minutes", f"at most {most:g} here, got {asked.minutes:g}")
    for clip in asked.clips:
        clip_of(parts, owner, clip)
    answering = parts.store.answering(asked, owner)
    # Names are compared in small letters, for some file systems hold these to be the same.
    if name.lower() in map(str.lower, parts.catalogue.models()) and (
        answering is None or answering.status != "succeeded"
    ):
        raise NameTaken(f"there is a model called {name} already; choose another name")
    return submit(parts, owner, said if callback is None else {**said, "callback": callback}, claim=claim)
