"""A job from the queue to its artifacts as a test has it done, by a real warm worker on a real server."""

import io

import numpy as np

from jobs.connection import connect
from worker.results import NPZ
from worker.warm import WarmWorker


def submit(bench, request, owner="asker"):
    record = bench.store.create_once(bench.store.new_id(), request, owner)
    bench.queue.deliver(record)
    return record


def work(bench, queue="batch"):
    with connect(bench.store.settings.redis_url, answer_timeout=None) as redis:
        WarmWorker(queue, redis, bench).work(burst=True, logging_level="ERROR")


def run(bench, request):
    record = submit(bench, request)
    work(bench, record.queue)
    return bench.store.get(record.id)


def read(bench, record, media_type):
    return bench.artifacts.path(record.results[media_type].sha256).read_bytes()


def arrays(bench, record):
    with np.load(io.BytesIO(read(bench, record, NPZ)), allow_pickle=False) as stored:
        return dict(stored)
