"""The decoder process: reads one clip from an open file, under hard limits, and hands small frames to the worker.

On Linux it is forked from one that waits (`worker.nursery`), and it waits on a socket in turn. One message brings the
order and two open files: the clip, and the shared memory for frames. It then gives up the right to open anything at all
(no file, no socket, no process), so that a broken or hostile clip finds nothing to reach, and dies with the clip.
"""

import ctypes
import gc
import importlib
import json
import mmap
import os
import resource
import signal
import socket
import sys
import time
import traceback
from collections.abc import Iterator
from io import FileIO
from typing import Any, NoReturn

import av.logging
import numpy as np

from jobs.magic import ACCEPTED, GIF, HEAD_BYTES, Container, sniff
from worker.area import AreaScaler, Box, named_box
from worker.faces import FaceFinder, Picture, follow_face
from worker.order import DecodeOptions, Limits, Refusal
from worker.pictures import gif_ends, prepare, read_pictures
from worker.video import declared_bytes, read_video

# What the libraries import only when they first need it, by which time no file can be opened.
IMPORTED_LATE = (
    "av.audio.codeccontext", "av.audio.stream", "av.subtitles.codeccontext", "av.subtitles.stream",
    "av.video.codeccontext", "av.video.stream", "PIL.ImageColor", "PIL.ImageFilter", "PIL.ImagePalette",
    "PIL.TiffImagePlugin", "encodings.ascii", "encodings.latin_1", "encodings.utf_16", "linecache",
)  # fmt: skip
SLOTS = 3  # chunks of shared memory: one being read, one waiting, one being filled
PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS = 1, 38
MEMORY_BASE = 768 * 2**20  # bytes of address space for the interpreter, its libraries and small clips
MEMORY_PER_PIXEL = 64  # and for each pixel of the largest frame: reference frames, conversion, scaling


def main() -> None:
    """The nursery: fork a decoder for whoever asks on standard input, a socket, until nobody can any more.

    `bear`, which brings a socket for the new process, is answered by its number; `bury PID SECONDS` by the code that
    it ended with, or `killed`. Until it is buried its number is nobody else's, whenever it ends.
    """
    av.logging.set_level(av.logging.PANIC)  # what FFmpeg says of hostile files is noise
    for name in IMPORTED_LATE:
        importlib.import_module(name)
    prepare()
    gc.freeze()  # what is loaded by now is never looked through again, and stays shared
    control, born = socket.socket(fileno=0), set[int]()
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, 100, 1)
        if not message:
            return  # the worker went away
        if not descriptors:
            _, number, grace = message.split()
            born.remove(int(number))  # nobody else is ours to kill
            code = ended(int(number), float(grace))
            control.sendall(b"killed\n" if code is None else f"{code}\n".encode())
            continue
        channel = socket.socket(fileno=descriptors[0])
        forks = sys.platform == "linux"
        nursery = os.getpid()
        pid = os.fork() if forks else 0
        if pid == 0:
            if not forks:
                control.sendall(f"{nursery}\n".encode())
            control.close()
            _be_decoder(channel, nursery)
        born.add(pid)
        channel.close()
        control.sendall(f"{pid}\n".encode())


def ended(pid: int, grace: float) -> int | None:
    """The code that a child ended with within so many seconds; None where it had to be killed."""
    deadline = time.monotonic() + grace
    while (found := os.waitpid(pid, os.WNOHANG)) == (0, 0):
        if time.monotonic() >= deadline:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            return None
        time.sleep(0.002)
    return os.waitstatus_to_exitcode(found[1])


def _be_decoder(channel: socket.socket, nursery: int) -> NoReturn:
    """Do what a decoder does, and end without what a forked interpreter would do at its end."""
    code = 1
    try:
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != nursery:
                os._exit(code)  # it died before that
        code = serve(channel)
    except ConnectionError:
        code = 0  # the worker wanted no more
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def serve(channel: socket.socket) -> int:
    """Wait for an order and carry it out; returns the code to end with."""
    message, descriptors, _, _ = socket.recv_fds(channel, 65536, 2)
    if len(descriptors) != 2:
        return 0  # the worker went away
    options = DecodeOptions.from_json(json.loads(message))
    finder = FaceFinder() if options.crop == "face" else None
    clip, memory = descriptors
    frames = np.frombuffer(mmap.mmap(memory, 0), np.uint8)
    slots = frames.reshape(SLOTS, options.chunk, options.size, options.size, 3)
    lock_down(options.limits)
    outbox = Outbox(channel, slots, clip)
    outbox.say({"began": True})  # from here on, what ends this process is the clip
    try:
        with FileIO(clip) as file:
            for shown, frame, shape in decode(file, options, finder):
                outbox.add(shown, frame, shape)
            outbox.finish()
    except Refusal as refusal:
        outbox.say({"refusal": refusal.slug, "detail": refusal.detail})
    except MemoryError:
        outbox.say(
            {"refusal": "frame-too-large", "detail": "decoding this file takes more memory than one clip may use"}
        )
    except ConnectionError:
        raise  # nobody reads any more
    except Exception:  # the edge of the process: ours to mend, so the worker logs it whole
        outbox.say({"failure": traceback.format_exc()})
        return 1
    return 0


