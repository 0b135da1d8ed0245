"""The way of a job's id from the service to a worker, through RQ.

An RQ job carries one string, our job's id, as JSON, and `OnlyOurJob` refuses to run anything but our one function:
whoever can write to Redis could otherwise name any importable callable. Each delivery of a job is an RQ job of its own
(`<id>-<delivery>`), so that a job taken back from a dead worker meets no leftovers of its first delivery.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from redis import Redis
from rq import Queue
from rq.exceptions import DuplicateJobError
from rq.job import Job
from rq.serializers import JSONSerializer

from jobs.events import PREFIX
from jobs.records import JobRecord, JobStore
from jobs.requests import QUEUES
from jobs.settings import Settings

RUN_JOB = "worker.tasks.run_job"
KEPT = 3600  # seconds that RQ's own leftovers of a job are kept, for an operator's eyes
LOST_AFTER = 15.0  # seconds that a queued job may be in no list of RQ's: popped, and not begun


class RefusedFunction(Exception):
    """A job in Redis names something that is not ours to run."""


class OnlyOurJob(Job):
    """An RQ job that can do one thing: run a Twofold job by its id."""

    @property
    def func(self) -> Any:
        """Return our function, after looking at everything that the stored job could smuggle."""
        ours = self.func_name == RUN_JOB and self.instance is None and not self.kwargs
        if not ours or len(self.args) != 1 or not isinstance(self.args[0], str):
            raise RefusedFunction(
                f"refused to run {self.func_name!r:.80}: a worker runs {RUN_JOB} with one job id, and nothing else"
            )
        return super().func

    def restore(self, raw_data: Any) -> Any:
        """Read a stored job, without the callbacks and web requests that somebody may have written into it."""
        answer = super().restore(raw_data)
        self.webhooks = []
        self._success_callback_name = self._failure_callback_name = self._stopped_callback_name = None
        self._stopped_callback = None
        return answer


def rq_queue(name: str, redis: Redis) -> Queue:
    """Return the RQ queue of this name, as service, worker and reaper all see it."""
    return Queue(f"twofold-{name}", connection=redis, job_class=OnlyOurJob, serializer=JSONSerializer)


class JobQueue:
    """Delivers jobs to workers, and finds those that got lost on the way."""

    def __init__(self, redis: Redis, settings: Settings) -> None:
        self.redis = redis
        self.settings = settings
        self.queues = {name: rq_queue(name, redis) for name in QUEUES}

    def deliver(self, record: JobRecord) -> None:
        """Put the job's current delivery into its queue; doing so twice delivers once."""
        try:
            self.queues[record.queue].enqueue_call(
                RUN_JOB,
                args=(record.id,),
                job_id=delivery_id(record),
                unique=True,
                timeout=self.settings.timeout_of(record.queue),
                result_ttl=KEPT,
                failure_ttl=KEPT,
                description=f"{record.kind} {record.id}",
            )
        except DuplicateJobError:
            return

    def withdraw(self, record: JobRecord) -> None:
        """Take a canceled job out of its queue, so that no worker need look at it."""
        queue = self.queues[record.queue]
        queue.remove(delivery_id(record))
        self.redis.delete(OnlyOurJob.key_for(delivery_id(record)))

    def waiting(self, record: JobRecord) -> bool:
        """Whether the job's current delivery is still in its queue."""
        return self.redis.lpos(self.queues[record.queue].key, delivery_id(record)) is not None

    def forget_popped(self, record: JobRecord) -> None:
        """Remove a delivery that a worker popped and died with."""
        self.redis.lrem(self.queues[record.queue].intermediate_queue_key, 0, delivery_id(record))
        self.redis.delete(OnlyOurJob.key_for(delivery_id(record)))


def delivery_id(record: JobRecord) -> str:
    """Return the RQ id of the job's current delivery."""
    return f"{record.id}-{record.deliveries}"


def reap(store: JobStore, queue: JobQueue) -> list[str]:
    """Take back what dead workers held and deliver again what got lost; return the ids of the jobs that were moved.

    Called every few seconds by whoever supervises workers, and by the service. Calls may overlap: each step is atomic.
    """
    moved = []
    for job_id in store.lapsed():
        outcome = store.take_back(job_id)
        if outcome == "queued" and (record := store.get(job_id)):
            queue.deliver(record)
        if outcome != "refused":
            moved.append(job_id)
    return moved + [record.id for name in QUEUES for record in _redeliver_missing(store, queue, name)]


def _redeliver_missing(store: JobStore, queue: JobQueue, name: str) -> Iterator[JobRecord]:
    """Deliver again the queued jobs that two looks, some seconds apart, found in no list of RQ's."""
    missing_key = f"{PREFIX}missing"
    for job_id in store.queued(name):
        record = store.get(job_id)
        if record is None:
            store.redis.zrem(f"{PREFIX}queued:{name}", job_id)
            continue
        if queue.waiting(record):
            store.redis.zrem(missing_key, job_id)
            continue
        now = store.now()
        store.redis.zadd(missing_key, {job_id: now}, nx=True)
        first_seen = store.redis.zscore(missing_key, job_id)
        if first_seen is not None and now - first_seen >= LOST_AFTER and store.redeliver(record):
            queue.forget_popped(record)
            again = store.get(job_id)
            if again is not None:
                queue.deliver(again)
                yield again


@contextmanager
def only_one(redis: Redis, name: str, seconds: float) -> Iterator[bool]:
    """Say whether this process is the one to do a periodic chore now; the others skip their turn."""
    yield bool(redis.set(f"{PREFIX}chore:{name}", time.time(), nx=True, px=round(seconds * 1000)))
