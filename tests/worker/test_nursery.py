"""How decoder processes begin, how they die, and what their worker then says and does."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from jobs.errors import DecoderCrashed, DecodeTimeout
from tests.worker.drawn import film, moving_square
from worker import nursery as nursery_module
from worker.media import Decoder
from worker.nursery import Nursery
from worker.order import DecodeOptions, Limits


@pytest.fixture
def clip(tmp_path):
    path = tmp_path / "clip.mp4"
    path.write_bytes(film(moving_square(40)))
    with path.open("rb") as file:
        yield file


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