def lock_down(limits: Limits) -> None:
    """Give up every right that decoding does not need, for good."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        # A count of processes is the user's, not the process's, so only none at all means the same everywhere.
        resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
        memory = within_inherited(resource.RLIMIT_AS, MEMORY_BASE + MEMORY_PER_PIXEL * limits.frame_pixels)
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    seconds = within_inherited(resource.RLIMIT_CPU, max(1, round(limits.seconds)) + 1)
    # The soft one comes first, for its signal says what it was that took too long.
    resource.setrlimit(resource.RLIMIT_CPU, (max(1, seconds - 1), seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))  # what is open stays open; nothing else ever will be


def within_inherited(kind: int, wanted: int) -> int:
    """The limit that is wanted, or a lower one that this process was started under: no process may raise that."""
    hard = resource.getrlimit(kind)[1]
    return wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)


class Outbox:
    """Fills the slots of shared memory in turn, telling the parent of each; it answers a byte for each it has read."""

    def __init__(self, channel: socket.socket, slots: np.ndarray[Any, Any], clip: int) -> None:
        self.channel, self.slots, self.clip = channel, slots, clip
        self.size = os.fstat(clip).st_size
        self.slot, self.free = 0, len(slots)
        self.times: list[float] = []
        self.shape = (0, 0)
        self.since, self.waited = time.perf_counter(), 0.0  # of the slot being filled

    def add(self, shown: float, frame: np.ndarray[Any, Any], shape: tuple[int, int]) -> None:
        """Put a frame into the slot being filled, and send that when it is full."""
        if not self.times and self.free == 0:
            asked = time.perf_counter()
            if not self.channel.recv(1):
                raise ConnectionResetError("the worker has gone away")
            self.waited += time.perf_counter() - asked
            self.free += 1
        self.slots[self.slot, len(self.times)] = frame
        self.times.append(shown)
        self.shape = shape
        if len(self.times) == self.slots.shape[1]:
            self.send()

    def send(self) -> None:
        """Hand over the slot being filled."""
        # How far the file is read is the only progress that every container can tell.
        position = os.lseek(self.clip, 0, os.SEEK_CUR) / self.size
        now = time.perf_counter()
        seconds = now - self.since - self.waited
        self.say(
            {
                "slot": self.slot,
                "timestamps": self.times,
                "position": position,
                "shape": self.shape,
                "seconds": seconds,
            }
        )
        self.since, self.waited = now, 0.0
        self.slot, self.free, self.times = (self.slot + 1) % len(self.slots), self.free - 1, []

    def finish(self) -> None:
        """Hand over what is left and say that it was all."""
        if self.times:
            self.send()
        self.say({"finished": True})

    def say(self, message: dict[str, Any]) -> None:
        """Send one line of JSON."""
        self.channel.sendall(json.dumps(message).encode() + b"\n")


def decode(
    file: FileIO, options: DecodeOptions, finder: FaceFinder | None
) -> Iterator[tuple[float, np.ndarray[Any, Any], tuple[int, int]]]:
    """Give the chosen frames of a clip, each (size, size, 3): its time in seconds after the clip's first, and it.

    With each comes the width and height of its whole picture, as it is shown on square pixels.
    """
    container = recognise(file)
    path = follow_face(choose(file, container, options), finder) if finder else None
    scalers: dict[tuple[int, int, float, Box], AreaScaler] = {}
    count = 0
    for picture in choose(file, container, options):
        count += 1
        rgb = picture.rgb()
        height, width = rgb.shape[:2]
        if path is None:
            box = named_box(options.crop, height, width, picture.aspect)
        else:
            box = path.box(picture.time, height, width, picture.aspect)
        key = (height, width, picture.aspect, box)
        scaler = scalers.get(key)
        if scaler is None:
            if len(scalers) > 8:
                scalers.clear()  # a followed face has a box of its own in every frame
            scaler = scalers[key] = AreaScaler(height, width, box, options.size, picture.aspect)
        yield picture.time, scaler(rgb), (round(width * picture.aspect), height)
    if not count:
        until = "its end" if options.end is None else f"{options.end} s"
        raise Refusal("wrong-value", f"the clip has no frame from {options.start} s to {until}")


def recognise(file: FileIO) -> Container:
    """Say what the file is by its first bytes.

    Raises:
        Refusal: it is nothing we take, or shorter than it says of itself.

    """
    file.seek(0)  # the parent's file, and so its place too, are shared with us
    head = file.read(HEAD_BYTES)
    container = sniff(head)
    if container is None:
        raise Refusal("not-a-media", f"the file's content is none of {ACCEPTED}, whatever its name says")
    size, declared = file.seek(0, 2), declared_bytes(head)
    if declared is not None and declared > size:
        raise Refusal("undecodable", f"the file is cut off: it says it has {declared} bytes, and {size} came")
    if container is GIF and not gif_ends(file):
        raise Refusal("undecodable", "the file is cut off: a GIF ends with a trailer, and this one has none")
    return container


def choose(file: FileIO, container: Container, options: DecodeOptions) -> Iterator[Picture]:
    """Give the frames between start and end, every stride-th of them, at most max_frames.

    Raises:
        Refusal: more frames are chosen than the limit allows; said as soon as it is known.

    """
    file.seek(0)
    limits = options.limits
    chosen = 0
    pictures: Iterator[Picture] = (
        read_video(file, container.demuxer, limits, options.start)
        if container.reader == "video"
        else read_pictures(file, container.demuxer, limits)
    )
    within = 0
    for picture in pictures:
        if picture.time < options.start:
            continue
        if options.end is not None and picture.time >= options.end:
            return
        within += 1
        if (within - 1) % options.stride:
            continue
        chosen += 1
        if chosen > limits.frames:
            raise Refusal(
                "too-many-frames",
                f"the clip has more than the {limits.frames} frames that are taken at once: "
                "choose a part with start and end, or fewer with stride or max_frames",
            )
        yield picture
        if chosen == options.max_frames:
            return


if __name__ == "__main__":
    main()
