"""`python -m worker --queue batch`: one warm worker. `worker.supervisor` starts these and looks after them."""

import argparse
import logging
import os
import secrets
import signal
import socket
import sys
from collections.abc import Sequence

import structlog
import torch

from jobs.connection import connect
from jobs.errors import ConfigurationError, UnknownModel
from jobs.logs import configure_logs
from jobs.queue import JobQueue
from jobs.records import JobStore
from jobs.requests import INTERACTIVE, QUEUES, TRAINING
from jobs.settings import Settings, read_settings
from jobs.stores import artifact_store
from jobs.sweeper import sweep_unfinished
from jobs.tracing import configure_tracing, end_tracing
from models.checkpoint import CheckpointError
from worker.kinds import Tools
from worker.media import Decoder
from worker.private import keep_memory_private
from worker.shelf import Shelf
from worker.supervisor import EXIT_CONFIGURATION
from worker.tasks import Bench
from worker.warm import Pulse, WarmWorker

BUCKET_PATIENCE = 30.0  # seconds that a job waits for a bucket that does not answer
log = structlog.get_logger("worker")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one worker until it is told to stop; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m worker", description=__doc__)
    parser.add_argument("--queue", choices=QUEUES, required=True, help="the queue to take jobs from")
    parser.add_argument("--pulse", type=int, help="file descriptor of the supervisor's pipe")
    parser.add_argument("--burst", action="store_true", help="end when the queue is empty")
    chosen = parser.parse_args(arguments)
    keep_memory_private()
    try:
        settings = read_settings()
        configure_logs(settings)
        logging.getLogger("rq.worker").addFilter(lambda record: not _tells_of_our_stop(record))
        torch.set_num_threads(threads_for(chosen.queue, settings))
        if chosen.queue == TRAINING:
            os.nice(5)  # it takes what those who wait for an answer leave
        configure_tracing(settings, "worker")
        bench = lay_out(settings, decoding=chosen.queue != INTERACTIVE)
    except ConfigurationError as error:
        print(f"worker: {error}", file=sys.stderr, flush=True)
        return EXIT_CONFIGURATION
    assert settings.redis_url is not None, "lay_out refuses to go on without an address"
    redis = connect(settings.redis_url, answer_timeout=None)
    worker = WarmWorker(chosen.queue, redis, bench, Pulse(chosen.pulse), name=own_name(chosen.queue))
    log.info("warm", queue=chosen.queue, models=sorted(bench.shelf.loaded), device=bench.shelf.device)
    worker.work(burst=chosen.burst, logging_level="WARNING")
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # what RQ set up means nothing after its loop
    bench.close()
    end_tracing()
    return 0


def lay_out(settings: Settings, decoding: bool = True) -> Bench:
    """Load the default model and gather what every job needs.

    Raises:
        ConfigurationError: there is no Redis address, no such device, no default model, it cannot be loaded, or
            the settings name a bucket that cannot be used.

    """
    if settings.redis_url is None:
        raise ConfigurationError("TWOFOLD_REDIS_URL is not set: a worker needs the Redis that its jobs come from")
    shelf = Shelf(settings)
    try:
        shelf.load(shelf.catalogue.find(None))
    except (UnknownModel, CheckpointError) as error:
        raise ConfigurationError(f"the default model cannot be served: {error}") from error
    redis = connect(settings.redis_url)
    store = JobStore(redis, settings)
    artifacts = artifact_store(settings, BUCKET_PATIENCE)
    sweep_unfinished(artifacts)  # the API does so for a folder that is also its own
    decoder = Decoder()
    if decoding:
        decoder.prepare()
    tools = Tools(decoder, artifacts.open, shelf.device, settings)
    return Bench(store, JobQueue(redis, settings), artifacts, shelf, tools)


def _tells_of_our_stop(record: logging.LogRecord) -> bool:
    """Whether RQ took being told to stop for a failure of its job: the job is handed back, and that is said already."""
    return record.getMessage().rstrip().endswith("\nSystemExit")


def own_name(queue: str) -> str:
    """Return a name that says where the worker is, and that no worker ever had, not even one of this process id."""
    return f"{socket.gethostname()}.{queue}.{os.getpid()}.{secrets.token_hex(4)}"


def threads_for(queue: str, settings: Settings) -> int:
    """Return how many threads the network may use: video as many as there are cores but one, for latent queries one."""
    if settings.worker_threads is not None:
        return settings.worker_threads
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores - 1) if queue != INTERACTIVE else 1


if __name__ == "__main__":
    sys.exit(main())
