"""How a job is answered: as JSON on its way, as a file once it has succeeded, as its problem once it has failed."""

import contextlib
import time

from fastapi import Request, Response
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from jobs.artifacts import Artifact
from jobs.errors import Canceled, Gone, NotAcceptable, NotFinished, QueueFull, TooManyJobs
from jobs.records import JobRecord
from service.movies import with_movie
from service.negotiation import KINDS, MEDIA_TYPES, Preference, check_range, choose, etag, not_modified
from service.parts import Parts
from service.stored import StoredResponse
from service.views import JobView

REVALIDATE = "private, no-cache"


async def answer_submission(
    parts: Parts, request: Request, record: JobRecord, prefer: Preference, wanted: str, cache: str = REVALIDATE
) -> Response:
    """Answer 202 with the job, or, when the client waits and it ends in time, its result (200) or its problem."""
    wait, began = prefer.wait or 0.0, time.monotonic()
    if wait > 0 and not record.ended_at_all:
        await parts.waiting.until_ended(record.id, wait)
        now: JobRecord | None = await run_in_threadpool(parts.store.get, record.id)
        if now is None:
            raise Gone(f"job {record.id} was deleted while it was waited for; make the request again")
        record = now
    headers = {"Location": f"/jobs/{record.id}", "Vary": "Accept, Prefer"}
    if prefer.applied:
        headers["Preference-Applied"] = prefer.applied
    if prefer.wait is not None and record.ended_at_all:
        left = max(0.0, wait - (time.monotonic() - began))
        # Where that happens the job is done all the same, and only its movie is not there (yet).
        with contextlib.suppress(NotFinished, QueueFull, TooManyJobs):
            response = await result_response(parts, request, record, wanted, cache, left)
            for name, value in headers.items():
                response.headers[name] = value
            return response
    if prefer.wait:
        headers["Retry-After"] = "1"
    view = await run_in_threadpool(view_of, parts, record)
    return JSONResponse(view.model_dump(mode="json"), status_code=202, headers={**headers, "Cache-Control": "no-store"})


def view_of(parts: Parts, record: JobRecord) -> JobView:
    """Return what is told of a job, its place in the queue included. Blocking."""
    return JobView.of(record, parts.store.position(record) if record.status == "queued" else None)


def wanted_format(kind: str, request: Request, named: str | None) -> str:
    """Return the representation that the request asks of this kind of job."""
    return choose(KINDS[kind], request.headers.get("accept"), named)


def _after_cancel(record: JobRecord) -> str:
    if record.kind == "train":
        return f"what it had learnt by then, if anything, is the model {record.model}"
    return "make the request again if it is wanted after all"


async def result_response(
    parts: Parts,
    request: Request,
    record: JobRecord,
    wanted: str,
    cache: str = REVALIDATE,
    wait: float | None = None,
) -> Response:
    """Return a finished job's result in one representation; a movie is drawn first, for which it waits so long.

    Raises:
        Problem: the job's own, or NotFinished, Canceled, NotAcceptable, Gone.

    """
    if record.problem is not None:
        raise record.problem
    if record.status == "canceled":
        raise Canceled(f"job {record.id} was canceled; {_after_cancel(record)}")
    if record.status != "succeeded":
        raise NotFinished(
            f"job {record.id} is {record.status} ({record.progress:.0%}); its result comes when it has succeeded",
            headers={"Retry-After": "1"},
        )
    record, media_type = await with_movie(parts, record, wanted, wait), MEDIA_TYPES[wanted]
    artifact = record.results.get(media_type)
    if artifact is None:
        raise NotAcceptable(f"job {record.id} has no {media_type}; it has {', '.join(sorted(record.results))}")
    return await run_in_threadpool(_file, parts, request, record, artifact, wanted, cache)


def _file(parts: Parts, request: Request, record: JobRecord, artifact: Artifact, wanted: str, cache: str) -> Response:
    tag = etag(artifact.sha256, wanted)
    headers = {"ETag": tag, "Cache-Control": cache, "Vary": "Accept", "Content-Location": _url(record, wanted)}
    stored = parts.artifacts.find(artifact.sha256)
    if stored is None:
        raise Gone(f"the results of job {record.id} are no longer stored; make the request again")
    response = StoredResponse(
        parts.artifacts,
        stored,
        media_type=MEDIA_TYPES[wanted],
        headers=headers,
        filename=f"{record.kind}-{record.id[:8]}.{wanted}",
    )
    # Both mean something to GET and HEAD alone (RFC 9110, §13.1.2 and §14.2), as FileResponse knows of ranges, too.
    if request.method in ("GET", "HEAD"):
        if not_modified(request.headers.get("if-none-match"), tag):
            return Response(status_code=304, headers=headers)
        if request.headers.get("if-range") in (None, tag, response.headers["Last-Modified"]):
            check_range(request.headers.get("range"), stored.bytes)
    return response


def _url(record: JobRecord, wanted: str) -> str:
    return f"/jobs/{record.id}/result?format={wanted}"
