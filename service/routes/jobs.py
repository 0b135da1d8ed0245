"""`/jobs`: the caller's jobs; of each where it stands, its result, its events, and its end."""

import json
from collections.abc import AsyncIterator
from typing import Annotated, get_args
from urllib.parse import urlencode

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import WithJsonSchema
from starlette.concurrency import run_in_threadpool

from jobs.errors import AlreadyFinished, WrongValue
from jobs.events import BEGINNING, EVENT_ID, Event, order_of
from jobs.listing import list_jobs
from jobs.records import JobRecord
from service.answers import result_response, view_of, wanted_format
from service.forms import described_parts, result_content
from service.headers import ALL_ABOUT_A_RESULT, NEXT_PAGE
from service.movies import end, forget_movies
from service.negotiation import KINDS
from service.parameters import IF_NONE_MATCH, MOVING, RANGE, JobPath
from service.parts import OwnerDep, Parts, PartsDep
from service.problems import described
from service.results import AnyResult
from service.routing import get_and_head
from service.submission import find_job
from service.views import JobsView, JobView, Kind, Status, result_urls

router = APIRouter(prefix="/jobs", tags=["read a job"])
CURSOR = {"type": "string", "pattern": "^[0-9]{1,16}-[0-9a-f]{32}$"}
EVENT = {"type": "string", "pattern": "^[0-9]{1,19}-[0-9]{1,19}$"}
KIND = {"type": "string", "enum": list(get_args(Kind))}
STATUS = {"type": "string", "enum": list(get_args(Status))}
PING = 15.0  # seconds of silence before a stream says that it is still there


Format = Annotated[
    str | None,
    WithJsonSchema({"type": "string", "enum": MOVING}),
    Query(description="of those that the kind has, as the job's `results` say; stands above Accept"),
]


@get_and_head(
    router,
    "",
    response_model=JobsView,
    responses={200: {"description": "A page of jobs", "headers": NEXT_PAGE}, **described(400, 401, 403, 422, 503)},
)
def read_jobs(
    parts: PartsDep,
    owner: OwnerDep,
    limit: Annotated[int, Query(ge=1, le=100, description="jobs of one page")] = 20,
    cursor: Annotated[str | None, WithJsonSchema(CURSOR), Query(description="`cursor` of the page before")] = None,
    status: Annotated[Status | None, WithJsonSchema(STATUS), Query(description="only jobs of this status")] = None,
    kind: Annotated[Kind | None, WithJsonSchema(KIND), Query(description="only jobs of this kind")] = None,
) -> Response:
    """List the caller's jobs, newest first; the next page begins at `cursor`, which is null on the last one."""
    wanted = {name: value for name, value in (("status", status), ("kind", kind)) if value is not None}
    page = list_jobs(parts.store, owner, limit, cursor, wanted)
    view = JobsView(jobs=[view_of(parts, record) for record in page.jobs], cursor=page.cursor)
    headers = {"Cache-Control": "no-store"}
    if page.cursor:
        query = urlencode({**wanted, "limit": limit, "cursor": page.cursor})
        headers["Link"] = f'</jobs?{query}>; rel="next"'
    return JSONResponse(view.model_dump(mode="json"), headers=headers)


@get_and_head(router, "/{job_id}", response_model=JobView, responses=described(400, 401, 403, 404, 410, 422, 503))
def read_job(job_id: JobPath, parts: PartsDep, owner: OwnerDep) -> Response:
    """Say where a job stands."""
    record = find_job(parts, owner, job_id)
    return _view(parts, record, 200)


@get_and_head(
    router,
    "/{job_id}/result",
    response_model=AnyResult,
    responses={
        200: {
            "description": "The result",
            "content": result_content(*KINDS),
            "headers": ALL_ABOUT_A_RESULT,
        },
        **described_parts(*KINDS),
        **described(400, 401, 403, 404, 406, 409, 410, 413, 415, 422, 429, 500, 503, 507),
    },
    openapi_extra={"parameters": [RANGE, IF_NONE_MATCH]},
)
async def read_result(
    job_id: JobPath,
    request: Request,
    parts: PartsDep,
    owner: OwnerDep,
    format: Format = None,
) -> Response:
    """Return a finished job's result in the representation that Accept or `format` names.

    A movie is drawn when it is first asked for, and counts as a job while it is; one that takes longer than half a
    minute is a 409 until it is there.
    """
    record = await run_in_threadpool(find_job, parts, owner, job_id)
    return await result_response(parts, request, record, wanted_format(record.kind, request, format))


