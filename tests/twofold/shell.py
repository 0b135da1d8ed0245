"""`twofold` typed into a shell, without what every command would load anew.

One process per session has loaded torch and the rest; each command is a fork of it, with arguments, environment,
folder and streams of its own, and ends when its threads have. What a command loads is told by tests that start a
whole interpreter, and the commands of the README and of the manual are typed into a real shell (tests/end_to_end).
"""

import atexit
import gc
import json
import os
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NoReturn

ROOT = Path(__file__).resolve().parents[2]
ENTRY = "from tests.twofold.shell import serve; serve()"
# Loaded by a command when it runs.
LOADED = ("torch._dynamo", "matplotlib.figure", "training.own", "twofold.learning", "twofold.local", "worker.tasks")
# What a command finds in its environment, if nothing else is said. A second thread would wait for the first where other
# tests have the cores.
ALONE = {"COLUMNS": "80", "OMP_NUM_THREADS": "1"}


class Shell:
    """Types commands, one at a time."""

    def __init__(self, process: "subprocess.Popen[str]", folder: Path) -> None:
        self.process, self.folder, self.typed = process, folder, 0

    def type(self, *arguments: str | Path, **environment: str) -> "subprocess.CompletedProcess[str]":
        """Run `twofold` with these arguments and nothing but this environment, in the current folder."""
        if sys.platform != "linux":  # elsewhere a process that has loaded so much is not to be forked
            return subprocess.run(
                [sys.executable, "-m", "twofold", *map(str, arguments)],
                capture_output=True,
                text=True,
                check=False,
                env=ALONE | environment,
            )
        self.typed += 1  # what outlives its command writes into no other one's files
        said, told = self.folder / f"{self.typed}.stdout", self.folder / f"{self.typed}.stderr"
        command = {
            "arguments": [str(argument) for argument in arguments],
            "environment": ALONE | environment,
            "folder": str(Path.cwd()),
            "streams": [str(said), str(told)],
        }
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        code = self.process.stdout.readline()
        assert code, f"the shell has ended, with code {self.process.wait()}: what it said is above"
        return subprocess.CompletedProcess(
            ["twofold", *command["arguments"]], int(code), said.read_text(), told.read_text()
        )


@contextmanager
def begun() -> Iterator[Shell]:
    """A shell, until nobody needs it any more."""
    with (
        TemporaryDirectory(prefix="twofold-") as folder,
        subprocess.Popen(
            [sys.executable, "-c", ENTRY],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=ALONE,
        ) as process,
    ):
        yield Shell(process, Path(folder))
        process.stdin.close()


def serve() -> None:
    """Fork for each line of standard input, and answer with the code that the fork ends with."""
    import importlib

    from twofold.cli import main

    for module in LOADED:
        importlib.import_module(module)
    gc.freeze()  # what is loaded by now is never looked through again, and stays shared
    for line in sys.stdin:
        if (pid := os.fork()) == 0:
            become(json.loads(line))
            end_as(main)
        _, status = os.waitpid(pid, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


def end_as(main: Callable[[], object]) -> NoReturn:
    """End with the code and the words that the command ends with.

    The interpreter is not taken apart, as it would be at an end: that would copy all that is shared.
    """
    code: object = 1
    try:
        main()
        code = 0
    except SystemExit as end:
        code = end.code
    except BaseException:  # whatever it is, a process ends with its traceback and 1
        traceback.print_exc()
    if isinstance(code, str):
        print(code, file=sys.stderr)
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))


def become(command: dict[str, object]) -> None:
    """Take the command's arguments, environment, folder and streams in place of the shell's."""
    os.environ.clear()
    os.environ.update(command["environment"])
    os.chdir(command["folder"])
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    for number, path in zip((1, 2), command["streams"], strict=True):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    sys.argv = ["twofold", *command["arguments"]]
