"""Both clients on the whole system, whose API is killed while they wait."""

import asyncio
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from jobs.errors import TrainingOff
from tests.end_to_end.clips import drawn_faces, write_h264
from tests.end_to_end.running import System
from twofold import AsyncClient, Client
from twofold.results import Job

pytestmark = pytest.mark.timeout(400)


def test_an_api_that_is_killed_mid_job_costs_no_client_its_result(system: System, tmp_path: Path):
    """Two wait for one job each, by the event stream; the API dies under them as soon as the first of them runs."""
    once = drawn_faces(2, motion=1, frames=40)
    clips = [
        write_h264(tmp_path / f"{n}.mp4", np.concatenate([np.roll(once, n + shift, axis=0) for shift in range(4)]))
        for n in range(2)
    ]
    seen: dict[str, list[Job]] = {"awaited": [], "blocked": []}

    def blocked():
        with Client(system.url) as client:
            return client.encode(clips[0], progress=seen["blocked"].append)

    async def awaited():
        async with AsyncClient(system.url) as client:
            return await client.encode(clips[1], progress=seen["awaited"].append)

    def kill() -> None:
        deadline = time.monotonic() + 60
        while not any(job.status == "running" for jobs in seen.values() for job in jobs):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        (api,) = system.processes("twofold serve")
        os.kill(api, signal.SIGKILL)

    async def run():
        return await asyncio.gather(asyncio.to_thread(blocked), awaited(), asyncio.to_thread(kill))

    *results, _ = asyncio.run(run())
    for codes in results:
        assert codes.dynamic.shape[0] == codes.frames.shape[0] == 160
    for jobs in seen.values():
        progress = [job.progress for job in jobs]
        assert progress == sorted(progress)
        assert jobs[-1].ended_well
    assert results[0].job != results[1].job


def test_an_awaited_clip_gives_the_codes_that_a_blocking_client_reads(system: System, face_clip: Path):
    async def run():
        async with AsyncClient(system.url) as client:
            codes = await client.encode(face_clip)
            swapped = await client.swap(codes, [codes, face_clip])
            grid, sampled = await asyncio.gather(client.latent_grid(static=codes, size=3), client.sample(frames=3))
            return codes, swapped, grid, sampled

    codes, swapped, grid, sampled = asyncio.run(run())
    with Client(system.url) as client:
        same = client.encode(face_clip)
    assert same.job == codes.job
    np.testing.assert_array_equal(same.dynamic, codes.dynamic)
    assert swapped.frames.shape[:2] == (1, 2)
    assert grid.frames.shape[:2] == (3, 3)
    assert sampled.frames.shape[1] == 3


def test_a_server_whose_operator_has_not_said_so_learns_nothing(system: System, face_clip: Path):
    with Client(system.url) as client, pytest.raises(TrainingOff, match="TWOFOLD_TRAINING"):
        client.train([face_clip], "mine", minutes=0.1)
