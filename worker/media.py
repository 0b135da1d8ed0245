"""The worker's side of decoding: starts the decoder process, watches it, and takes frames from shared memory."""

import fcntl
import json
import math
import mmap
import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import Any

import numpy as np
import structlog
from numpy.typing import NDArray

from jobs.errors import (
    DecoderCrashed,
    DecodeTimeout,
    EmptyFile,
    FrameTooLarge,
    NoFace,
    NotAMedia,
    NoVideo,
    Problem,
    TooManyFrames,
    UndecodableMedia,
    WrongValue,
)
from worker.meter import count_decoded
from worker.nursery import DecoderProcess, Nursery, NurseryDied
from worker.order import DecodeOptions, Refusal

log = structlog.get_logger(__name__)

SLOTS = 3  # as many chunks of shared memory as the decoder fills in turn
LONGEST_CHUNK = 3600.0  # seconds; whoever claims more for one chunk is not counted
LONGEST_LINE = 2**20  # bytes; more than the timestamps of any chunk
ENDS_WITHIN = 5.0  # seconds that a process may take to end which has said its last
PROBLEMS: dict[str, type[Problem]] = {
    "not-a-media": NotAMedia,
    "undecodable": UndecodableMedia,
    "no-video": NoVideo,
    "too-many-frames": TooManyFrames,
    "frame-too-large": FrameTooLarge,
    "wrong-value": WrongValue,
    "no-face": NoFace,
}


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some frames of a clip in a row, as the model will see them."""

    frames: NDArray[np.uint8]  # (n, size, size, 3), RGB
    timestamps: NDArray[np.float64]  # (n,) seconds after the clip's first frame
    position: float  # share of the file that has been read, in [0, 1]
    shape: tuple[int, int] | None = None  # width and height of the whole picture, upright, on square pixels


class DiedWaiting(Exception):
    """The process ended before it had looked at the file."""


class Decoder:
    """Decodes clips, each in a process of its own, which is forked from one that waits for the next clip."""

    def __init__(self) -> None:
        self._nursery: Nursery | None = None

    def prepare(self) -> None:
        """Start the process that waits for clips, unless there is one."""
        if self._nursery is not None and not self._nursery.alive:
            self.close()
        if self._nursery is None:
            self._nursery = Nursery()

    def close(self) -> None:
        """End the process that waits, and what it is decoding."""
        if self._nursery is not None:
            self._nursery.close()
            self._nursery = None

    def decode(self, fd: int, options: DecodeOptions) -> Iterator[Chunk]:
        """Give the chosen frames of the open file `fd`, chunk by chunk, decoding ahead of the reader.

        Raises:
            Problem: the file cannot be decoded as asked; the text is for the asker.

        """
        if os.fstat(fd).st_size == 0:
            raise EmptyFile("the file has no bytes; a video or a picture was expected")
        for last in (False, True):
            self.prepare()
            assert self._nursery is not None, "prepare leaves a process waiting"
            asked = time.monotonic()
            try:
                process = self._nursery.bear(options.limits.seconds)
            except NurseryDied as died:
                if died.stuck:
                    raise _timeout() from None
                if last:
                    raise DecoderCrashed("no decoder could be started; try again") from None
                log.warning("the decoders' parent process died; another takes its place")
                continue
            if self._nursery.became_decoder:
                self._nursery = None  # closing the process closes all there is
            try:
                yield from _converse(process, fd, options, options.limits.seconds - (time.monotonic() - asked))
                return
            except DiedWaiting:
                # Somebody killed it, perhaps the system for want of memory: the file is not to blame.
                if last:
                    raise _obituary(process) from None
                log.warning("decoder died before it took its order; another takes it")
            finally:
                process.close()
                if process.crashed:
                    self.close()


def decode(fd: int, options: DecodeOptions) -> Iterator[Chunk]:
    """Decode one clip with processes started for it alone."""
    decoder = Decoder()
    try:
        yield from decoder.decode(fd, options)
    finally:
        decoder.close()


def _converse(process: DecoderProcess, fd: int, options: DecodeOptions, patience: float) -> Iterator[Chunk]:
    shape = (SLOTS, options.chunk, options.size, options.size, 3)
    with shared_memory(math.prod(shape)) as memory:
        slots = np.frombuffer(mmap.mmap(memory.fileno(), 0), np.uint8).reshape(shape)
        order = json.dumps(options.to_json()).encode()
        try:
            socket.send_fds(process.channel, [order], [fd, memory.fileno()])
        except (BrokenPipeError, ConnectionResetError):
            raise DiedWaiting from None
        messages = _messages(process, patience)
        if "began" not in next(messages, {}):
            raise DiedWaiting
        for message in messages:
            if message.get("finished"):
                return
            if "refusal" in message:
                kind = PROBLEMS.get(str(message["refusal"]), UndecodableMedia)
                raise kind(str(message.get("detail", ""))[:1000])
            if "failure" in message:
                log.error("decoder failed", traceback=str(message["failure"]))
                break
            yield _taken(message, slots)
            with suppress(BrokenPipeError, ConnectionResetError):  # it may have ended well, its last words unread
                process.channel.sendall(b"+")
    raise _obituary(process)


def shared_memory(size: int) -> Any:
    """Return an open file of `size` zero bytes that has no name and, where the system can, lives in memory."""
    if hasattr(os, "memfd_create"):
        file = os.fdopen(os.memfd_create("twofold-frames", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING), "w+b", buffering=0)
        file.truncate(size)
        # Whoever maps a file dies of a signal where it has become shorter, and a decoder might make it so.
        fcntl.fcntl(file, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW)
        return file
    file = TemporaryFile(buffering=0)  # noqa: SIM115 - the caller closes it
    file.truncate(size)
    return file


def _messages(process: DecoderProcess, patience: float) -> Iterator[dict[str, Any]]:
    """Read lines until the process ends. Only time spent waiting for it counts against its patience."""
    buffered = b""
    while True:
        while b"\n" not in buffered:
            asked = time.monotonic()
            process.channel.settimeout(max(patience, 0.001))
            try:
                received = process.channel.recv(65536)
            except TimeoutError:
                raise _timeout() from None
            except ConnectionResetError:
                received = b""
            patience -= time.monotonic() - asked
            if not received:
                return
            buffered += received
            if len(buffered) > LONGEST_LINE:
                raise DecoderCrashed("the decoder answered nonsense on this file")
        line, _, buffered = buffered.partition(b"\n")
        try:
            message = json.loads(line)
        except ValueError:
            message = None
        if not isinstance(message, dict):
            raise DecoderCrashed("the decoder answered nonsense on this file")
        yield message


def _taken(message: dict[str, Any], slots: NDArray[np.uint8]) -> Chunk:
    """Copy a chunk out of shared memory, trusting nothing that a subverted decoder could have written."""
    slot, timestamps = message.get("slot"), np.array(message.get("timestamps"), np.float64)
    if slot not in range(SLOTS) or timestamps.ndim != 1 or not 1 <= len(timestamps) <= slots.shape[1]:
        raise DecoderCrashed("the decoder answered nonsense on this file")
    position = message.get("position")
    share = min(max(float(position), 0.0), 1.0) if isinstance(position, int | float) else 0.0
    seconds = message.get("seconds")
    if isinstance(seconds, int | float) and 0 <= seconds < LONGEST_CHUNK:
        count_decoded(len(timestamps), float(seconds))
    shape = message.get("shape")
    told = isinstance(shape, list) and len(shape) == 2 and all(isinstance(side, int) and side > 0 for side in shape)
    whole = (shape[0], shape[1]) if told and shape else None
    return Chunk(slots[slot, : len(timestamps)].copy(), timestamps, share, whole)


def _obituary(process: DecoderProcess) -> Problem:
    """Say why the process ended without saying that it had finished."""
    try:
        code = process.ended(ENDS_WITHIN)
    except NurseryDied as died:
        return _timeout() if died.stuck else DecoderCrashed("the decoder was ended from outside; ask again")
    if code is None or code == -signal.SIGXCPU:
        return _timeout()
    if code < 0:
        return DecoderCrashed(
            f"the decoder was ended by {signal.Signals(-code).name} on this file: it is damaged or hostile"
        )
    return DecoderCrashed("the decoder failed on this file: it is damaged, or of a kind that nobody met before")


def _timeout() -> Problem:
    return DecodeTimeout("decoding took longer than is allowed: choose a part with start and end, or a smaller picture")


def options_for(size: int, **chosen: Any) -> DecodeOptions:
    """Return decode options, with a wrong one told as the problem that the asker gets.

    Raises:
        WrongValue: a value is out of range.

    """
    try:
        return DecodeOptions(size=size, **chosen)
    except Refusal as refusal:
        raise PROBLEMS[refusal.slug](refusal.detail) from refusal
