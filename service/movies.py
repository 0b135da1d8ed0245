"""Movies of finished jobs: each is drawn when it is first asked for, by a job that nobody sees, and kept as long."""

from dataclasses import replace

from starlette.concurrency import run_in_threadpool

from jobs.errors import Gone, NotFinished
from jobs.movie_request import MOVIES, NPZ, MovieRequest, Moving, filmed
from jobs.records import JobRecord
from service.parts import Parts
from service.submission import create

PATIENCE = 30.0  # seconds that whoever reads a movie waits for it


async def with_movie(parts: Parts, record: JobRecord, wanted: str, wait: float | None = None) -> JobRecord:
    """Return the record with the movie that is wanted among its results; as it is where that is none, or no movie.

    Raises:
        NotFinished: it was not drawn within `wait` seconds (half a minute, if not said); it goes on being drawn.
        Gone: what it is drawn from is not stored any more.
        Problem: it cannot be drawn, or the queue is full.

    """
    if wanted not in MOVIES or (request := _request(record, wanted)) is None:
        return record
    if request.media_type in record.results:
        return record
    job = await run_in_threadpool(_ask, parts, record, request)
    if not job.ended_at_all:
        await parts.waiting.until_ended(job.id, PATIENCE if wait is None else wait)
        now: JobRecord | None = await run_in_threadpool(parts.store.get, job.id)
        job = now or job
    if job.problem is not None:
        raise job.problem
    if job.status != "succeeded":
        raise NotFinished(
            f"the {wanted} of job {record.id} is still being drawn; ask for it again", headers={"Retry-After": "1"}
        )
    return replace(record, results=record.results | job.results)


def forget_movies(parts: Parts, record: JobRecord) -> None:
    """Delete what has been drawn of a job, and draw no more of it. Blocking."""
    for moving in MOVIES:
        request = _request(record, moving)
        job = parts.store.answering(request, record.owner) if request else None
        if job is not None:
            end(parts, job, purge=True)


def end(parts: Parts, record: JobRecord, purge: bool) -> tuple[str, JobRecord]:
    """Cancel a job, and with `purge` delete what it used and made: at once, or when it stops. Blocking.

    Answers as `JobStore.request_cancel`, and with the job as it stood before it was deleted.
    """
    outcome = parts.store.request_cancel(record.id, purge=purge)
    if outcome == "canceled":
        parts.queue.withdraw(record)
    now = parts.store.get(record.id) or record
    if purge and now.ended_at_all:
        for sha256 in parts.store.purge(now):
            parts.artifacts.delete(sha256)
    return outcome, now


def _request(record: JobRecord, moving: Moving) -> MovieRequest | None:
    of, arrays = filmed(record.kind), record.results.get(NPZ)
    if of is None or arrays is None:
        return None
    return MovieRequest(
        model=record.model, digest=record.digest, of=of, arrays=arrays.sha256, size=arrays.bytes, format=moving
    )


def _ask(parts: Parts, record: JobRecord, request: MovieRequest) -> JobRecord:
    if not parts.artifacts.exists(request.arrays):
        raise Gone(f"the results of job {record.id} are no longer stored; make the request again")
    job_id = parts.store.new_id()
    parts.store.pin(job_id, request.inputs)
    job = create(parts, job_id, request, record.owner)
    if job.id != job_id:
        parts.store.release(f"job:{job_id}", request.inputs)
    return job
