"""`twofold up` as a test starts, watches and stops it."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

READY_WITHIN, STOPPED_WITHIN = 90.0, 45.0
# Models to try before they are shipped: they hide those of the zoo.
MODELS = os.environ.get("TWOFOLD_TEST_MODELS")
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("TWOFOLD_")}


@dataclass
class System:
    """A running `twofold up` and where it keeps things."""

    process: subprocess.Popen[bytes]
    url: str
    data_dir: Path
    log: Path

    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def processes(self, *words: str) -> list[int]:
        """Our descendants whose command line has all the words."""
        return [pid for pid in descendants(self.process.pid) if all(word in command_of(pid) for word in words)]


def start(data_dir: Path, log: Path, *arguments: str, **environment: str) -> System:
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "twofold", "up", "--port", "0", "--data-dir", str(data_dir), *arguments],
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**ENVIRONMENT, "PYTHONUNBUFFERED": "1", **environment},
        )
    return System(process, "", data_dir, log)


def wait_until_ready(system: System) -> System:
    deadline = time.monotonic() + READY_WITHIN
    while "Twofold is ready: " not in system.said():
        assert system.process.poll() is None, f"it ended with {system.process.returncode}:\n{system.said()}"
        assert time.monotonic() < deadline, f"not ready in {READY_WITHIN:.0f} s:\n{system.said()}"
        time.sleep(0.05)
    system.url = system.said().split("Twofold is ready: ")[1].split()[0]
    return system


def stop(system: System) -> int:
    """Do what Ctrl-C does, and say how it ended."""
    if system.process.poll() is None:
        system.process.send_signal(signal.SIGINT)
    return system.process.wait(STOPPED_WITHIN)


@contextmanager
def whole_system(models: str | None = None, **environment: str) -> Iterator[System]:
    """A ready system in a folder of its own, with these models if any; it ends with the block, and must end well."""
    with TemporaryDirectory(prefix="twofold-") as folder:
        data_dir = Path(folder) / "data"
        data_dir.mkdir()
        if models:
            shutil.copytree(models, data_dir / "models")
        running = start(data_dir, Path(folder) / "log", **environment)
        try:
            yield wait_until_ready(running)
            assert stop(running) == 0, running.said()
        finally:
            if running.process.poll() is None:
                running.process.kill()


def descendants(pid: int) -> list[int]:
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has just ended
        if fields[0] != "Z":
            parents[int(stat.parent.name)] = int(fields[1])
    found, frontier = [], {pid}
    while frontier:
        frontier = {child for child, parent in parents.items() if parent in frontier}
        found += sorted(frontier)
    return found


def command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""
