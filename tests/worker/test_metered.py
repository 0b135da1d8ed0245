"""What a worker's jobs cost, as it adds it up for /metrics."""

import time

import pytest

from jobs.measures import STAGE_SECONDS, read_work
from jobs.requests import EncodeRequest, GridRequest, SwapRequest
from jobs.workers import announced
from tests.worker.doing import run, work
from tests.worker.drawn import film, moving_square
from worker.meter import count_decoded, measured, measured_each, memory, metering
from worker.shelf import gpu_memory


def once(work, kind, stage):
    histogram = work.stages[kind, stage]
    return histogram.rising(STAGE_SECONDS)[-1][1] == 1 and histogram.sum > 0


def test_an_encode_counts_each_frame_decoded_and_each_run_both_ways(bench, digest, upload):
    clip = upload(film(moving_square(130, 64, 64), "ffv1", "matroska", "bgr0"))
    assert run(bench, EncodeRequest(model="tiny", digest=digest, clip=clip)).status == "succeeded"
    told = read_work(bench.store.redis)
    assert told.frames == {"decode": 130, "forward": 260}
    assert told.batches.sum == 260
    assert 0 < told.busy["decode"] < 60
    assert told.busy["forward"] == pytest.approx(told.stages["encode", "forward"].sum, abs=1e-5)
    assert {kind for kind, _ in told.stages} == {"encode"}
    for stage in ("load", "fetch", "decode", "forward", "render", "result"):
        assert once(told, "encode", stage), stage


def test_a_job_that_fails_is_counted_as_far_as_it_came(bench, digest, upload):
    broken = upload(b"\x00\x00\x00\x18ftypisom" + bytes(99))
    record = run(bench, EncodeRequest(model="tiny", digest=digest, clip=broken))
    assert record.status == "failed"
    told = read_work(bench.store.redis)
    assert {stage for _, stage in told.stages} == {"load", "fetch", "decode"}
    assert told.frames == {}


def test_a_grid_and_a_swap_count_their_pictures(bench, digest, upload):
    run(bench, GridRequest(model="tiny", digest=digest, seed=1, size=3))
    assert read_work(bench.store.redis).frames == {"forward": 9}
    source = {"clip": upload(film(moving_square(5, 64, 64), "ffv1", "matroska", "bgr0"))}
    run(bench, SwapRequest(model="tiny", digest=digest, static=[source], dynamic=[source]))
    # The clip both ways, and the swap of it.
    assert read_work(bench.store.redis).frames == {"decode": 5, "forward": 9 + 15}


def test_a_worker_tells_how_much_memory_it_holds(bench, monkeypatch):
    seen = []
    monkeypatch.setattr("worker.warm.withdraw", lambda redis, name: seen.extend(announced(redis)))
    work(bench)
    (told,) = seen
    assert told.memory == pytest.approx(memory(), rel=0.5)
    assert told.memory > 2**26
    assert told.gpu_memory == gpu_memory()


def test_waiting_is_measured_apart_from_working():
    def slow():
        for number in range(3):
            time.sleep(0.02)
            yield number

    with metering() as meter:
        for _ in measured_each("decode", slow()):
            with measured("forward", frames=2, batch=True):
                time.sleep(0.05)
        count_decoded(4, 0.5)
    decode, forward = meter.steps["decode"], meter.steps["forward"]
    assert 0.06 <= decode.seconds < 0.14
    assert 0.15 <= forward.seconds < 0.4
    assert decode.began < forward.began < decode.ended <= forward.ended + 0.1
    assert (forward.frames, meter.batches) == (6, {2: 3})
    assert (meter.work().frames, meter.work().busy["decode"]) == ({"forward": 6, "decode": 4}, 0.5)


def test_without_a_meter_nothing_is_counted_and_work_goes_on():
    with measured("forward", frames=2, batch=True):
        pass
    assert list(measured_each("decode", [1, 2])) == [1, 2]
    count_decoded(1, 1.0)


def test_a_step_that_fails_is_measured_to_its_failure():
    with metering() as meter, pytest.raises(KeyError), measured("render"):
        raise KeyError
    assert meter.steps["render"].seconds >= 0
