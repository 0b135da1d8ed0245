"""What an attempt tells operators when it is over: its cost, for `/metrics`, and its steps, for traces."""

from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from redis import Redis
from redis.exceptions import RedisError

from jobs.measures import add_work
from jobs.records import JobRecord
from jobs.tracing import record_span, spanning
from worker.meter import metering

log = structlog.get_logger(__name__)


@contextmanager
def telling(redis: Redis, record: JobRecord) -> Iterator[None]:
    """Measure what is done in the block for a job, and tell it, however it ends.

    In a trace each step is one span from its first piece to its last: while one chunk of a clip is in the network, the
    next is being decoded, so steps overlap.
    """
    if record.started is not None:
        waiting = record.created.timestamp(), record.started.timestamp()
        record_span("queue wait", record.traceparent, *waiting, queue=record.queue, attempt=record.attempts)
    with (
        spanning(record.kind, record.traceparent, job=record.id, model=record.model, attempt=record.attempts) as span,
        metering() as meter,
    ):
        try:
            yield
        finally:
            for name, step in meter.steps.items():
                record_span(name, span.traceparent, step.began, step.ended, seconds=step.seconds, frames=step.frames)
            try:
                add_work(redis, record.kind, meter.work())
            except RedisError as error:
                log.warning("what the job cost is not counted", error=str(error))
