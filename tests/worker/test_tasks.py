"""Jobs from the queue to their artifacts, by a real warm worker on a real server."""

import io
import json
import shutil
import threading
import time

import av
import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

from jobs.artifacts import ArtifactWriter
from jobs.connection import connect
from jobs.errors import ConfigurationError, InternalError
from jobs.movie_request import MOVIES
from jobs.queue import OnlyOurJob, reap
from jobs.records import Beat
from jobs.requests import EncodeRequest, GridRequest, MovieRequest, Source, SwapRequest
from jobs.workers import announced
from models.checkpoint import load_model, save_model
from models.disentangler import encode_in_chunks
from models.unordered_config import UnorderedVAEConfig
from models.unordered_vae import UnorderedVAE
from tests.worker.drawn import film, moving_square
from worker.__main__ import lay_out
from worker.attempt import Attempt
from worker.coding import to_frames
from worker.results import JSON, NPZ, PNG
from worker.warm import WarmWorker


@pytest.fixture
def bench(settings):
    bench = lay_out(settings)
    yield bench
    bench.close()


@pytest.fixture
def digest(bench):
    return bench.shelf.loaded["tiny"]


@pytest.fixture
def upload(bench):
    return lambda content: bench.artifacts.write(content).sha256


def submit(bench, request, owner="asker"):
    record = bench.store.create_once(bench.store.new_id(), request, owner)
    bench.queue.deliver(record)
    return record


def work(bench, queue="batch"):
    with connect(bench.store.settings.redis_url, answer_timeout=None) as redis:
        WarmWorker(queue, redis, bench).work(burst=True, logging_level="ERROR")


def run(bench, request):
    record = submit(bench, request)
    work(bench, record.queue)
    return bench.store.get(record.id)


def read(bench, record, media_type):
    return bench.artifacts.path(record.results[media_type].sha256).read_bytes()


def arrays(bench, record):
    with np.load(io.BytesIO(read(bench, record, NPZ)), allow_pickle=False) as stored:
        return dict(stored)


def drawn(bench, record, moving):
    """Have a movie of a finished job drawn, by a job as the service asks for it."""
    stored = record.results[NPZ]
    said = {"parent": record.id, "of": record.kind, "arrays": stored.sha256, "format": moving}
    made = run(bench, MovieRequest(model=record.model, digest=record.digest, **said))
    assert made.status == "succeeded", made.problem
    assert bench.store.get(record.id).results[MOVIES[moving]] == made.results[MOVIES[moving]], "it is a result then"
    return read(bench, made, MOVIES[moving])


