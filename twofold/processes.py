"""Child processes that are started again when they die, and stopped in good order."""

import logging
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence

from jobs.embedded import die_with_parent

FIRST_PAUSE, LONGEST_PAUSE = 0.2, 10.0  # seconds before a dead child is started again
SETTLED = 30.0  # seconds of life after which a death counts as the first again

log = logging.getLogger("twofold")


class Child:
    """One command that is to run for as long as we do."""

    def __init__(
        self, name: str, arguments: Sequence[str], environment: Mapping[str, str], pass_fds: Sequence[int] = ()
    ) -> None:
        self.name = name
        self.deaths = 0
        self.last_code: int | None = None
        self._command = [sys.executable, "-m", "twofold", *arguments]
        self._environment = dict(environment)
        self._pass_fds = tuple(pass_fds)
        self._process: subprocess.Popen[bytes] | None = None
        self._started = self._start_after = 0.0

    def tend(self) -> None:
        """Start the child if it does not run, after a pause that grows with each quick death."""
        now = time.monotonic()
        if self._process is not None and (code := self._process.poll()) is not None:
            if now - self._started > SETTLED:
                self.deaths = 0
            self.deaths += 1
            self.last_code = code
            pause = min(FIRST_PAUSE * 2 ** (self.deaths - 1), LONGEST_PAUSE)
            log.warning("%s ended with %s; starting it again in %.1f s", self.name, _told(code), pause)
            self._process, self._start_after = None, now + pause
        if self._process is None and now >= self._start_after:
            self._started = now
            # A session of its own: Ctrl-C reaches us alone, and we say who stops when.
            self._process = subprocess.Popen(
                self._command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                pass_fds=self._pass_fds,
                start_new_session=True,
                preexec_fn=die_with_parent(),
            )

    def stop(self, seconds: float) -> None:
        """Send SIGTERM, so that what is being done is finished; make an end of it after some seconds."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            log.warning("%s did not stop within %.0f s and is killed", self.name, seconds)
            self._process.kill()
            self._process.wait()


def _told(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
