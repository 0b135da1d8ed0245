"""What a decoder process can reach, and that damaged and hostile files get no further."""

import struct
import subprocess
import sys
from io import BytesIO

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from jobs.errors import DecoderCrashed, Problem
from tests.worker.drawn import film, moving_square
from worker.order import DecodeOptions, Limits

LOCKED = """
import os, socket, subprocess
from worker import decoder
from worker.order import Limits
decoder.lock_down(Limits(seconds=60.0))
for what, act in {
    "open": lambda: open("/etc/passwd"),
    "socket": lambda: socket.socket(),
    "pipe": lambda: os.pipe(),
    "process": lambda: subprocess.Popen(["true"]),
}.items():
    try:
        act()
        os.write(1, f"{what} allowed\\n".encode())
    except OSError as error:
        os.write(1, f"{what} refused\\n".encode())
try:
    bytearray(4 * 2**30)
    os.write(1, b"memory allowed\\n")
except MemoryError:
    os.write(1, b"memory refused\\n")
"""


OVERHEARD = """
import ctypes, os, sys
from worker.private import PR_SET_DUMPABLE, keep_memory_private
if not hasattr(ctypes.CDLL(None), "process_vm_readv"):  # nor is there the flag against it: both are Linux's
    print("refused")
    sys.exit()
if os.getuid() == 0:  # who reads everybody's memory
    os.setgid(65534)
    os.setuid(65534)
ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)  # as after a start by this user

class Part(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("len", ctypes.c_size_t)]

secret = ctypes.create_string_buffer(b"redis://:password@valkey")
if "private" in sys.argv:
    keep_memory_private()
if os.fork() == 0:
    libc, into = ctypes.CDLL(None, use_errno=True), ctypes.create_string_buffer(len(secret))
    mine, theirs = (Part(ctypes.addressof(one), len(secret)) for one in (into, secret))
    got = libc.process_vm_readv(os.getppid(), ctypes.byref(mine), 1, ctypes.byref(theirs), 1, 0)
    print(into.value.decode() if got > 0 else "refused", flush=True)
    os._exit(0)
os.wait()
"""


INHERITED = """
import resource
from worker import decoder
from worker.order import Limits
resource.setrlimit(resource.RLIMIT_CPU, (30, 30))
decoder.lock_down(Limits(seconds=60.0))
print(*resource.getrlimit(resource.RLIMIT_CPU))
"""


MEASURED = """
import resource, sys
from jobs.errors import Problem
from worker.media import decode
from worker.order import DecodeOptions
with open(sys.argv[1], "rb") as file:
    try:
        list(decode(file.fileno(), DecodeOptions()))
    except Problem as problem:
        print(problem.slug, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


CUT = """
import sys
from io import FileIO
from worker.decoder import decode
from worker.order import DecodeOptions, Refusal
with FileIO(sys.argv[1], "r+") as file:
    for length in range(file.seek(0, 2), 0, -1):
        file.truncate(length)
        try:
            print(length, len(list(decode(file, DecodeOptions(size=16), None))))
        except Refusal:
            pass
