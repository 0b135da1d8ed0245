"""What jobs give: their codes and pictures, in every representation."""

import io
import json
import shutil

import av
import numpy as np
import torch
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

from jobs.movie_request import MOVIES
from jobs.requests import EncodeRequest, GridRequest, MovieRequest, Source, SwapRequest
from models.checkpoint import load_model, save_model
from models.disentangler import encode_in_chunks
from models.unordered_config import UnorderedVAEConfig
from models.unordered_vae import UnorderedVAE
from tests.worker.doing import arrays, read, run
from tests.worker.drawn import film, moving_square
from worker.coding import to_frames
from worker.results import JSON, NPZ, PNG


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