def movie(content):
    with av.open(io.BytesIO(content)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.pix_fmt == "yuv420p"
        return [(frame.time, frame.to_ndarray(format="rgb24")) for frame in container.decode(stream)]


def test_an_encode_can_be_had_in_every_representation_and_its_codes_are_the_models(bench, digest, upload, models_dir):
    frames = moving_square(20, 64, 64)
    clip = upload(film(frames, "ffv1", "matroska", "bgr0"))
    record = run(bench, EncodeRequest(model="tiny", digest=digest, clip=clip))
    assert record.status == "succeeded"
    assert record.progress == 1
    assert set(record.results) == {JSON, NPZ, PNG}

    stored = arrays(bench, record)
    assert_array_equal(stored["frames"], frames)
    model = load_model(models_dir / "tiny").model
    expected = encode_in_chunks(model, to_frames(frames, model, "cpu"))
    assert_allclose(stored["static"], expected.static.mean[0].detach().numpy(), atol=1e-5)
    assert_allclose(stored["dynamic"], expected.dynamic.mean[0].detach().numpy(), atol=1e-5)
    assert stored["dynamic"].dtype == stored["static_std"].dtype == np.float32
    assert stored["reconstruction"].shape == frames.shape

    said = json.loads(read(bench, record, JSON))
    assert (said["model"], said["digest"], said["frames"], said["fps"]) == ("tiny", digest, 20, 25.0)
    assert np.array_equal(np.array(said["dynamic"], np.float32), stored["dynamic"])
    assert set(said["fit"]) == {"psnr_db", "elbo_nats", "percentile", "typical", "reason"}

    played = movie(drawn(bench, record, "mp4"))
    assert_allclose([time for time, _ in played], stored["timestamps"], atol=1e-4)
    factor = played[0][1].shape[0] // 64
    assert np.abs(played[7][1][::factor, : 64 * factor : factor].astype(int) - frames[7]).mean() < 3
    for moving in ("webp", "gif"):
        looped = Image.open(io.BytesIO(drawn(bench, record, moving)))
        assert looped.n_frames == 20
        assert looped.info["loop"] == 0
    assert Image.open(io.BytesIO(read(bench, record, PNG))).width == 1200


def test_frames_keep_their_uneven_times_in_the_movie(bench, digest, upload):
    times = [0.0, 0.017, 0.05, 0.3, 0.8, 0.84]
    record = run(bench, EncodeRequest(model="tiny", digest=digest, clip=upload(film(moving_square(6), times=times))))
    assert_allclose([time for time, _ in movie(drawn(bench, record, "mp4"))], times, atol=1e-4)


def test_a_still_picture_is_encoded_too(bench, digest, upload):
    buffer = io.BytesIO()
    Image.fromarray(moving_square(1)[0]).save(buffer, "PNG")
    record = run(bench, EncodeRequest(model="tiny", digest=digest, clip=upload(buffer.getvalue())))
    assert record.status == "succeeded"
    assert json.loads(read(bench, record, JSON))["fps"] is None


def test_the_same_clip_gives_the_same_bytes_twice(bench, digest, upload):
    clip = upload(film(moving_square(9)))
    whole = run(bench, EncodeRequest(model="tiny", digest=digest, clip=clip))
    again = run(bench, EncodeRequest(model="tiny", digest=digest, clip=clip, max_frames=9))
    assert whole.id != again.id
    assert {kind: made.sha256 for kind, made in whole.results.items()} == {
        kind: made.sha256 for kind, made in again.results.items()
    }


def test_a_swap_of_files_and_of_finished_codes_are_the_same(bench, digest, upload):
    one, other = (upload(film(frames)) for frames in (moving_square(5), 255 - moving_square(9)))
    swapped = run(bench, SwapRequest(model="tiny", digest=digest, static=[{"clip": one}], dynamic=[{"clip": other}]))
    jobs = [run(bench, EncodeRequest(model="tiny", digest=digest, clip=clip)) for clip in (one, other)]
    codes = [Source(codes=job.results[NPZ].sha256, job=job.id) for job in jobs]
    of_codes = run(bench, SwapRequest(model="tiny", digest=digest, static=[codes[0]], dynamic=[codes[1]]))
    assert_array_equal(arrays(bench, swapped)["frames"], arrays(bench, of_codes)["frames"])
    assert json.loads(read(bench, swapped, JSON)) == json.loads(read(bench, of_codes, JSON))


def test_a_matrix_holds_every_pair_and_short_motions_hold_their_last_frame(bench, digest, upload):
    clips = [{"clip": upload(film(moving_square(count)))} for count in (4, 7)]
    record = run(bench, SwapRequest(model="tiny", digest=digest, static=[*clips, clips[0]], dynamic=clips))
    stored = arrays(bench, record)
    assert stored["frames"].shape == (3, 2, 7, 64, 64, 3)
    assert stored["lengths"].tolist() == [4, 7]
    assert (stored["frames"][:, 0, 4:] == stored["frames"][:, 0, 3:4]).all()
    assert_array_equal(stored["frames"][0], stored["frames"][2])
    assert stored["static"].shape == (3, 16)
    assert stored["dynamic"].shape == (2, 7, 2)
    assert set(record.results) == {JSON, NPZ, PNG}
    assert len(movie(drawn(bench, record, "mp4"))) == 7


def test_a_clip_swapped_onto_itself_is_its_reconstruction(bench, digest, upload):
    clip = upload(film(moving_square(6)))
    encoded = run(bench, EncodeRequest(model="tiny", digest=digest, clip=clip))
    for how in ("raw", "prior"):
        same = [{"clip": clip}]
        swapped = run(bench, SwapRequest(model="tiny", digest=digest, static=same, dynamic=same, transfer=how))
        difference = arrays(bench, swapped)["frames"][0, 0].astype(int) - arrays(bench, encoded)["reconstruction"]
        assert np.abs(difference).max() <= 1


def test_codes_of_another_model_are_refused(bench, digest, upload):
    encoded = run(bench, EncodeRequest(model="tiny", digest=digest, clip=upload(film(moving_square(4)))))
    stored = arrays(bench, encoded)
    stored["digest"] = np.array("sha256:" + "0" * 64)
    buffer = io.BytesIO()
    np.savez(buffer, **stored)
    foreign = Source(codes=upload(buffer.getvalue()))
    record = run(bench, SwapRequest(model="tiny", digest=digest, static=[foreign], dynamic=[foreign]))
    assert record.status == "failed"
    assert record.problem.status == 422
    assert "mean nothing to another model" in record.problem.detail


def test_a_grid_comes_from_a_seed_or_from_a_clip(bench, digest, upload):
    encoded = run(bench, EncodeRequest(model="tiny", digest=digest, clip=upload(film(moving_square(4)))))
    of_seed = run(bench, GridRequest(model="tiny", digest=digest, seed=3, size=4))
    again = run(bench, GridRequest(model="tiny", digest=digest, seed=3, size=4, extent=2.5000001))
    of_clip = run(
        bench, GridRequest(model="tiny", digest=digest, static=Source(codes=encoded.results[NPZ].sha256), size=3)
    )
    assert set(of_seed.results) == {JSON, NPZ, PNG}
    stored = arrays(bench, of_seed)
    assert stored["frames"].shape == (4, 4, 64, 64, 3)
    assert stored["coordinates"].shape == (4, 4, 2)
    assert_allclose(stored["coordinates"], arrays(bench, again)["coordinates"], atol=1e-4)
    assert arrays(bench, of_clip)["frames"].shape == (3, 3, 64, 64, 3)
    said = json.loads(read(bench, of_seed, JSON))
    assert (said["size"], said["seed"], said["spacing"], said["extent"], len(said["dims"])) == (4, 3, "linear", 2.5, 2)
    picture = np.asarray(Image.open(io.BytesIO(read(bench, of_seed, PNG))))
    assert_array_equal(picture[:256:4, :256:4], stored["frames"][0, 0])


def test_a_dimension_that_the_model_has_not_is_the_askers_mistake(bench, digest):
    record = run(bench, GridRequest(model="tiny", digest=digest, seed=1, dims="0,7"))
    assert record.problem.slug == "wrong-value"
    assert "expected two of 0 to 1" in record.problem.detail


def test_principal_axes_are_asked_of_a_model_that_tells_them(bench, digest):
    record = run(bench, GridRequest(model="tiny", digest=digest, seed=1, dims="principal"))
    assert record.problem.slug == "wrong-value"
    assert "tiny: this model's folder does not tell its principal axes" in record.problem.detail


def test_a_broken_clip_fails_with_its_problem_and_the_next_job_works(bench, digest, upload):
    broken = submit(bench, EncodeRequest(model="tiny", digest=digest, clip=upload(b"no film at all, only words")))
    sound = submit(bench, EncodeRequest(model="tiny", digest=digest, clip=upload(film(moving_square(3)))))
    work(bench)
    assert bench.store.get(broken.id).problem.slug == "not-a-media"
    assert bench.store.get(sound.id).status == "succeeded"


def test_too_many_pictures_of_a_swap_are_refused(settings, upload, bench, digest):
    short = settings.model_copy(update={"max_clip_frames": 10})
    small = lay_out(short)
    clip = {"clip": upload(film(moving_square(10)))}
    record = run(small, SwapRequest(model="tiny", digest=digest, static=[clip] * 3, dynamic=[clip] * 3))
    assert record.problem.slug == "too-many-frames"
    assert "90 pictures; at most 80" in record.problem.detail
    small.close()


def test_what_is_ours_to_mend_is_an_internal_error_without_a_trace_of_the_inside(bench, digest, upload):
    record = submit(bench, EncodeRequest(model="tiny", digest=digest, clip=upload(film(moving_square(3)))))
    bench.artifacts.root.joinpath("incoming").rmdir()  # results have nowhere to go
    work(bench)
    problem = bench.store.get(record.id).problem
    assert type(problem) is InternalError
    assert problem.detail == "internal error; the server's log says more"


@pytest.mark.parametrize(("device", "poisoned"), [("cpu", False), ("cuda", True)])
def test_after_what_is_ours_to_mend_a_gpu_is_not_trusted_any_more(bench, digest, upload, monkeypatch, device, poisoned):
    def broken(*arguments):
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    record = submit(bench, EncodeRequest(model="tiny", digest=digest, clip=upload(film(moving_square(3)))))
    monkeypatch.setattr(bench.shelf, "device", device)
    monkeypatch.setattr("worker.tasks.perform", broken)
    work(bench)
    assert type(bench.store.get(record.id).problem) is InternalError
    assert bench.poisoned is poisoned


def test_a_deleted_clip_is_told(bench, digest, upload):
    clip = upload(film(moving_square(3)))
    record = submit(bench, EncodeRequest(model="tiny", digest=digest, clip=clip))
    bench.artifacts.delete(clip)
    work(bench)
    assert bench.store.get(record.id).problem.slug == "unknown-clip"


def test_a_job_canceled_while_it_runs_ends_canceled_within_a_second(bench, digest, upload):
    clip = upload(film(moving_square(1500), options={"preset": "ultrafast"}))
    record = submit(bench, EncodeRequest(model="tiny", digest=digest, clip=clip))
    canceled = []

    def cancel():
        while bench.store.get(record.id).progress <= 0:
            time.sleep(0.01)
        assert bench.store.request_cancel(record.id) == "asked"
        canceled.append(time.monotonic())

    thread = threading.Thread(target=cancel)
    thread.start()
    work(bench)
    ended = time.monotonic()
    thread.join()
    stood = bench.store.get(record.id)
    assert stood.status == "canceled"
    assert not stood.results
    assert ended - canceled[0] < 3, "a second, and what a busy machine adds"


def test_a_purge_of_an_equal_clip_while_results_are_made_takes_none_of_them(bench, digest, upload, monkeypatch):
    clip = upload(film(moving_square(3)))
    first = run(bench, EncodeRequest(model="tiny", digest=digest, clip=clip))
    publish = ArtifactWriter.publish

    def purging(writer):
        made = publish(writer)
        if bench.store.get(first.id) is not None:
            for sha256 in bench.store.purge(bench.store.get(first.id)):
                bench.artifacts.delete(sha256)
        return made

    monkeypatch.setattr(ArtifactWriter, "publish", purging)
    second = run(bench, EncodeRequest(model="tiny", digest=digest, clip=clip, max_frames=1000))
    assert bench.store.get(first.id) is None
    assert second.results[NPZ] == first.results[NPZ], "equal arrays are one artifact"
    lost = [kind for kind, made in second.results.items() if not bench.artifacts.exists(made.sha256)]
    assert not lost


def test_what_a_job_wrote_in_the_moment_of_its_cancel_is_deleted(bench, digest, upload, monkeypatch):
    commit = Attempt.commit

    def canceled(attempt, results):
        assert all(bench.artifacts.exists(one.sha256) for one in results.values())
        assert bench.store.request_cancel(attempt.record.id) == "asked"
        return commit(attempt, results)

    monkeypatch.setattr(Attempt, "commit", canceled)
    clip = upload(film(moving_square(3)))
    record = run(bench, EncodeRequest(model="tiny", digest=digest, clip=clip))
    assert record.status == "canceled"
    assert [stored.sha256 for stored in bench.artifacts.all()] == [clip]


def test_an_attempt_that_lost_its_job_commits_nothing(bench, digest, upload):
    record = submit(bench, EncodeRequest(model="tiny", digest=digest, clip=upload(film(moving_square(3)))))
    late = Attempt.begin(bench.store, record.id)
    assert bench.store.take_back(record.id, late.execution) == "queued"
    bench.queue.deliver(bench.store.get(record.id))
    work(bench)
    done = bench.store.get(record.id)
    assert done.status == "succeeded"
    assert done.attempts == 2
    assert not late.commit({JSON: bench.artifacts.write(b"{}")})
    assert bench.store.get(record.id).results == done.results
    assert bench.store.beat(record.id, late.execution) is Beat.LOST


def test_a_worker_that_is_told_to_stop_hands_its_job_back_however_often(bench, digest, upload):
    record = submit(bench, EncodeRequest(model="tiny", digest=digest, clip=upload(film(moving_square(3)))))
    for _ in range(bench.store.settings.max_attempts + 2):
        assert Attempt.begin(bench.store, record.id).give_back() == "queued"


def test_a_job_that_was_popped_and_lost_is_delivered_again(bench, digest, upload, monkeypatch):
    monkeypatch.setattr("jobs.queue.LOST_AFTER", 0.0)
    record = submit(bench, EncodeRequest(model="tiny", digest=digest, clip=upload(film(moving_square(3)))))
    queue = bench.queue.queues["batch"]
    bench.store.redis.lmove(queue.key, queue.intermediate_queue_key)  # a worker took it, and died
    assert reap(bench.store, bench.queue) == [record.id]
    work(bench)
    assert bench.store.get(record.id).status == "succeeded"


def test_a_worker_runs_no_function_but_ours(bench, tmp_path):
    victim = tmp_path / "victim"
    victim.mkdir()
    queue = bench.queue.queues["batch"]
    queue.enqueue_call("os.rmdir", args=(str(victim),), job_id="crafted")
    work(bench)
    assert victim.exists()
    job = OnlyOurJob.fetch("crafted", connection=bench.store.redis, serializer=queue.serializer)
    assert job.get_status() == "failed"
    assert "refused to run" in job.latest_result().exc_string


def test_a_missing_default_model_is_the_operators_to_mend(settings, tmp_path):
    with pytest.raises(ConfigurationError, match="no model 'tiny'"):
        lay_out(settings.model_copy(update={"models_dir": tmp_path / "nowhere"}))
    with pytest.raises(ConfigurationError, match="TWOFOLD_REDIS_URL is not set"):
        lay_out(settings.model_copy(update={"redis_url": None}))


def test_a_new_model_is_served_without_a_restart_and_a_changed_one_is_not_taken_for_the_old(bench, models_dir, upload):
    second = models_dir / "second"
    torch.manual_seed(1)
    digest = save_model(second, "second", UnorderedVAE(UnorderedVAEConfig.tiny()), data={}, card="Another.")
    try:
        request = EncodeRequest(model="second", digest=digest, clip=upload(film(moving_square(3))))
        assert run(bench, request).status == "succeeded"
        assert set(bench.shelf.loaded) == {"tiny", "second"}
        stale = EncodeRequest(model="second", digest="sha256:" + "0" * 64, clip=request.clip)
        assert run(bench, stale).problem.slug == "model-changed"
    finally:
        shutil.rmtree(second)


def test_a_warm_worker_announces_itself_and_says_goodbye(bench):
    seen = []

    def look():
        with connect(bench.store.settings.redis_url) as redis:
            deadline = time.monotonic() + 20
            while not seen and time.monotonic() < deadline:
                seen.extend(announced(redis))
                time.sleep(0.02)

    thread = threading.Thread(target=look)
    thread.start()
    with connect(bench.store.settings.redis_url, answer_timeout=None) as redis:
        WarmWorker("interactive", redis, bench).work(max_idle_time=2, logging_level="ERROR")
    thread.join()
    assert [(one.queue, one.device, list(one.models)) for one in seen] == [("interactive", "cpu", ["tiny"])]
    assert announced(bench.store.redis) == []