"""


def test_a_locked_process_can_open_nothing_start_nothing_and_grow_no_further():
    said = subprocess.run([sys.executable, "-c", LOCKED], capture_output=True, text=True, check=True, timeout=60).stdout
    refused = [line.split()[0] for line in said.splitlines() if line.endswith("refused")]
    # macOS keeps no limit on address space. A process needs a pipe to start, and that is refused anywhere.
    limited = ["memory"] if sys.platform == "linux" else []
    assert refused == ["open", "socket", "pipe", "process", *limited], said


def test_a_childs_child_cannot_read_what_a_worker_knows():
    def overheard(*said):
        command = [sys.executable, "-c", OVERHEARD, *said]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    if (heard := overheard()) == "refused":
        pytest.skip("this system lets nobody read others' memory anyway, so that there is nothing to keep private")
    assert heard == "redis://:password@valkey"
    assert overheard("private") == "refused"


def test_a_lower_limit_that_was_there_before_stays():
    said = subprocess.run([sys.executable, "-c", INHERITED], capture_output=True, text=True, timeout=60)
    assert said.stdout.split() == ["29", "30"], said.stderr


def test_a_header_of_giant_frames_is_refused_in_little_memory(tmp_path):
    gif = bytearray(b"GIF89a" + bytes(7) + b"," + bytes(9) + b"\x02\x02D\x01\x00;")
    gif[6:10] = struct.pack("<HH", 65_000, 65_000)
    gif[14 + 4 : 14 + 8] = struct.pack("<HH", 65_000, 65_000)
    # FFV1 leaves it to the container to say how large its frames are.
    video = film(moving_square(2, 300, 400), "ffv1", "matroska", "bgr0")
    for size in (b"\xb0\x82" + struct.pack(">H", 400), b"\xba\x82" + struct.pack(">H", 300)):
        assert video.count(size) == 1
        video = video.replace(size, size[:2] + struct.pack(">H", 30_000))
    path = tmp_path / "giant"
    for content in (video, bytes(gif)):
        path.write_bytes(content)
        # A process of its own, for what a child used is counted from its parent's size on.
        program = [sys.executable, "-c", MEASURED, str(path)]
        said = subprocess.run(program, capture_output=True, text=True, check=True, timeout=60).stdout.split()
        assert said[0] == "frame-too-large"
        assert int(said[1]) < 200_000, "kilobytes; a frame would take 1.4 million"


def pictures(kind, **options):
    """A small picture file with EXIF data; of several frames, where its kind has them."""
    frames = [Image.fromarray(frame) for frame in moving_square(3, 48, 64)]
    buffer, exif = BytesIO(), Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "turned"
    if kind != "JPEG":
        options |= {"save_all": True, "append_images": frames[1:], "duration": 40}
    frames[0].save(buffer, kind, **options, **({"exif": exif} if kind != "GIF" else {}))
    return buffer.getvalue()


SMALL = {
    "h264": film(moving_square(4, 48, 64)),
    "vp9": film(moving_square(4, 48, 64), "libvpx-vp9", "webm"),
    "mpeg4": film(moving_square(4, 48, 64), "mpeg4", "avi"),
    "ffv1": film(moving_square(3, 32, 32), "ffv1", "matroska", "bgr0"),
    "gif": pictures("GIF", comment=b"drawn", loop=0),
    "apng": pictures("PNG"),
    "webp": pictures("WEBP"),
    "jpeg": pictures("JPEG", comment=b"drawn"),
    "mpo": pictures("MPO"),
}


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.sampled_from(sorted(SMALL)), st.data())
def test_a_damaged_file_gives_frames_or_a_problem_and_nothing_else(decoder, tmp_path, kind, data):
    content = bytearray(SMALL[kind])
    for _ in range(data.draw(st.integers(1, 12))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(1, len(content))) :]
    told(decoder, tmp_path / "damaged", bytes(content))


@pytest.mark.parametrize(("kind", "closing"), [("gif", 0), ("apng", 21), ("webp", 0), ("jpeg", 0), ("mpo", 0)])
def test_pictures_are_refused_wherever_they_are_cut(tmp_path, kind, closing):
    path = tmp_path / "cut"
    path.write_bytes(SMALL[kind])
    said = subprocess.run([sys.executable, "-c", CUT, str(path)], capture_output=True, text=True, timeout=60)
    assert said.returncode == 0, said.stderr
    count, whole = 1 if kind == "jpeg" else 3, len(SMALL[kind])
    # The last bytes of a PNG hold nothing of a picture.
    assert said.stdout.splitlines() == [f"{length} {count}" for length in range(whole, whole - closing - 1, -1)]


def test_what_stands_behind_a_gif_is_passed_over(decoder, tmp_path):
    assert told(decoder, tmp_path / "gif", SMALL["gif"] + bytes(100) + b"made by nobody") == 3


def told(decoder, path, content):
    """How many frames a file gives that may be damaged, 0 where it is refused; a failure of ours is none of both."""
    path.write_bytes(content)
    count, refusal = 0, None
    with path.open("rb") as file:
        options = DecodeOptions(size=16, limits=Limits(frames=100, seconds=10.0))
        try:
            for chunk in decoder.decode(file.fileno(), options):
                assert chunk.frames.shape[1:] == (16, 16, 3)
                assert np.isfinite(chunk.timestamps).all()
                count += len(chunk.frames)
        except Problem as problem:
            refusal = problem
    decoder.prepare()
    if refusal is None:
        return count
    assert 400 <= refusal.status < 500
    assert not isinstance(refusal, DecoderCrashed) or "was ended by SIG" in refusal.detail, "it is ours to mend"
    return 0
