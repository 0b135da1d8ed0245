"""The life of a job, told once: taken, worked on, and ended in one of the ways that a job can end.

RQ calls `run_job` and nothing else. It never raises for what an asker did, and what is ours to mend is logged whole and
shown as "internal error".
"""

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from contextvars import ContextVar
from dataclasses import dataclass, field

import structlog
from redis.exceptions import RedisError
from rq.timeouts import JobTimeoutException
from structlog.contextvars import bound_contextvars

from jobs.artifacts import Artifact, ArtifactStore, ArtifactWriter
from jobs.errors import GpuOutOfMemory, InternalError, JobTimeout, Problem
from jobs.queue import JobQueue
from jobs.records import JobStore
from jobs.requests import INTERACTIVE, JobRequest, MovieRequest, TrainRequest
from worker.attempt import Attempt, Stopped, Why
from worker.kinds import Tools, film, perform
from worker.meter import measured
from worker.results import Maker
from worker.shelf import Shelf
from worker.telling import telling

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Bench:
    """What a worker has at hand for every job, made once when it starts."""

    store: JobStore
    queue: JobQueue
    artifacts: ArtifactStore
    shelf: Shelf
    tools: Tools
    attempt: Attempt | None = None  # the job in hand; the heartbeat thread looks here
    poisoned: bool = field(default=False)  # the GPU may be unusable from here: end after this job, for a fresh context

    def close(self) -> None:
        """End the decoder that waits, and the connections."""
        self.tools.decoder.close()
        self.store.redis.close()


BENCH: ContextVar[Bench] = ContextVar("BENCH")


def run_job(job_id: str) -> None:
    """Do one job, whatever it is."""
    bench = BENCH.get()
    attempt = Attempt.begin(bench.store, job_id)
    if attempt is None:
        log.info("nothing to do", job=job_id)
        return
    bench.attempt, record = attempt, attempt.record
    with bound_contextvars(job=record.id, request=record.asked_by):
        try:
            with telling(bench.store.redis, record):
                _attempt(bench, attempt)
        except (SystemExit, KeyboardInterrupt):
            _hand_back(bench, attempt)  # told to stop at once: another worker shall do it
            raise
        finally:
            bench.attempt = None
            if record.queue != INTERACTIVE:
                bench.tools.decoder.prepare()


def _attempt(bench: Bench, attempt: Attempt) -> None:
    record = attempt.record
    logger = log.bind(kind=record.kind, attempt=record.attempts)
    try:
        with ExitStack() as written:
            results = _work(bench, attempt, written)
            with measured("result"):
                # What other jobs have made alike is theirs to purge: it must be pinned before it is published.
                attempt.pin([writer.sha256 for writer in results.values()])
                made = {media_type: writer.publish() for media_type, writer in results.items()}
                ended = attempt.commit(made)
        if not ended:
            _discard(bench, attempt, made)
        logger.info("succeeded" if ended else "refused: canceled, or held by another attempt")
    except Stopped as stopped:
        if stopped.why is not Why.LOST:
            attempt.acknowledge_cancel()
        logger.info("stopped", why=str(stopped.why))
    except Problem as problem:
        bench.poisoned |= isinstance(problem, GpuOutOfMemory)
        attempt.fail(problem)
        logger.info("failed", problem=problem.slug, detail=problem.detail)
    except JobTimeoutException:
        seconds = bench.store.settings.timeout_of(record.queue)
        attempt.fail(JobTimeout(f"the job took longer than {seconds} s: choose a shorter part of the clip"))
        logger.warning("timed out", seconds=seconds)
    except RedisError:
        raise  # nobody can be told; the lease runs out, and another attempt is made
    except Exception:  # the worker's edge: whatever it was, the next job is not to suffer for it
        logger.exception("internal error")
        # A CUDA error that sticks would fail every job from here on, within milliseconds, and empty the queue.
        bench.poisoned |= bench.shelf.device != "cpu"
        attempt.fail(InternalError("internal error; the server's log says more"))


def _work(bench: Bench, attempt: Attempt, written: ExitStack) -> dict[str, ArtifactWriter]:
    """Return the result's representations by media type, written and not yet visible."""
    attempt.report("loading", 0.0)
    results = {}
    for media_type, make in _makers(bench, attempt, attempt.record.parsed_request()):
        attempt.report("rendering", 0.92)
        with measured("render"):
            content = make()
        with measured("result"):
            results[media_type] = written.enter_context(bench.artifacts.writer())
            results[media_type].write(content)
    return results


def _discard(bench: Bench, attempt: Attempt, made: Mapping[str, Artifact]) -> None:
    """Delete what was published of a job that was canceled in that moment; another attempt's is the same, and stays."""
    now = bench.store.get(attempt.record.id)
    if now is not None and now.status == "canceled":
        bench.artifacts.delete_all(bench.store.unpin(now.id, [artifact.sha256 for artifact in made.values()]))


def _makers(bench: Bench, attempt: Attempt, request: JobRequest) -> Iterable[tuple[str, Maker]]:
    """Do what is asked, up to the representations of what came out."""
    record = attempt.record
    match request:
        case TrainRequest():
            from worker.learn import learn  # and with it the training room, which the other queues do without

            return learn(request, bench.tools, attempt.report, again=record.attempts > 1)
        case MovieRequest():
            return film(request, bench.tools, attempt.report)
        case _:
            with measured("load"):
                loaded = bench.shelf.take(record.model, record.digest)
            return perform(request, loaded, bench.tools, attempt.report)


def _hand_back(bench: Bench, attempt: Attempt) -> None:
    if attempt.give_back() == "queued" and (record := bench.store.get(attempt.record.id)):
        bench.queue.deliver(record)
        log.info("handed back", job=record.id)
