"""Movies of finished jobs: drawn when they are first asked for, by jobs that nobody sees, and from then on results."""

import zipfile

from starlette.concurrency import run_in_threadpool

from jobs.errors import Gone, NotFinished, UnknownClip
from jobs.movie_request import MOVIES, NPZ, MovieRequest, Moving, filmed
from jobs.records import JobRecord
from service.parts import Parts
from service.submission import make

PATIENCE = 30.0  # seconds that whoever reads a movie waits for it, where that is not more than anybody may wait


async def with_movie(parts: Parts, record: JobRecord, wanted: str, wait: float | None = None) -> JobRecord:
    """Return the job with the movie that is wanted among its results; as it is where it has that, or can have none.

    Raises:
        NotFinished: it was not drawn within `wait` seconds (half a minute, if not said); it goes on being drawn.
        Gone: the job, or what the movie is drawn from, has been deleted.
        Problem: it cannot be drawn, the queue is full, or the owner has as many jobs as may be.

    """
    if wanted not in MOVIES or MOVIES[wanted] in record.results or (request := _request(record, wanted)) is None:
        return record
    job = await run_in_threadpool(_ask, parts, record, request)
    if not job.ended_at_all:
        longest = min(PATIENCE, parts.settings.wait_max) if wait is None else wait
        await parts.waiting.until_ended(job.id, longest)
    return await run_in_threadpool(_drawn, parts, record, job, request)


def forget_movies(parts: Parts, record: JobRecord) -> None:
    """Draw no more of a job whose purge is asked for; what has been drawn is among its results. Blocking."""
    for moving in MOVIES:
        if (request := _request(record, moving)) and (job := parts.store.answering(request, record.owner)):
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
        parts.artifacts.delete_all(parts.store.purge(now))
    return outcome, now


def _request(record: JobRecord, moving: Moving) -> MovieRequest | None:
    of, arrays = filmed(record.kind), record.results.get(NPZ)
    if of is None or arrays is None:
        return None
    return MovieRequest(
        model=record.model, digest=record.digest, parent=record.id, of=of, arrays=arrays.sha256, format=moving
    )


def _ask(parts: Parts, record: JobRecord, request: MovieRequest) -> JobRecord:
    job = parts.store.answering(request, record.owner)
    if job is not None and job.ended_at_all and job.status != "succeeded":
        end(parts, job, purge=True)  # it is tried again
        job = None
    if job is None:
        size = _unpacked(parts, record, request.arrays)
        job = make(parts, record.owner, request.model_copy(update={"size": size}))
    if parts.store.get(record.id) is None:  # purged meanwhile, by somebody who could not know of this
        end(parts, job, purge=True)
        raise _gone(record)
    return job


def _unpacked(parts: Parts, record: JobRecord, arrays: str) -> int:
    """Return how many bytes the arrays are, as the directory of their archive tells."""
    try:
        with parts.artifacts.reader(arrays) as file, zipfile.ZipFile(file) as archive:
            return sum(entry.file_size for entry in archive.infolist())
    except FileNotFoundError:
        raise _gone(record) from None


def _drawn(parts: Parts, record: JobRecord, job: JobRecord, request: MovieRequest) -> JobRecord:
    now = parts.store.get(record.id)
    if now is None:
        raise _gone(record)
    if request.media_type in now.results:
        return now
    ended = parts.store.get(job.id) or job
    if isinstance(ended.problem, UnknownClip):
        raise _gone(record)
    if ended.problem is not None:
        raise ended.problem
    raise NotFinished(
        f"the {request.format} of job {record.id} is still being drawn; ask for it again", headers={"Retry-After": "1"}
    )


def _gone(record: JobRecord) -> Gone:
    return Gone(f"the results of job {record.id} are no longer stored; make the request again")
