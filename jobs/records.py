"""Job records: one Redis hash a job, changed only by the scripts of `transitions`, whoever asks.

The service creates and cancels, a worker begins, beats and ends, the reaper takes back what a dead worker held. An
execution id fences every step of a worker: once a job has been taken back, the late attempt's beats and results are
refused.
"""

import json
import re
import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, cast

from redis import Redis

from jobs import transitions
from jobs.artifacts import Artifact
from jobs.errors import Problem, QueueFull, TooManyJobs, Unavailable, WorkerLost, WrongValue
from jobs.events import PREFIX, TERMINAL
from jobs.history import note_purge
from jobs.logs import current_request
from jobs.requests import JobRequest, MovieRequest, parse_request
from jobs.settings import Settings
from jobs.tracing import current_traceparent

JOB_ID = re.compile(r"[0-9a-f]{32}")
TO_PURGE = f"{PREFIX}to-purge"  # jobs to be forgotten as soon as they have ended
LOOKS = 3  # for a job that answers a request: the one that was found may be deleted before it is read
MEMORY_SHARE = 0.9  # of Redis's memory, from which on it takes no new jobs


class Beat(StrEnum):
    """What a worker is told when it reports."""

    GO = "go"
    CANCEL = "cancel"  # stop, and end the job: whatever is committed, it ends as canceled
    PURGE = "purge"  # the same, and nothing that the job has made may stay
    LOST = "lost"  # another attempt holds the job, or nobody: stop, and commit nothing


@dataclass(frozen=True, slots=True)
class JobRecord:
    """A job as it stood when it was read."""

    id: str
    kind: str
    owner: str
    model: str
    digest: str
    queue: str
    request: dict[str, Any]
    fingerprint: str
    inputs: tuple[str, ...]
    status: str
    progress: float
    stage: str
    attempts: int
    deliveries: int
    execution: str
    cancel: bool
    created: datetime
    started: datetime | None
    ended: datetime | None
    expires: datetime | None
    results: dict[str, Artifact]  # by media type
    problem: Problem | None
    asked_by: str = ""  # the id of the request that made the job
    traceparent: str = ""  # of that request, where it is traced

    @property
    def ended_at_all(self) -> bool:
        """Whether the job will not change any more."""
        return self.status in TERMINAL

    @property
    def artifacts(self) -> tuple[str, ...]:
        """Every file the job uses or made."""
        return tuple(dict.fromkeys([*self.inputs, *(artifact.sha256 for artifact in self.results.values())]))

    def parsed_request(self) -> JobRequest:
        """Return what was asked, as the type that it was asked with."""
        return parse_request(self.request)

    @classmethod
    def from_hash(cls, job_id: str, raw: Mapping[bytes, bytes]) -> "JobRecord":
        """Read a record as Redis holds it."""
        fields = {key.decode(): value.decode() for key, value in raw.items()}
        problem = fields.get("problem")
        return cls(
            id=job_id,
            kind=fields["kind"],
            owner=fields["owner"],
            model=fields["model"],
            digest=fields["digest"],
            queue=fields["queue"],
            request=json.loads(fields["request"]),
            fingerprint=fields["fingerprint"],
            inputs=tuple(json.loads(fields["inputs"])),
            status=fields["status"],
            progress=float(fields["progress"]),
            stage=fields["stage"],
            attempts=int(fields["attempts"]),
            deliveries=int(fields["deliveries"]),
            execution=fields["execution"],
            cancel=fields["cancel"] == "1",
            created=_time(fields["created"]),
            started=_time(fields["started"]) if "started" in fields else None,
            ended=_time(fields["ended"]) if "ended" in fields else None,
            expires=_time(fields["expires"]) if "expires" in fields else None,
            results={
                media_type: Artifact(entry["sha256"], entry["bytes"])
                for media_type, entry in json.loads(fields.get("results", "{}")).items()
            },
            problem=Problem.from_dict(json.loads(problem)) if problem else None,
            asked_by=fields.get("asked_by", ""),
            traceparent=fields.get("traceparent", ""),
        )


