"""What a decoder process can reach, how it dies, and what its parent then says."""

import os
import signal
import struct
import subprocess
import sys
import threading
import time
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from jobs.errors import DecoderCrashed, DecodeTimeout, Problem
from tests.worker.drawn import film, moving_square
from worker import nursery as nursery_module
from worker.media import Decoder
from worker.nursery import Nursery
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


@pytest.fixture
def clip(tmp_path):
    path = tmp_path / "clip.mp4"
    path.write_bytes(film(moving_square(40)))
    with path.open("rb") as file:
        yield file


def test_a_locked_process_can_open_nothing_start_nothing_and_grow_no_further():
    said = subprocess.run([sys.executable, "-c", LOCKED], capture_output=True, text=True, check=True, timeout=60).stdout
    refused = [line.split()[0] for line in said.splitlines() if line.endswith("refused")]
    # macOS keeps no limit on address space. A process needs a pipe to start, and that is refused anywhere.
    limited = ["memory"] if sys.platform == "linux" else []
    assert refused == ["open", "socket", "pipe", "process", *limited], said


def test_a_lower_limit_that_was_there_before_stays():
    said = subprocess.run([sys.executable, "-c", INHERITED], capture_output=True, text=True, timeout=60)
    assert said.stdout.split() == ["29", "30"], said.stderr


def test_the_process_knows_nothing_of_our_environment(monkeypatch):
    monkeypatch.setenv("TWOFOLD_REDIS_URL", "redis://:secret@host")
    nursery = Nursery()
    try:
        process = nursery.bear(20.0)
        for pid in (nursery.process.pid, process.pid):
            assert b"secret" not in Path(f"/proc/{pid}/environ").read_bytes()
        process.close()
    finally:
        nursery.close()


def test_a_decoder_killed_on_a_clip_is_said_to_have_crashed_and_the_next_clip_works(clip):
    others = set(decoders_of(os.getpid()))
    decoder = Decoder()
    options = DecodeOptions(chunk=2)
    chunks = decoder.decode(clip.fileno(), options)
    next(chunks)
    (nursery,) = started_since(others)
    for pid in decoders_of(nursery):
        os.kill(pid, signal.SIGSEGV)
    with pytest.raises(DecoderCrashed, match="SIGSEGV") as caught:
        list(chunks)
    assert caught.value.status == 422
    assert nursery not in decoders_of(os.getpid()), "its layout of memory may be known by now"
    assert sum(len(chunk.frames) for chunk in decoder.decode(clip.fileno(), options)) == 40
    decoder.close()


def test_a_decoder_that_hangs_is_killed_and_named(clip):
    others = set(decoders_of(os.getpid()))
    decoder = Decoder()
    decoder.prepare()
    for pid in started_since(others):
        os.kill(pid, signal.SIGSTOP)
    began = time.monotonic()
    with pytest.raises(DecodeTimeout, match="longer than is allowed"):
        list(decoder.decode(clip.fileno(), DecodeOptions(limits=Limits(seconds=0.5))))
    assert time.monotonic() - began < 5
    assert set(decoders_of(os.getpid())) == others


def test_a_decoder_that_hangs_on_a_clip_is_killed_and_the_next_clip_works(clip):
    others = set(decoders_of(os.getpid()))
    decoder = Decoder()
    chunks = decoder.decode(clip.fileno(), DecodeOptions(chunk=2, limits=Limits(seconds=2.0)))
    next(chunks)
    (nursery,) = started_since(others)
    (pid,) = decoders_of(nursery)
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(DecodeTimeout, match="longer than is allowed"):
        list(chunks)
    assert decoders_of(nursery) == []
    assert sum(len(chunk.frames) for chunk in decoder.decode(clip.fileno(), DecodeOptions())) == 40
    assert set(decoders_of(os.getpid())) - others == {nursery}, "it has survived"
    decoder.close()


def test_with_the_waiting_process_what_it_started_is_gone(clip):
    others = set(decoders_of(os.getpid()))
    decoder = Decoder()
    chunks = decoder.decode(clip.fileno(), DecodeOptions(chunk=2))
    next(chunks)
    (nursery,) = started_since(others)
    (pid,) = decoders_of(nursery)
    os.kill(nursery, signal.SIGKILL)
    with pytest.raises(DecoderCrashed, match="ended from outside; ask again"):
        list(chunks)
    wait_until_gone(pid)
    assert sum(len(chunk.frames) for chunk in decoder.decode(clip.fileno(), DecodeOptions())) == 40
    decoder.close()


def test_two_clips_are_decoded_side_by_side(clip):
    with Path(clip.name).open("rb") as same:
        decoder = Decoder()
        options = DecodeOptions(chunk=1)
        pairs = list(zip(decoder.decode(clip.fileno(), options), decoder.decode(same.fileno(), options), strict=True))
        decoder.close()
    assert len(pairs) == 40
    assert all((one.frames == other.frames).all() for one, other in pairs)


