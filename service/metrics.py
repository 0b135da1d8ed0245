"""What `/metrics` tells, in Prometheus' form: this process's answers, and the queue, jobs and work that all share.

Jobs are counted in Redis by the step that ends them (`jobs/transitions.py`), and what they cost by the worker that did
them (`jobs/measures.py`), so any API process tells the same, and restarts lose nothing.
"""

import time
from collections import defaultdict
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jobs.callbacks import OUTBOX
from jobs.events import PREFIX
from jobs.measures import BATCHES, STAGE_SECONDS, read_work
from jobs.records import JobStore
from jobs.requests import QUEUES
from jobs.transitions import SECONDS
from jobs.workers import announced

METHODS = frozenset({"GET", "HEAD", "POST", "DELETE", "OPTIONS"})


class Metrics:
    """The metrics of one process."""

    def __init__(self, store: JobStore) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(JobsCollector(store))
        ProcessCollector(namespace="twofold_service", registry=self.registry)
        labels = ("method", "path")
        self.answers = Counter(
            "twofold_http_answers", "Answers of this process.", (*labels, "status"), registry=self.registry
        )
        self.problems = Counter(
            "twofold_http_problems", "Problems that this process answered with.", ("problem",), registry=self.registry
        )
        self.seconds = Histogram(
            "twofold_http_answer_seconds", "From a request to its answer's head.", labels, registry=self.registry
        )

    def text(self) -> bytes:
        """Return everything in Prometheus' text form. Blocking; a RedisError when the queue cannot be asked."""
        return generate_latest(self.registry)


class Counting:
    """The outermost middleware: counts each answer by its route, so that no asker's ids become labels."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, answered = time.perf_counter(), False

        async def sending(message: Message) -> None:
            nonlocal answered
            if message["type"] == "http.response.start" and not answered:
                answered = True
                self._count(scope, message["status"], time.perf_counter() - began)
            await send(message)

        try:
            await self.app(scope, receive, sending)
        finally:
            if not answered:  # a failure of ours, which is answered farther out
                self._count(scope, 500, time.perf_counter() - began)

    def _count(self, scope: Scope, status: int, seconds: float) -> None:
        method = scope["method"] if scope["method"] in METHODS else "other"
        path = str(getattr(scope.get("route"), "path", "none"))  # none: refused at the door, or no such path
        self.metrics.answers.labels(method, path, status).inc()
        self.metrics.seconds.labels(method, path).observe(seconds)
        if problem := scope.get("problem"):
            self.metrics.problems.labels(problem).inc()


class JobsCollector(Collector):
    """The queue and the jobs, read from Redis when they are asked for."""

    def __init__(self, store: JobStore) -> None:
        self.store = store

    def describe(self) -> list[Metric]:
        """Say nothing in advance: registering must not need Redis."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Read everything."""
        yield from self._queues()
        yield from self._workers()
        yield from self._totals()
        yield from self._work()

    def _queues(self) -> Iterator[Metric]:
        redis, now = self.store.redis, self.store.now()
        depth = GaugeMetricFamily("twofold_queue_jobs", "Jobs that wait.", labels=["queue"])
        age = GaugeMetricFamily("twofold_queue_oldest_seconds", "How long the oldest one waits.", labels=["queue"])
        for queue in QUEUES:
            oldest = redis.zrange(f"{PREFIX}queued:{queue}", 0, 0, withscores=True)
            depth.add_metric([queue], self.store.queue_length(queue))
            age.add_metric([queue], max(0.0, now - float(oldest[0][1])) if oldest else 0.0)
        running = redis.zcard(f"{PREFIX}running")
        yield depth
        yield age
        yield GaugeMetricFamily("twofold_running_jobs", "Jobs in workers' hands.", value=running)
        used, most = self.store.memory()
        yield GaugeMetricFamily("twofold_queue_memory_bytes", "Memory that the job store holds.", value=used)
        yield GaugeMetricFamily("twofold_queue_memory_max_bytes", "Memory that it may hold; 0: any.", value=most)
        yield GaugeMetricFamily("twofold_callbacks_waiting", "Callbacks still to be told.", value=redis.zcard(OUTBOX))

    def _workers(self) -> Iterator[Metric]:
        warm, said = announced(self.store.redis), ("worker", "queue")
        workers = GaugeMetricFamily("twofold_workers", "Warm workers.", labels=["queue", "device"])
        loaded = GaugeMetricFamily("twofold_models_loaded", "Workers that hold a model.", labels=["model"])
        for queue, device in sorted({(worker.queue, worker.device) for worker in warm}):
            same = sum((worker.queue, worker.device) == (queue, device) for worker in warm)
            workers.add_metric([queue, device], same)
        for model in sorted({name for worker in warm for name in worker.models}):
            loaded.add_metric([model], sum(model in worker.models for worker in warm))
        memory = GaugeMetricFamily("twofold_worker_memory_bytes", "Memory of a worker's process.", labels=said)
        gpu = GaugeMetricFamily("twofold_worker_gpu_memory_bytes", "What it has reserved of its GPU's.", labels=said)
        for worker in warm:
            memory.add_metric([worker.name, worker.queue], worker.memory)
            if worker.device != "cpu":
                gpu.add_metric([worker.name, worker.queue], worker.gpu_memory)
        yield workers
        yield loaded
        yield memory
        yield gpu

    def _totals(self) -> Iterator[Metric]:
        ended = CounterMetricFamily("twofold_jobs_ended", "Jobs that have ended.", labels=["kind", "status", "problem"])
        buckets: dict[str, dict[str, float]] = defaultdict(dict)
        sums: dict[str, float] = {}
        for name, value in self.store.totals().items():
            what, kind, *rest = name.split(" ")
            if what == "ended":
                ended.add_metric([kind, *rest], value)
            elif what == "bucket":
                buckets[kind][rest[0]] = value
            else:
                sums[kind] = value
        seconds = HistogramMetricFamily("twofold_job_seconds", "From a job's last start to its end.", labels=["kind"])
        for kind, counts in sorted(buckets.items()):
            total, rising = 0.0, []
            for bound in (*(f"{one:g}" for one in SECONDS), "+Inf"):
                total += counts.get(bound, 0.0)
                rising.append((bound, total))
            seconds.add_metric([kind], rising, sums.get(kind, 0.0))
        yield ended
        yield seconds

    def _work(self) -> Iterator[Metric]:
        work = read_work(self.store.redis)
        stages = HistogramMetricFamily(
            "twofold_stage_seconds", "What one job takes in each of its stages.", labels=["kind", "stage"]
        )
        for (kind, stage), seconds in sorted(work.stages.items()):
            stages.add_metric([kind, stage], seconds.rising(STAGE_SECONDS), seconds.sum)
        yield stages
        batches = HistogramMetricFamily("twofold_batch_frames", "Frames of one call of a network.")
        batches.add_metric([], work.batches.rising(BATCHES), work.batches.sum)
        yield batches
        told = {"decode": "by decoders", "forward": "through networks"}
        for what, how in told.items():
            frames = CounterMetricFamily(f"twofold_{what}_frames", f"Frames that went {how}.")
            frames.add_metric([], work.frames.get(what, 0.0))
            yield frames
            busy = CounterMetricFamily(f"twofold_{what}_seconds", f"Seconds that frames took {how}.")
            busy.add_metric([], work.busy.get(what, 0.0))
            yield busy
