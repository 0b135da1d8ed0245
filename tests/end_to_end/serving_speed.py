"""How fast clips are encoded by the whole system, written into docs/results.md: `make serving-speed`.

By its name no part of the suite, in which other tests have the cores: a figure is written when somebody means to.
"""

import os
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import httpx
import pytest
import torch

from models.checkpoint import write_atomically
from tests.end_to_end.running import command_of, descendants, whole_system
from training.report import hardware, replace_between

PAGE = Path(__file__).parents[2] / "docs" / "results.md"
CLIP = Path(__file__).parents[2] / "service" / "web" / "samples" / "face_1.mp4"
BEGIN, END = "<!-- serving speed -->", "<!-- /serving speed -->"
ASKED, AT_ONCE, MOVIES = 60, 4, 10
TICK = os.sysconf("SC_CLK_TCK")
pytestmark = pytest.mark.timeout(600)


def seconds_of_cpu(system):
    """What each kind of process of a system has used, with the children that it has buried."""
    used = dict.fromkeys(("worker", "decoder", "serve"), 0.0)
    for pid in descendants(system.process.pid):
        command = command_of(pid)
        kind = "decoder" if "worker.decoder" in command else "worker" if "-m worker" in command else "serve"
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has just ended
        used[kind] += sum(map(int, fields[11:15])) / TICK
    return used


def test_the_speed_is_measured_and_written_down():
    load, began, numbers, locations = os.getloadavg()[0], time.monotonic(), count(1), []
    with whole_system() as system, httpx.Client(base_url=system.url, timeout=120) as http:
        ready = time.monotonic() - began

        def encode(_=None):
            # To end later than the clip does changes nothing but that this is a request of its own.
            fields, asked = {"end": str(100 + next(numbers) / 1000)}, time.monotonic()
            with CLIP.open("rb") as clip:
                answer = http.post("/encode", files={"video": clip}, data=fields, headers={"Prefer": "wait=60"})
            assert len(answer.json()["timestamps"]) == 48
            locations.append(answer.headers["Location"])
            return time.monotonic() - asked

        def read(movie):
            asked = time.monotonic()
            http.get(f"{locations.pop()}/result", params={"format": movie}).raise_for_status()
            return time.monotonic() - asked

        for _ in range(5):
            encode()
        before, first = seconds_of_cpu(system), time.monotonic()
        spent = sorted(encode() for _ in range(ASKED))
        alone = ASKED / (time.monotonic() - first)
        used = [f"{(now - before[kind]) / ASKED:.2f}" for kind, now in seconds_of_cpu(system).items()]
        drawn = [f"{statistics.median(read(movie) for _ in range(MOVIES)):.2f}" for movie in ("mp4", "webp", "gif")]
        with ThreadPoolExecutor(AT_ONCE) as callers:
            first = time.monotonic()
            list(callers.map(encode, range(ASKED)))
            together = ASKED / (time.monotonic() - first)
    section = f"""
## The service: from an upload to its codes

| `POST /encode` of a clip of 48 frames, `faces-vae`, {ASKED} times, one after the other | |
|---|---|
| **median, seconds** | **{statistics.median(spent):.2f}** |
| 95 % are within | {spent[round(0.95 * (ASKED - 1))]:.2f} |
| clips a second | {alone:.2f} |
| clips a second, {AT_ONCE} callers at once | {together:.2f} |
| seconds of CPU a clip: the worker's, decoder's, API's | {", ".join(used)} |
| a movie of it, when it is first read: MP4, WebP, GIF, median seconds | {", ".join(drawn)} |
| seconds from `twofold up` until all is ready | {ready:.1f} |

As `make run` starts it: one worker encodes, and writes each clip's codes and picture before it answers; the other
one draws movies when they are asked for.
Every request is a new one: that which has been asked before is answered from its job.
Measured {datetime.now(UTC):%Y-%m-%d} by `make serving-speed` on {hardware(torch.device("cpu"))}
at a load of {load:.1f}.
"""
    write_atomically(PAGE, replace_between(PAGE.read_text(), BEGIN, END, section).encode())