def test_where_nothing_is_forked_the_waiting_process_is_the_decoder_of_one_clip(clip, monkeypatch):
    entry = nursery_module.ENTRY.replace("from worker", "sys.platform = 'elsewhere'; from worker")
    monkeypatch.setattr("worker.nursery.ENTRY", entry)
    others = set(decoders_of(os.getpid()))
    test_two_clips_are_decoded_side_by_side(clip)
    decoder = Decoder()
    chunks = decoder.decode(clip.fileno(), DecodeOptions(chunk=2))
    next(chunks)
    (pid,) = started_since(others)
    assert decoders_of(pid) == []
    os.kill(pid, signal.SIGSEGV)
    with pytest.raises(DecoderCrashed, match="SIGSEGV"):
        list(chunks)
    assert sum(len(chunk.frames) for chunk in decoder.decode(clip.fileno(), DecodeOptions())) == 40
    decoder.close()
    assert set(decoders_of(os.getpid())) == others


def test_a_waiting_process_that_was_killed_is_replaced(clip):
    others = set(decoders_of(os.getpid()))
    decoder = Decoder()
    decoder.prepare()
    (pid,) = started_since(others)
    os.kill(pid, signal.SIGKILL)
    while pid in decoders_of(os.getpid()):
        time.sleep(0.01)
    assert sum(len(chunk.frames) for chunk in decoder.decode(clip.fileno(), DecodeOptions())) == 40
    decoder.close()


def test_a_process_that_dies_with_its_order_unread_is_replaced(clip):
    others = set(decoders_of(os.getpid()))
    decoder = Decoder()
    decoder.prepare()
    (pid,) = started_since(others)
    os.kill(pid, signal.SIGSTOP)  # alive when asked, so that it gets the order
    threading.Timer(0.2, os.kill, (pid, signal.SIGKILL)).start()
    assert sum(len(chunk.frames) for chunk in decoder.decode(clip.fileno(), DecodeOptions())) == 40
    decoder.close()
    assert set(decoders_of(os.getpid())) == others


def test_who_gives_up_waiting_for_an_answer_leaves_it_to_nobody(clip):
    """As a job does whose time is up: the alarm rings wherever the worker is."""

    class TimeIsUp(Exception):
        pass

    def ring(number, frame):
        raise TimeIsUp

    others = set(decoders_of(os.getpid()))
    decoder = Decoder()
    decoder.prepare()
    (pid,) = started_since(others)
    os.kill(pid, signal.SIGSTOP)
    before = signal.signal(signal.SIGALRM, ring)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        with pytest.raises(TimeIsUp):
            list(decoder.decode(clip.fileno(), DecodeOptions()))
    finally:
        signal.signal(signal.SIGALRM, before)
    assert set(decoders_of(os.getpid())) == others
    assert sum(len(chunk.frames) for chunk in decoder.decode(clip.fileno(), DecodeOptions())) == 40
    decoder.close()


def test_a_slow_reader_is_not_held_against_the_clip(clip):
    decoder = Decoder()
    chunks = decoder.decode(clip.fileno(), DecodeOptions(chunk=10, limits=Limits(seconds=20.0)))
    count = 0
    for chunk in chunks:
        count += len(chunk.frames)
        time.sleep(0.2)
    decoder.close()
    assert count == 40


def test_giving_up_in_the_middle_ends_the_process(clip):
    decoder = Decoder()
    others = set(decoders_of(os.getpid()))
    chunks = decoder.decode(clip.fileno(), DecodeOptions(chunk=2))
    next(chunks)
    (nursery,) = started_since(others)
    assert decoders_of(nursery)
    chunks.close()
    assert decoders_of(nursery) == []
    decoder.close()
    assert set(decoders_of(os.getpid())) == others


def test_waiting_processes_end_with_their_worker():
    program = (
        "import os; from worker.nursery import Nursery; n = Nursery(); p = n.bear(20.0);"
        "print(n.process.pid, p.pid, flush=True); os.kill(os.getpid(), 9)"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60).stdout
    for pid in map(int, said.split()):
        wait_until_gone(pid)


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


def wait_until_gone(pid):
    """Wait for a process to end that is not ours to wait for."""
    deadline = time.monotonic() + 10
    while os.path.exists(f"/proc/{pid}") and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not os.path.exists(f"/proc/{pid}")


def started_since(others):
    """Wait for a decoder process to appear: for a moment after it begins, a process has no command line yet."""
    while not (found := set(decoders_of(os.getpid())) - others):
        time.sleep(0.005)
    return found


def decoders_of(parent):
    """The decoder processes that a process has started and not buried."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return [int(pid) for pid in children if b"worker.decoder" in Path(f"/proc/{pid}/cmdline").read_bytes()]
