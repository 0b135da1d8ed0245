"""From a request to its job: sources are looked up, files published, the record made once, the queue told."""

import contextlib
from collections.abc import Sequence
from typing import Any

import structlog
from redis.exceptions import RedisError

from jobs.ability import check_ability
from jobs.callbacks import checked_callback
from jobs.catalogue import ModelEntry
from jobs.errors import Gone, Problem, StorageUnavailable, UnknownJob, WrongValue
from jobs.idempotency import Claim
from jobs.movie_request import NPZ
from jobs.records import JOB_ID, JobRecord
from jobs.requests import JobRequest, parse_request
from service.negotiation import KINDS
from service.parts import Parts
from service.uploads import FormFile

log = structlog.get_logger(__name__)


def submit(
    parts: Parts, owner: str, said: dict[str, Any], files: Sequence[FormFile] = (), claim: Claim | None = None
) -> JobRecord:
    """Make the job that a request asks for, or return the one that there is. Blocking: for the thread pool.

    A `callback` among what is said is told of the job's end; it makes no other request of it.

    Raises:
        Problem: a value is wrong, the model cannot do this, the queue is full, or the claimed key belongs to another
            request.

    """
    callback = checked_callback(said["callback"]) if "callback" in said else None
    request = parse_request({name: value for name, value in said.items() if name != "callback"})
    check_ability(request, parts.catalogue)
    if claim is not None and (earlier := claim.earlier_job(request.fingerprint(owner))):
        record = parts.store.get(earlier)
        if record is not None:
            return record
    return make(parts, owner, request, files, callback, claim)


def make(
    parts: Parts,
    owner: str,
    request: JobRequest,
    files: Sequence[FormFile] = (),
    callback: str | None = None,
    claim: Claim | None = None,
) -> JobRecord:
    """Make the job of a request and publish its files, or return the job that there is. Blocking.

    Raises:
        Problem: the queue is full, the owner has as many jobs as may be, or the claimed key is another request's.

    """
    job_id = parts.store.new_id()
    parts.store.pin(job_id, request.inputs)
    # What a request that comes to nothing may take with it: files that it brought, or what its pin alone has kept.
    fresh = [file.writer.sha256 for file in files if not parts.artifacts.exists(file.writer.sha256)]
    kept = fresh if files else request.inputs
    try:
        for file in files:
            file.writer.publish()
        record = _create(parts, job_id, request, owner, callback)
        if claim is not None:
            claim.keep(request.fingerprint(owner), record.id)
    except (RedisError, Problem):
        with contextlib.suppress(StorageUnavailable):  # the sweeper finds what stays
            parts.artifacts.delete_all(_unused(parts, job_id, kept, fresh))
        raise
    if record.id != job_id:
        # What was pinned for a job that is not made must not outlive a purge of the one that there is.
        with contextlib.suppress(RedisError, StorageUnavailable):
            parts.artifacts.delete_all(parts.store.release(f"job:{job_id}", request.inputs))
    return record


def _unused(parts: Parts, job_id: str, kept: list[str], fresh: list[str]) -> list[str]:
    """Forget a request that came to nothing, and return its files, without those that somebody else uses meanwhile."""
    try:
        return parts.store.abandon(job_id, kept)
    except RedisError:
        return fresh  # whoever else sent them fares no better


def _create(parts: Parts, job_id: str, request: JobRequest, owner: str, callback: str | None) -> JobRecord:
    most = parts.most_jobs(owner)
    record = parts.store.create_once(job_id, request, owner, most=most, callback=callback)
    if record.status == "succeeded" and not all(parts.artifacts.exists(one) for one in record.artifacts):
        parts.store.forget_fingerprint(record)  # somebody emptied the folder: make it again
        record = parts.store.create_once(job_id, request, owner, most=most, callback=callback)
    if record.id == job_id:
        parts.queue.deliver(record)
    log.info("took a job" if record.id == job_id else "has the job already", job=record.id, kind=record.kind)
    return record


def find_job(parts: Parts, owner: str, job_id: str, field: str = "id") -> JobRecord:
    """Return the owner's job of this id.

    Raises:
        WrongValue: it is no id.
        Gone: it was the owner's job, and has expired.
        UnknownJob: it never was, or is another's; a stranger is told no more than that.

    """
    if not JOB_ID.fullmatch(job_id):
        raise WrongValue.for_field(field, f"expected a job's id (32 hex digits), got {job_id!r:.60}")
    record = parts.store.get(job_id)
    if record is not None and record.owner == owner and record.kind in KINDS:
        return record
    if record is None and parts.store.once_was(job_id, owner):
        raise Gone(f"job {job_id} and its results have expired or were deleted; make the request again")
    raise UnknownJob(f"there is no job {job_id}")


def find_encode(parts: Parts, owner: str, job_id: str, field: str) -> JobRecord:
    """Return the finished encode whose codes a field names.

    Raises:
        WrongValue: the job is of another kind, or has no codes (yet).

    """
    record = find_job(parts, owner, job_id, field)
    if record.kind != "encode":
        raise WrongValue.for_field(field, f"expected an encode, {job_id} is a {record.kind}")
    if record.status != "succeeded":
        raise WrongValue.for_field(field, f"job {job_id} is {record.status}; only a succeeded encode has codes")
    return record


def codes_of(record: JobRecord, model: ModelEntry, field: str) -> dict[str, Any]:
    """Return the source that a finished encode is.

    Raises:
        WrongValue: its codes are another model's and mean nothing to this one.

    """
    if record.digest != model.digest:
        raise WrongValue.for_field(
            field,
            f"job {record.id} was made by {record.model} ({record.digest[:19]}…), not by {model.name} as served now",
        )
    return {"codes": record.results[NPZ].sha256, "job": record.id}


def model_and_codes(
    parts: Parts, owner: str, name: str | None, job: str | None, field: str
) -> tuple[ModelEntry, dict[str, Any] | None]:
    """Return the model that a request names, or else that of the encode it names, and that encode as a source.

    Raises:
        Problem: there is no such model or encode, or they do not belong together.

    """
    encode = find_encode(parts, owner, job, field) if job is not None else None
    model = parts.catalogue.find(name or (encode.model if encode else None))
    return model, codes_of(encode, model, field) if encode else None