class JobStore:
    """The records. Synchronous: the service calls it from its thread pool."""

    def __init__(self, redis: Redis, settings: Settings) -> None:
        self.redis = redis
        self.settings = settings
        self._scripts: dict[str, Any] = {}
        self._looked_at, self._crowded = -2.0, False

    @staticmethod
    def new_id() -> str:
        """Return an id for a job to be: 122 random bits, so knowing one is being allowed to guess no other."""
        return uuid.uuid4().hex

    # What the service does

    def create_once(
        self, job_id: str, request: JobRequest, owner: str, *, most: int | None = None, callback: str | None = None
    ) -> JobRecord:
        """Create a job, or return the one that already answers the same request of the same owner.

        `most` jobs of the owner may wait or run at once; `callback` is told of the job's end.

        Raises:
            QueueFull: the queue holds as many jobs as it may.
            TooManyJobs: the owner has as many.
            WrongValue: too many callbacks were asked of this job already.
            Unavailable: the server has hardly any memory left, and keeps that for the jobs there are; or the job was
                deleted as it was made.

        """
        self._check_memory()
        fingerprint = request.fingerprint(owner)
        fields = {
            "kind": request.kind,
            "owner": owner,
            "model": request.model,
            "digest": request.digest,
            "queue": request.waits_in,
            "request": request.model_dump_json(),
            "fingerprint": fingerprint,
            "inputs": json.dumps(request.inputs),
            "progress": "0",
            "stage": "waiting",
            "attempts": "0",
            "deliveries": "1",
            "execution": "",
            "cancel": "0",
            "asked_by": current_request(),
            "traceparent": current_traceparent(),
            "parent": request.parent if isinstance(request, MovieRequest) else "",
        }
        pairs = [part for pair in fields.items() for part in pair]
        limits = (self.settings.queue_limit, most or 0)
        asked: tuple[str | float, ...] = (job_id, fingerprint, request.waits_in, owner, *limits, callback or "", *pairs)
        for _ in range(LOOKS):
            created = self._run(transitions.CREATE, *asked)
            if created == "full":
                raise queue_full(request.waits_in, self.settings.queue_limit)
            if created == "busy":
                raise too_many_jobs(most or 0)
            if created == "crowded":
                many = transitions.MOST_CALLBACKS
                raise WrongValue.for_field("callback", f"{many} callbacks were asked of this job already")
            record = self.get(created)
            if record is not None:
                return record
            if created == job_id:
                break  # its pins went with it, and perhaps its files: it must not be made of what is left
        raise Unavailable("the job was deleted meanwhile; make the request again", headers={"Retry-After": "1"})

    def answering(self, request: JobRequest, owner: str) -> JobRecord | None:
        """Return the job that an owner's same request made last, however it stands; None where none is kept."""
        found = cast(bytes | None, self.redis.get(f"{PREFIX}fingerprint:{request.fingerprint(owner)}"))
        return self.get(found.decode()) if found else None

    def get(self, job_id: str) -> JobRecord | None:
        """Return a job as it stands, or None if it never was or has expired."""
        raw = self.redis.hgetall(f"{PREFIX}job:{job_id}")
        return JobRecord.from_hash(job_id, cast(Mapping[bytes, bytes], raw)) if raw else None

    def once_was(self, job_id: str, owner: str) -> bool:
        """Whether a job without a record is known to have been this owner's."""
        return self.redis.get(f"{PREFIX}gone:{job_id}") == owner.encode()

    def position(self, record: JobRecord) -> int | None:
        """Return the job's place in its queue, 1 for the next to run."""
        rank = self.redis.zrank(f"{PREFIX}queued:{record.queue}", record.id)
        return None if rank is None else cast(int, rank) + 1

    def queue_length(self, queue: str) -> int:
        """Return how many jobs wait in a queue."""
        return self.redis.zcard(f"{PREFIX}queued:{queue}")

    def num_active(self, owner: str) -> int:
        """Return how many of an owner's jobs wait or run."""
        return self.redis.scard(f"{PREFIX}active:{owner}")

    def memory(self) -> tuple[int, int]:
        """Return how many bytes Redis holds, and how many it may hold; 0 where nobody has said."""
        told = cast(Mapping[str, Any], self.redis.info("memory"))
        return int(told["used_memory"]), int(told.get("maxmemory", 0))

    def _check_memory(self) -> None:
        """Refuse new jobs before Redis refuses everything: jobs must be able to end, and to be deleted.

        Raises:
            Unavailable: less than a tenth of the memory is left.

        """
        if time.monotonic() > self._looked_at + 1:
            used, most = self.memory()
            self._looked_at, self._crowded = time.monotonic(), 0 < most * MEMORY_SHARE < used
        if self._crowded:
            raise Unavailable(
                "the job store is nearly full; nothing was kept, try again when jobs have expired or were deleted",
                headers={"Retry-After": "60"},
            )

    def totals(self) -> dict[str, float]:
        """Return what has been counted of jobs that ended, by the names that `jobs.transitions` gives."""
        raw = cast(Mapping[bytes, bytes], self.redis.hgetall(f"{PREFIX}totals"))
        return {name.decode(): float(value) for name, value in raw.items()}

    def pin(self, job_id: str, artifacts: Iterable[str]) -> None:
        """Say that a job uses artifacts. Done before they are published, a purge of another job cannot remove them."""
        self.pin_for(f"job:{job_id}", artifacts)

    def pin_for(self, user: str, artifacts: Iterable[str]) -> None:
        """Say that whatever lives under this key uses artifacts."""
        names = list(artifacts)
        if names:
            self._script(transitions.PIN)(args=[PREFIX, user, *names])

    def request_cancel(self, job_id: str, purge: bool = False) -> str:
        """Ask a job to stop: `canceled` (it was queued), `asked` (it runs), `again`, `finished` or `missing`."""
        return self._run(transitions.CANCEL, job_id, self.settings.result_ttl, int(purge))

    def release(self, user: str, artifacts: Iterable[str]) -> list[str]:
        """Forget a user of artifacts, such as a clip, and return those that nothing else uses."""
        return _names(self._script(transitions.RELEASE)(args=[PREFIX, user, *artifacts]))

    def unpin(self, job_id: str, artifacts: Iterable[str]) -> list[str]:
        """Say that a job uses artifacts no more, and return those that nothing else uses."""
        return _names(self._script(transitions.UNPIN)(args=[PREFIX, f"job:{job_id}", *artifacts]))

    def purge(self, record: JobRecord) -> list[str]:
        """Forget a job now and return the artifacts that no other job uses, for the caller to delete."""
        self.redis.srem(TO_PURGE, record.id)
        unused = self.abandon(record.id, record.artifacts)
        note_purge(self.redis)
        return unused

    def abandon(self, job_id: str, artifacts: Iterable[str]) -> list[str]:
        """Forget a job, also one that has no record yet, and return those of its artifacts that nothing else uses."""
        return _names(self._script(transitions.PURGE)(args=[PREFIX, job_id, *artifacts]))

    def to_purge(self) -> list[str]:
        """Return the jobs that were running when their purge was asked for."""
        return _names(self.redis.smembers(TO_PURGE))

    def forget_fingerprint(self, record: JobRecord) -> None:
        """Let the same request make a new job: this one's results have been lost."""
        self.redis.delete(f"{PREFIX}fingerprint:{record.fingerprint}")

    # What a worker does

    def begin(self, job_id: str, execution_id: str) -> JobRecord | None:
        """Start an attempt; None when there is nothing to do: canceled, ended, gone, or running elsewhere."""
        limits = (self.settings.lease_seconds, self.settings.max_attempts)
        begun = self._run(transitions.BEGIN, job_id, execution_id, *limits) != "refused"
        return self.get(job_id) if begun else None

    def beat(
        self, job_id: str, execution_id: str, progress: float | None = None, stage: str = "", picture: str = ""
    ) -> Beat:
        """Renew the lease, report progress in [0, 1] (it never falls) and the stage, and hear whether to go on.

        A picture (a `data:` URL of some kilobytes) is told with the event, where there is anything new to tell.
        """
        share = "" if progress is None else f"{min(max(progress, 0.0), 1.0):.4f}"
        said = (self.settings.lease_seconds, share, stage, picture)
        return Beat(self._run(transitions.BEAT, job_id, execution_id, *said))

    def commit(self, job_id: str, execution_id: str, results: Mapping[str, Artifact]) -> bool:
        """End the job with its results, by media type; False when this attempt lost the job, or it was canceled."""
        self.pin(job_id, [artifact.sha256 for artifact in results.values()])
        entries = {kind: {"sha256": artifact.sha256, "bytes": artifact.bytes} for kind, artifact in results.items()}
        return self._end(job_id, execution_id, "succeeded", results=json.dumps(entries)) == "succeeded"

    def fail(self, job_id: str, execution_id: str, problem: Problem) -> bool:
        """End the job with the problem that its asker reads; False when this attempt no longer holds it."""
        return self._end(job_id, execution_id, "failed", problem=problem) == "failed"

    def acknowledge_cancel(self, job_id: str, execution_id: str) -> bool:
        """End the job as canceled; False when this attempt no longer holds it."""
        return self._end(job_id, execution_id, "canceled") == "canceled"

    def _end(
        self, job_id: str, execution_id: str, status: str, results: str = "{}", problem: Problem | None = None
    ) -> str:
        return self._run(
            transitions.END,
            job_id,
            execution_id,
            self.settings.result_ttl,
            status,
            results,
            json.dumps(problem.to_dict()) if problem else "",
            "1" if problem and problem.lasting else "0",
        )

    # What the reaper does

    def take_back(self, job_id: str, execution_id: str = "*", *, orderly: bool = False) -> str:
        """Queue again what an attempt gave up (its id) or let lapse (`*`): `queued`, `failed`, `canceled` or `refused`.

        A caller that gets `queued` must hand the job to RQ again; should it die before, the reaper finds that out. An
        `orderly` end, of a worker that was told to stop, is not counted among the deaths that a job may cause.
        """
        settings = self.settings
        lost = WorkerLost(f"the worker died {settings.max_attempts} times on this job; it is not tried again")
        problem = json.dumps(lost.to_dict())
        limits = (settings.result_ttl, settings.max_attempts)
        return self._run(transitions.TAKE_BACK, job_id, execution_id, *limits, problem, int(orderly))

    def redeliver(self, record: JobRecord) -> bool:
        """Count another delivery of a queued job that its queue has lost; False when it is not so any more."""
        return bool(self._script(transitions.REDELIVER)(args=[PREFIX, record.id, record.deliveries]))

    def lapsed(self) -> list[str]:
        """Return the running jobs whose lease has run out."""
        now = self.now()
        return _names(self.redis.zrangebyscore(f"{PREFIX}running", "-inf", now))

    def queued(self, queue: str) -> list[str]:
        """Return the jobs that wait in a queue, oldest first."""
        return _names(self.redis.zrange(f"{PREFIX}queued:{queue}", 0, -1))

    def now(self) -> float:
        """Return Redis's time, the only clock that records know."""
        seconds, microseconds = self.redis.time()
        return seconds + microseconds / 1e6

    def _run(self, script: str, *arguments: str | float) -> str:
        return str(self._script(script)(args=[PREFIX, *arguments]), "utf-8")

    def _script(self, script: str) -> Any:
        if script not in self._scripts:
            self._scripts[script] = self.redis.register_script(script)
        return self._scripts[script]


def queue_full(queue: str, limit: int) -> QueueFull:
    """Return the problem of a queue that takes no more."""
    return QueueFull(
        f"{limit} jobs already wait in the {queue} queue; try again when some have run", headers={"Retry-After": "10"}
    )


def too_many_jobs(limit: int) -> TooManyJobs:
    """Return the problem of an owner who has as many jobs as may be."""
    return TooManyJobs(
        f"{limit} jobs of this key already wait or run; wait for one to end, or cancel one",
        headers={"Retry-After": "5"},
    )


def _names(members: Any) -> list[str]:
    return [str(member, "utf-8") for member in members]


def _time(stamp: str) -> datetime:
    return datetime.fromtimestamp(float(stamp), UTC)
