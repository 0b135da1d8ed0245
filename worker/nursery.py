"""Where decoder processes come from: one process that has loaded what decoding needs, forked anew for every clip.

To load it takes longer than many a clip takes to decode, a fork next to nothing. The nursery itself never sees a clip.
Where the system should not be forked like that (anywhere but on Linux), it becomes the decoder of one clip itself, and
the next clip needs another.

What is forked has its parent's layout of memory. So that nobody learns it by trying, a decoder that was ended by a
signal is the last of its nursery.
"""

import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Ctrl-C goes to all of a terminal's processes: what becomes of this one is its parent's to say.
ENTRY = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.SIG_IGN); "
    f"sys.path.insert(0, {str(ROOT)!r}); from worker.decoder import main; main()"
)
ANSWERS_WITHIN = 5.0  # seconds, above those that what it is asked for takes


class NurseryDied(Exception):
    """It ended, or was ended since it did not answer (`stuck`): the clip is not to blame."""

    def __init__(self, stuck: bool) -> None:
        super().__init__("the decoders' parent process does not answer")
        self.stuck = stuck


class Nursery:
    """The waiting process, as its parent sees it; what it answers is told in `worker.decoder.main`."""

    def __init__(self) -> None:
        self.control, theirs = socket.socketpair()
        # Isolated (-I), so that neither a variable nor the current folder can change what it imports, and with
        # none of our environment, which may hold passwords.
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-c", ENTRY],
            stdin=theirs.fileno(),
            stdout=subprocess.DEVNULL,
            env={"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "LANG": "C.UTF-8"},
        )
        theirs.close()
        self.became_decoder = False  # and takes no more requests

    @property
    def alive(self) -> bool:
        """Whether it is there."""
        return self.process.poll() is None

    def bear(self, patience: float) -> "DecoderProcess":
        """Start a decoder process, which then waits for its one clip.

        Raises:
            NurseryDied: there is no answer within `patience` seconds; the nursery is gone by then.

        """
        channel, theirs = socket.socketpair()
        try:
            with theirs:
                pid = int(self._ask("bear", patience, theirs))
        except BaseException:
            channel.close()
            raise
        self.became_decoder = pid == self.process.pid
        return DecoderProcess(self, pid, channel)

    def bury(self, pid: int, grace: float) -> int | None:
        """Let a decoder end within so many seconds, else kill it; returns the code it ended with by itself.

        That is None where it had to be killed.

        Raises:
            NurseryDied: and with it the decoder, for the system ends both.

        """
        if pid == self.process.pid:
            self.control.close()
            return _code(self.process, grace)
        answer = self._ask(f"bury {pid} {grace}", grace + ANSWERS_WITHIN)
        return None if answer == "killed" else int(answer)

    def close(self) -> None:
        """End it, and with it a decoder that is at work."""
        self.control.close()
        self.process.kill()
        self.process.wait()

    def _ask(self, what: str, patience: float, given: socket.socket | None = None) -> str:
        """Send a request and return the line that answers it."""
        answer, stuck = b"", False
        try:
            self.control.settimeout(max(patience, 0.001))
            socket.send_fds(self.control, [what.encode()], [] if given is None else [given.fileno()])
            while not answer.endswith(b"\n") and (received := self.control.recv(100)):
                answer += received
        except TimeoutError:
            stuck = True
        except OSError:
            pass  # it has died, or was closed
        except BaseException:
            self.close()  # whoever asks next must not be given the answer to this
            raise
        if not answer.endswith(b"\n"):
            self.close()
            raise NurseryDied(stuck)
        return answer.decode().strip()


class DecoderProcess:
    """One decoder process, waiting for its one clip or working on it; `channel` is our end of what it is told by."""

    def __init__(self, nursery: Nursery, pid: int, channel: socket.socket) -> None:
        self.nursery, self.pid, self.channel = nursery, pid, channel
        self._buried = False
        self._code: int | None = None

    def ended(self, grace: float) -> int | None:
        """The code that it ended with within so many seconds, the signal's as a negative one; None where it did not.

        Raises:
            NurseryDied: it was ended with its nursery; told once.

        """
        if not self._buried:
            self._buried = True
            self._code = self.nursery.bury(self.pid, grace)
        return self._code

    def close(self) -> None:
        """End it, whatever it is doing."""
        self.channel.close()
        with suppress(NurseryDied):
            self.ended(0.0)

    @property
    def crashed(self) -> bool:
        """Whether a signal ended it that was none of ours; known once it is closed."""
        return self._code is not None and self._code < 0


def _code(process: "subprocess.Popen[bytes]", grace: float) -> int | None:
    try:
        return process.wait(grace)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return None