@router.get(
    "/{job_id}/events",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "Events `status`, `progress` and `result`, each with an id and JSON as its data. With each "
            "look at held-out clips a training's `progress` has a `picture` (a `data:` URL): frames, and these redrawn",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        },
        204: {"description": "The job has ended and there is nothing more"},
        **described(400, 401, 403, 404, 410, 422, 503),
    },
)
async def read_events(
    job_id: JobPath,
    parts: PartsDep,
    owner: OwnerDep,
    last_event_id: Annotated[
        str | None, WithJsonSchema(EVENT), Header(description="resumes after the event of this id")
    ] = None,
) -> Response:
    """Stream what happens to a job, from its beginning or after `Last-Event-ID`, without loss or repeats."""
    if last_event_id is not None and not EVENT_ID.fullmatch(last_event_id):
        raise WrongValue.for_field("Last-Event-ID", f"expected the id of an event, got {last_event_id!r:.60}")
    record = await run_in_threadpool(find_job, parts, owner, job_id)
    after = last_event_id or BEGINNING
    if last_event_id is not None or record.ended_at_all:
        last = await parts.waiting.last_id(job_id)
        # An id past the last one is not of this stream; whoever sends it has seen all that there is.
        after = min(after, last, key=order_of)
        if record.ended_at_all and after == last:
            return Response(status_code=204)  # tells an EventSource not to come again
    return StreamingResponse(
        _stream(parts, record, after),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"},
    )


@router.delete(
    "/{job_id}",
    response_model=JobView,
    responses={
        200: {"description": "It waited, and is canceled; or with purge, it and its results are deleted"},
        202: {"description": "It is running, and is canceled at its next step", "model": JobView},
        **described(400, 401, 403, 404, 409, 410, 422, 503),
    },
)
def cancel_job(
    job_id: JobPath,
    parts: PartsDep,
    owner: OwnerDep,
    purge: Annotated[
        str,
        WithJsonSchema({"type": "string", "enum": ["true", "false"], "default": "false"}),
        Query(description="true also deletes inputs and results, now"),
    ] = "false",
) -> Response:
    """Cancel a job: at once while it waits (200), at its next step while it runs (202)."""
    if purge not in ("true", "false"):
        raise WrongValue.for_field("purge", f"expected true or false, got {purge!r:.40}")
    record = find_job(parts, owner, job_id)
    if purge == "true":
        forget_movies(parts, record)
    outcome, record = end(parts, record, purge == "true")
    if purge == "true":
        forget_movies(parts, record)  # once more: somebody may have asked for one in between
    if outcome == "finished" and purge == "false":
        raise AlreadyFinished(f"job {job_id} is {record.status}; ?purge=true deletes it and its results")
    return _view(parts, record, 202 if outcome == "asked" else 200)


def _view(parts: Parts, record: JobRecord, status: int) -> Response:
    view = view_of(parts, record).model_dump(mode="json")
    headers = {"Cache-Control": "no-store"} | ({"Retry-After": "1"} if not record.ended_at_all else {})
    return JSONResponse(view, status_code=status, headers=headers)


async def _stream(parts: Parts, record: JobRecord, after: str) -> AsyncIterator[str]:
    yield "retry: 1000\n\n"
    async for event in parts.waiting.follow(record.id, after, silence=PING):
        yield ": still here\n\n" if event is None else _message(record, event)


def _message(record: JobRecord, event: Event) -> str:
    data = {"results": result_urls(record, event.data["results"])} if event.name == "result" else event.data
    return f"id: {event.id}\nevent: {event.name}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n"
