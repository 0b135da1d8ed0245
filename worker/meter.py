"""How long each step of a job takes and how many frames it moves, measured where the work is done.

The functions that work know neither queue nor metrics: they wrap a step in `measured`, and where an attempt has laid
out a meter, it counts. `twofold --local` has none. Never imports torch: the side that decodes has no use for it.
"""

import resource
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from jobs.measures import Work

Item = TypeVar("Item")


@dataclass(slots=True)
class Step:
    """A step of one job, which may come in many pieces."""

    began: float  # Unix time in seconds, of the first piece
    ended: float  # of the last
    seconds: float = 0.0  # of all pieces together
    frames: int = 0


@dataclass(slots=True)
class Meter:
    """The steps of one attempt, by name, in the order in which they began."""

    steps: dict[str, Step] = field(default_factory=dict)
    batches: Counter[int] = field(default_factory=Counter)
    decoded: int = 0  # frames
    decoding: float = 0.0  # seconds that the decoder's process took for them

    def add(self, name: str, began: float, seconds: float, frames: int = 0) -> None:
        """Count one piece of a step."""
        step = self.steps.setdefault(name, Step(began, began))
        step.ended = began + seconds
        step.seconds += seconds
        step.frames += frames

    def work(self) -> Work:
        """Return what is added up over all jobs."""
        work = Work(stages={name: step.seconds for name, step in self.steps.items()}, batches=self.batches)
        if forward := self.steps.get("forward"):
            work.frames["forward"], work.busy["forward"] = forward.frames, forward.seconds
        if self.decoded:
            work.frames["decode"], work.busy["decode"] = self.decoded, self.decoding
        return work


METER: ContextVar[Meter | None] = ContextVar("METER", default=None)


@contextmanager
def metering() -> Iterator[Meter]:
    """Lay out a meter for what is done in the block."""
    meter = Meter()
    token = METER.set(meter)
    try:
        yield meter
    finally:
        METER.reset(token)


@contextmanager
def measured(step: str, frames: int = 0, batch: bool = False) -> Iterator[None]:
    """Measure a piece of a step; `batch` says that it is one call of the network."""
    meter = METER.get()
    if meter is None:
        yield
        return
    began, clock = time.time(), time.perf_counter()
    try:
        yield
    finally:
        meter.add(step, began, time.perf_counter() - clock, frames)
        if batch:
            meter.batches[frames] += 1


def measured_each(step: str, items: Iterable[Item]) -> Iterator[Item]:
    """Give the items, measuring how long one waits for each."""
    waiting = iter(items)
    while True:
        with measured(step):
            try:
                item = next(waiting)
            except StopIteration:
                return
        yield item


def count_decoded(frames: int, seconds: float) -> None:
    """Count frames of the decoder's process, and the seconds that it says it took for them."""
    meter = METER.get()
    if meter is not None:
        meter.decoded += frames
        meter.decoding += seconds


def memory() -> int:
    """Return the bytes of memory that this process holds now (where the system tells only the most, that)."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    except OSError:
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024
