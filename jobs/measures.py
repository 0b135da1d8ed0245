"""What work costs: seconds by stage, frames decoded and run, sizes of batches, summed in Redis for `/metrics`.

Workers have no port that Prometheus could ask, and come and go; what they add here any API process tells.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from redis import Redis

from jobs.events import PREFIX
from jobs.transitions import SECONDS

WORK = f"{PREFIX}work"
STAGE_SECONDS = (0.01, 0.025, 0.05, *SECONDS)  # buckets of a stage's seconds in one job
BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)  # buckets of the frames of one call of the network
INFINITE = "+Inf"


@dataclass(slots=True)
class Work:
    """What has been done: of one attempt on its way to Redis, or of all of them on its way to Prometheus."""

    stages: dict[str, float] = field(default_factory=dict)  # seconds, by stage
    frames: dict[str, int] = field(default_factory=dict)  # of "decode" and "forward"
    busy: dict[str, float] = field(default_factory=dict)  # seconds that these took
    batches: Counter[int] = field(default_factory=Counter)  # calls of the network, by their frames


@dataclass(slots=True)
class Histogram:
    """Counts by bucket, not rising, and the sum of what was counted."""

    counts: Counter[str] = field(default_factory=Counter)
    sum: float = 0.0

    def rising(self, bounds: tuple[float, ...]) -> list[tuple[str, float]]:
        """Return the buckets as Prometheus wants them: each with all below it."""
        total, told = 0, []
        for bound in (*(f"{one:g}" for one in bounds), INFINITE):
            total += self.counts[bound]
            told.append((bound, float(total)))
        return told


@dataclass(slots=True)
class AllWork:
    """Everything that was ever added."""

    stages: dict[tuple[str, str], Histogram] = field(default_factory=dict)  # seconds, by kind and stage
    batches: Histogram = field(default_factory=Histogram)
    frames: dict[str, float] = field(default_factory=dict)
    busy: dict[str, float] = field(default_factory=dict)


def add_work(redis: Redis, kind: str, work: Work) -> None:
    """Add what one attempt at a job of this kind has cost."""
    with redis.pipeline() as pipeline:
        for stage, seconds in work.stages.items():
            pipeline.hincrby(WORK, f"stage {kind} {stage} {_bucket(STAGE_SECONDS, seconds)}", 1)
            pipeline.hincrbyfloat(WORK, f"stage_sum {kind} {stage}", round(seconds, 6))
        for size, calls in work.batches.items():
            pipeline.hincrby(WORK, f"batch {_bucket(BATCHES, size)}", calls)
            pipeline.hincrby(WORK, "batch_sum", size * calls)
        for what, frames in work.frames.items():
            pipeline.hincrby(WORK, f"frames {what}", frames)
        for what, seconds in work.busy.items():
            pipeline.hincrbyfloat(WORK, f"busy {what}", round(seconds, 6))
        pipeline.execute()


def read_work(redis: Redis) -> AllWork:
    """Return the sums."""
    raw = cast(Mapping[bytes, bytes], redis.hgetall(WORK))
    told = AllWork()
    for name, value in raw.items():
        match name.decode().split(" "):
            case ["stage", kind, stage, bucket]:
                told.stages.setdefault((kind, stage), Histogram()).counts[bucket] = int(value)
            case ["stage_sum", kind, stage]:
                told.stages.setdefault((kind, stage), Histogram()).sum = float(value)
            case ["batch", bucket]:
                told.batches.counts[bucket] = int(value)
            case ["batch_sum"]:
                told.batches.sum = float(value)
            case ["frames", what]:
                told.frames[what] = float(value)
            case ["busy", what]:
                told.busy[what] = float(value)
    return told


def _bucket(bounds: tuple[Any, ...], value: float) -> str:
    at = bisect_left(bounds, value)
    return f"{bounds[at]:g}" if at < len(bounds) else INFINITE
