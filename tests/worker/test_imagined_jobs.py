"""Samples, paths, predictions and given codes from the queue to their artifacts, by a real warm worker."""

import io
import json

import av
import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

from jobs.connection import connect
from jobs.movie_request import MOVIES, MovieRequest
from jobs.requests import (
    DecodeRequest,
    EncodeRequest,
    InterpolateRequest,
    PredictRequest,
    SampleRequest,
    Source,
)
from jobs.settings import Settings
from models.checkpoint import save_model
from models.motion import Motion, MotionConfig
from models.unordered_config import UnorderedVAEConfig
from models.unordered_vae import UnorderedVAE
from tests.worker.drawn import film as filmed
from tests.worker.drawn import moving_square
from worker.__main__ import lay_out
from worker.results import JSON, NPZ, PNG
from worker.warm import WarmWorker

STORED = {JSON, NPZ, PNG}


@pytest.fixture
def bench(redis_url, tmp_path):
    model = UnorderedVAE(UnorderedVAEConfig.tiny())
    model.motion = Motion(MotionConfig(static_dim=model.static_dim, dynamic_dim=model.dynamic_dim, hidden=8, layers=1))
    save_model(tmp_path / "models" / "moving", "moving", model, data={}, card="Untrained.", dtype=torch.float32)
    settings = Settings(
        redis_url=redis_url,
        data_dir=tmp_path / "data",
        models_dir=tmp_path / "models",
        default_model="moving",
        min_free_bytes=0,
        device="cpu",
    )
    bench = lay_out(settings)
    yield bench
    bench.close()


@pytest.fixture
def run(bench):
    """Do a job of the model in its own queue."""
    digest = bench.shelf.loaded["moving"]

    def done(kind, **fields):
        request = kind(model="moving", digest=digest, **fields)
        record = bench.store.create_once(bench.store.new_id(), request, "asker")
        bench.queue.deliver(record)
        with connect(bench.store.settings.redis_url, answer_timeout=None) as redis:
            WarmWorker(record.queue, redis, bench).work(burst=True, logging_level="ERROR")
        return bench.store.get(record.id)

    return done


@pytest.fixture
def read(bench):
    def content(record, media_type):
        assert record.status == "succeeded", record.problem
        return bench.artifacts.path(record.results[media_type].sha256).read_bytes()

    return content


@pytest.fixture
def arrays(read):
    def stored(record):
        with np.load(io.BytesIO(read(record, NPZ)), allow_pickle=False) as archive:
            return dict(archive)

    return stored


@pytest.fixture
def film(run, read):
    """Have a movie of a finished job drawn, by a job as the service asks for it."""

    def content(record, moving):
        stored = record.results[NPZ]
        movie = run(MovieRequest, parent=record.id, of=record.kind, arrays=stored.sha256, format=moving)
        return read(movie, MOVIES[moving])

    return content


@pytest.fixture
def film_of(bench):
    return lambda count, **options: bench.artifacts.write(filmed(moving_square(count, 64, 64), **options)).sha256


@pytest.fixture
def encoded(run, film_of):
    """A finished encode as a source."""

    def source(count=8):
        record = run(EncodeRequest, clip=film_of(count))
        return Source(codes=record.results[NPZ].sha256, job=record.id)

    return source


def played(content):
    with av.open(io.BytesIO(content)) as container:
        return [frame.time for frame in container.decode(container.streams.video[0])]


def test_every_kind_can_be_had_in_every_representation(run, encoded, film, read, arrays):
    source = encoded()
    ends = [{"source": source, "frame": frame} for frame in (0, 7)]
    for kind, fields, shape in [
        (SampleRequest, {"identities": 2, "frames": 5}, (2, 5)),
        (InterpolateRequest, {"ends": ends, "steps": 6, "part": "both"}, (6,)),
        (PredictRequest, {"source": source, "observe": 4, "frames": 3}, (7,)),
        (PredictRequest, {"source": source, "observe": 4, "frames": 3, "samples": 2}, (2, 7)),
        (DecodeRequest, {"identity": source, "dynamic": [[0.0, 0.0], [1.0, -1.0]]}, (2,)),
    ]:
        record = run(kind, **fields)
        assert set(record.results) == STORED, kind
        assert arrays(record)["frames"].shape == (*shape, 64, 64, 3)
        assert json.loads(read(record, JSON))["digest"] == record.digest
        assert len(played(film(record, "mp4"))) == shape[-1]
        for content in (film(record, "webp"), film(record, "gif"), read(record, PNG)):
            # An untrained model's frames are too alike for a WebP to keep them apart.
            Image.open(io.BytesIO(content)).verify()


def test_the_static_code_of_a_prediction_comes_from_the_observed_frames_only(run, film_of, arrays):
    clip = film_of(12)
    predicted = arrays(run(PredictRequest, source={"clip": clip}, observe=5, frames=4))
    start = arrays(run(EncodeRequest, clip=clip, max_frames=5))
    whole = arrays(run(EncodeRequest, clip=clip))
    assert_array_equal(predicted["static"], start["static"])
    assert_array_equal(predicted["dynamic"][:5], start["dynamic"])
    assert not np.array_equal(predicted["static"], whole["static"])
    assert_array_equal(predicted["frames"][:5], start["reconstruction"])


def test_a_prediction_from_a_job_is_that_of_its_clip_and_knows_no_later_frame(run, encoded, film_of, arrays):
    from_job = arrays(run(PredictRequest, source=encoded(12), observe=5, frames=4))
    from_clip = arrays(run(PredictRequest, source={"clip": film_of(12)}, observe=5, frames=4))
    for name in ("static", "dynamic", "frames"):
        assert_array_equal(from_job[name], from_clip[name])


def test_a_prediction_plays_at_the_rate_of_its_source(run, film_of, film, read, arrays):
    record = run(PredictRequest, source={"clip": film_of(12, rate=10)}, observe=5, frames=4, stride=2)
    assert json.loads(read(record, JSON))["fps"] == 5.0
    assert_allclose(arrays(record)["timestamps"], np.arange(9) / 5, atol=1e-3)
    assert_allclose(played(film(record, "mp4")), np.arange(9) / 5, atol=1e-3)
    sampled = run(SampleRequest, frames=4)
    assert_allclose(played(film(sampled, "mp4")), np.arange(4) / 12.5, atol=1e-3)


@pytest.mark.parametrize("fields", [{}, {"max_frames": 3}, {"stride": 4}])
def test_a_clip_too_short_to_observe_is_told_how_many_frames_came(run, film_of, fields):
    problem = run(PredictRequest, source={"clip": film_of(9)}, **fields).problem
    assert (problem.slug, problem.status) == ("too-few-frames", 422)
    came = {"max_frames": 3, "stride": 3}.get(next(iter(fields), ""), 9)
    assert f"10 frames were to be observed, and {came} came" in problem.detail


def test_an_end_past_the_clips_last_frame_is_the_askers_mistake(run, encoded):
    source = encoded(8)
    problem = run(InterpolateRequest, ends=[{"source": source, "frame": frame} for frame in (0, 8)]).problem
    assert (problem.slug, problem.errors[0]["field"]) == ("wrong-value", "ends.1.frame")
    assert "the clip has 8 frames" in problem.detail


def test_the_same_seed_gives_the_same_bytes(run):
    first, again = (run(SampleRequest, seed=9, frames=4, identities=1) for _ in range(2))
    assert first.id == again.id, "one request"
    longer = run(SampleRequest, seed=9, frames=5, identities=1)
    assert longer.id != first.id
