"""The warm worker: an RQ worker that keeps its models loaded, one queue a process.

RQ's default worker forks for every job, which would load the model each time and cannot use CUDA after a fork; its
`SimpleWorker` runs jobs in its own process, and then knows neither heartbeat nor cancel nor hard timeout. The heartbeat
thread here gives the first two, and the supervisor, who listens to the pulse, the third.
"""

import json
import os
import threading
import time
from dataclasses import dataclass
from typing import Any

import structlog
from redis import Redis
from redis.exceptions import RedisError
from rq import Queue, SimpleWorker
from rq.executions import Execution
from rq.job import Job
from rq.serializers import JSONSerializer

from jobs.queue import OnlyOurJob, rq_queue
from jobs.workers import WarmWorker as Announcement
from jobs.workers import announce, withdraw
from worker.attempt import Why
from worker.meter import memory
from worker.shelf import gpu_memory
from worker.tasks import BENCH, Bench

log = structlog.get_logger(__name__)

BEAT_EVERY = 1.0  # seconds between two beats: so soon a running job hears that it is canceled
RQ_BEAT_EVERY = 10.0  # seconds between two renewals of what RQ knows of us
ANNOUNCED_FOR = 15.0  # seconds after which a worker that went silent is no longer taken for warm
# Seconds from which RQ takes both of its times: it waits 15 less for a job, and 5 less for an answer of Redis. By
# default these are minutes, in which a connection that leads nowhere would hold up heartbeats and the next job.
RQ_PATIENCE = 25


@dataclass(slots=True)
class Pulse:
    """The line to the supervisor: one short JSON object a beat, on an inherited pipe. None without a supervisor."""

    fd: int | None = None

    def send(self, **said: Any) -> None:
        """Tell the supervisor how we are; it may be gone, and then the kernel ends us soon."""
        if self.fd is not None:
            try:
                os.write(self.fd, json.dumps(said).encode() + b"\n")
            except OSError:
                self.fd = None


class WarmWorker(SimpleWorker):
    """Takes jobs from one queue (so that RQ moves them reliably) and runs them with what lies on its bench."""

    # Seconds between two looks for a Redis that was gone, at most. RQ's own minute would leave a worker idle that the
    # heartbeat thread announces as warm as soon as Redis is back.
    max_connection_wait_time = 5.0

    def __init__(self, queue: str, redis: Redis, bench: Bench, pulse: Pulse | None = None, **options: Any) -> None:
        super().__init__(
            [rq_queue(queue, redis)],
            connection=redis,
            job_class=OnlyOurJob,
            serializer=JSONSerializer,
            job_monitoring_interval=int(RQ_BEAT_EVERY),
            log_job_description=False,
            worker_ttl=RQ_PATIENCE,
            **options,
        )
        self.queue_name = queue
        self.bench = bench
        self.pulse = pulse or Pulse()
        self.running: tuple[Job, Execution] | None = None
        self._ended = threading.Event()
        self._heart = threading.Thread(target=self._beat_until_end, name="heartbeat", daemon=True)
        self._pulsing = threading.Thread(target=self._pulse_until_end, name="pulse", daemon=True)

    def work(self, *arguments: Any, **options: Any) -> bool:
        """Announce that we are warm, keep saying so, and work until told to stop."""
        token = BENCH.set(self.bench)
        self._heart.start()
        self._pulsing.start()
        try:
            return bool(super().work(*arguments, **options))
        finally:
            self._ended.set()
            self._heart.join(timeout=5)
            self._pulsing.join(timeout=5)
            BENCH.reset(token)
            try:
                withdraw(self.bench.store.redis, self.name)
            except RedisError as error:
                log.warning("could not say goodbye", error=str(error))

    def execute_job(self, job: Job, queue: Queue) -> None:
        """Run a job here, not in a fork."""
        execution = self.prepare_execution(job)
        self.running = (job, execution)
        try:
            self.perform_job(job, queue, execution)
        finally:
            self.running = None
            self._send_pulse()
        self.set_state("idle")
        if self.bench.poisoned:
            # An exhausted CUDA context may be broken for good; the supervisor starts a fresh process.
            self._stop_requested = True

    def get_heartbeat_ttl(self, job: Job, working_time: float = 0.0) -> int:
        """Return how long RQ believes in a silent us: the lease, not the job's whole timeout."""
        return round(self.bench.store.settings.lease_seconds)

    def kill_horse(self, sig: Any = None) -> None:
        """Cancel the job in hand: what RQ's stop command comes to where no process can be killed."""
        attempt = self.bench.attempt
        if attempt is not None:
            attempt.stop(Why.CANCELED)

    def _pulse_until_end(self) -> None:
        """Tell the supervisor that this process runs and its heart beats, apart from the beats: they wait for Redis.

        A job that hangs has a pulse too; how long it has been running is part of it, and the supervisor's to judge.
        """
        while not self._ended.is_set() and self._heart.is_alive():
            self._send_pulse()
            self._ended.wait(BEAT_EVERY)

    def _beat_until_end(self) -> None:
        told_rq = told_all = 0.0
        while not self._ended.is_set():
            now = time.monotonic()
            attempt = self.bench.attempt
            if attempt is not None:
                attempt.beat()
            try:
                if now - told_all >= ANNOUNCED_FOR / 5:
                    told_all = now
                    self._announce()
                running = self.running
                if running is not None and now - told_rq >= RQ_BEAT_EVERY:
                    told_rq = now
                    self.maintain_heartbeats(*running)
            except RedisError as error:
                log.warning("Redis does not answer", error=str(error))
            self._ended.wait(BEAT_EVERY)

    def _announce(self) -> None:
        shelf = self.bench.shelf
        announce(
            self.bench.store.redis,
            Announcement(
                name=self.name,
                queue=self.queue_name,
                device=shelf.device,
                models=shelf.loaded,
                memory=memory(),
                gpu_memory=gpu_memory(),
            ),
            ANNOUNCED_FOR,
        )

    def _send_pulse(self) -> None:
        attempt = self.bench.attempt
        if attempt is None:
            self.pulse.send(job=None)
        else:
            self.pulse.send(
                job=attempt.record.id, execution=attempt.execution, seconds=time.monotonic() - attempt.since
            )
