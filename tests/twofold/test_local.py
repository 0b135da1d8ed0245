"""`--local`: the worker's functions in this process, and `load`: a model in this process."""

import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from jobs.errors import NotAcceptable, NotAMedia, UnknownJob, UnknownModel, WrongValue
from jobs.settings import Settings
from models.checkpoint import CheckpointError
from twofold import load
from twofold.local import Local
from twofold.results import Decoded, Encoded, Interpolated, Job, Predicted, Sampled, unpack
from twofold.samples import write_face_clips


@pytest.fixture
def local(models_dir: Path, tmp_path: Path) -> Iterator[Local]:
    with Local(Settings(models_dir=models_dir, data_dir=tmp_path / "data", default_model="mine")) as made:
        yield made


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_face_clips(tmp_path_factory.mktemp("clips"), count=2)


def test_an_encode_is_that_of_the_model_itself(local, clips, models_dir):
    job = local.wait(local.submit_encode(clips[0], max_frames=6))
    codes = unpack(local.result(job, "npz"))
    model = load(str(models_dir / "mine"))
    frames = torch.from_numpy(codes["frames"]).permute(0, 3, 1, 2)[None] / 255
    with torch.inference_mode():
        expected = model.encode(frames)
    np.testing.assert_allclose(codes["static"], expected.static.mean[0], rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(codes["dynamic"], expected.dynamic.mean[0], rtol=1e-3, atol=1e-4)


def test_the_same_clip_twice_is_the_same_bytes(local, clips):
    results = [
        local.result(local.wait(local.submit_encode(clips[0], max_frames=4)), representation)
        for _ in range(2)
        for representation in ("json", "npz", "png", "mp4")
    ]
    assert results[:4] == results[4:]


def test_progress_is_told_and_never_falls(local, clips):
    seen: list[Job] = []
    done = local.wait(local.submit_encode(clips[0]), progress=seen.append)
    assert done.status == "succeeded"
    assert seen[-1].progress == 1
    assert len({job.stage for job in seen}) > 2
    assert all(job.status == "running" for job in seen)


def test_a_swap_takes_clips_and_earlier_codes_alike(local, clips):
    job = local.wait(local.submit_encode(clips[0]))
    encoded = Encoded.of(job.id, {name: local.result(job, name) for name in ("json", "npz")})
    swaps = [local.wait(local.submit_swap([one], [clips[1]])) for one in (clips[0], encoded)]
    arrays = [unpack(local.result(swap, "npz")) for swap in swaps]
    assert np.array_equal(arrays[0]["static"], arrays[1]["static"])
    assert np.abs(arrays[0]["frames"].astype(int) - arrays[1]["frames"]).max() <= 1


def test_a_grid_shows_a_clips_identity(local, clips):
    encoded = local.wait(local.submit_encode(clips[0]))
    done = local.wait(local.submit_latent_grid(static_job=encoded.id, size=3))
    assert json.loads(local.result(done, "json"))["dims"] == [0, 1]
    assert min(Image.open(io.BytesIO(local.result(done, "png"))).size) >= 3 * 64
    drawn = local.wait(local.submit_latent_grid(size=3))
    assert local.result(drawn, "png") != local.result(done, "png")


def read(local, job, kind):
    done = local.wait(job)
    return kind.of(done.id, {name: local.result(done, name) for name in ("json", "npz")})


def test_a_clip_is_continued_by_the_models_motion(local, clips):
    fields = {"model": "moving", "observe": 4, "frames": 3}
    future = read(local, local.submit_predict(clips[0], **fields), Predicted)
    assert (future.observed, future.seed, future.spread) == (4, None, None)
    assert future.frames.shape == (7, 64, 64, 3)
    encoded = read(local, local.submit_encode(clips[0], model="moving"), Encoded)
    of_codes = read(local, local.submit_predict(encoded, observe=4, frames=3, samples=2), Predicted)
    assert of_codes.model == "moving", "the codes say whose they are"
    assert of_codes.seed == 0
    np.testing.assert_allclose(of_codes.dynamic[1, :4], encoded.dynamic[:4], atol=1e-4)  # encoded again by themselves
    np.testing.assert_allclose(of_codes.spread, of_codes.dynamic.std(0), atol=1e-6)


def test_samples_paths_and_given_codes_are_the_models_own(local, clips, models_dir):
    encoded = read(local, local.submit_encode(clips[0], max_frames=5), Encoded)
    sampled = read(local, local.submit_sample(seed=4, identities=2, frames=3), Sampled)
    assert (sampled.seed, sampled.frames.shape) == (4, (2, 3, 64, 64, 3))
    same = read(local, local.submit_sample(static_job=encoded.job, identities=2, frames=3), Sampled)
    np.testing.assert_array_equal(same.static[1], encoded.static)
    path = read(local, local.submit_interpolate([(encoded.job, 0), (encoded.job, 4)], steps=3), Interpolated)
    np.testing.assert_allclose(path.dynamic[1], (encoded.dynamic[0] + encoded.dynamic[4]) / 2, atol=1e-5)
    drawn = read(local, local.submit_decode(encoded.dynamic, static=encoded.static), Decoded)
    assert np.abs(drawn.frames.astype(int) - encoded.reconstruction).max() <= 1
    of_job = read(local, local.submit_decode(encoded.dynamic, static_job=encoded.job), Decoded)
    np.testing.assert_array_equal(of_job.frames, drawn.frames)


def test_what_a_model_cannot_do_is_told_before_anything_is_done(local, clips):
    with pytest.raises(WrongValue, match=r"mine has no motion model.*moving"):
        local.submit_predict(clips[0])
    with pytest.raises(WrongValue, match=r"dynamic.1: expected 2 numbers, as mine has, got 3") as caught:
        local._take("decode", {}, static=[0.0] * 16, identity=None, dynamic=[[0.0] * 2, [0.0] * 3])
    assert caught.value.errors[0]["field"] == "dynamic.1"
    with pytest.raises(WrongValue, match="finite"):
        local.submit_decode([[float("nan"), 0]], static=[0.0] * 16)
    sampled = local.wait(local.submit_sample(frames=2))
    with pytest.raises(WrongValue, match="expected an encode"):
        local.submit_sample(static_job=sampled.id)


def test_what_cannot_be_done_is_the_problem_a_server_would_answer(local, clips, tmp_path):
    with pytest.raises(UnknownModel, match="mine"):
        local.submit_encode(clips[0], model="yours")
    with pytest.raises(WrongValue, match="stride"):
        local.submit_encode(clips[0], stride=0)
    with pytest.raises(UnknownJob, match="--clip"):
        local.submit_latent_grid(static_job="0" * 32)
    text = tmp_path / "text.mp4"
    text.write_text("no video at all")
    with pytest.raises(NotAMedia):
        local.wait(local.submit_encode(text))
    done = local.wait(local.submit_latent_grid(size=2))
    with pytest.raises(NotAcceptable, match="png"):
        local.result(done, "mp4")


def test_models_are_those_of_this_machine(local):
    assert "mine" in {model["name"] for model in local.models()}


def test_load_refuses_what_is_no_model(tmp_path, monkeypatch):
    with pytest.raises(UnknownModel):
        load("no-such-model")
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(CheckpointError):
        load(str(tmp_path))
