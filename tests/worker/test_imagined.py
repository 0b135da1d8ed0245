"""Clips that nobody filmed are the model's own: of the codes that are told, and of nothing else."""

import io
import json

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from jobs.errors import TooFewFrames, WrongValue
from models.checkpoint import load_model, save_model
from models.drnet import DrNET, DrNETConfig
from models.motion import Motion, MotionConfig
from models.unordered_config import UnorderedVAEConfig
from models.unordered_vae import UnorderedVAE
from worker.coding import draw_identity, encode_clip, to_pictures
from worker.futures import first_frames, foresee
from worker.imagined import draw_codes, sample_clips, walk
from worker.media import Chunk
from worker.results import JSON, NPZ, future_results, imagined_results


def silent(stage, share=None):
    """Nobody wants to know how far it is."""


def saved(folder, name, model, moving=True):
    if moving:
        sizes = {"static_dim": model.static_dim, "dynamic_dim": model.dynamic_dim, "codes": model.dynamic_range}
        model.motion = Motion(MotionConfig(**sizes, hidden=8, layers=1))
    save_model(folder / name, name, model, data={}, card="An untrained model.", dtype=torch.float32)
    return load_model(folder / name)


@pytest.fixture
def vae(tmp_path):
    return saved(tmp_path, "vae", UnorderedVAE(UnorderedVAEConfig.tiny()))


def drnet(tmp_path, content):
    config = DrNETConfig(content=content, pose="dcgan", static_dim=6, dynamic_dim=3, width=4)
    return saved(tmp_path, content, DrNET(config))


@pytest.fixture
def plain(tmp_path):
    return drnet(tmp_path, "dcgan")


@pytest.fixture
def unet(tmp_path):
    return drnet(tmp_path, "dcgan_unet")


def filmed(loaded, seed=0, count=14, rate=10.0):
    frames = np.random.default_rng(seed).integers(0, 256, (count, 64, 64, 3), np.uint8)
    return encode_clip(loaded, [Chunk(frames, np.arange(count) / rate, 1.0)], "cpu", silent)


def arrays_and_answer(results):
    made = dict(results)
    with np.load(io.BytesIO(made[NPZ]()), allow_pickle=False) as stored:
        return dict(stored), json.loads(made[JSON]())


def test_a_seed_draws_the_same_clips_again_and_another_seed_others(vae):
    clips = [sample_clips(vae, None, seed, 2, 6, "cpu", silent) for seed in (3, 3, 4)]
    assert clips[0].frames.shape == (2, 6, 64, 64, 3)
    assert_array_equal(clips[0].frames, clips[1].frames)
    assert not torch.equal(clips[0].static, clips[2].static)
    assert not torch.equal(clips[0].dynamic[0], clips[0].dynamic[1])


def test_the_identity_of_an_encode_does_as_many_different_motions_as_asked(vae):
    who = filmed(vae).codes.static
    made = sample_clips(vae, who, 0, 3, 5, "cpu", silent)
    assert_array_equal(made.static, who.mean.expand(3, -1))
    assert len({tuple(motion.ravel().tolist()) for motion in made.dynamic}) == 3
    expected = to_pictures(vae.model.decode(who, made.dynamic[1:2])[0])
    assert_array_equal(made.frames[1], expected)


def test_samples_keep_their_axis_also_where_there_is_one(vae):
    made = sample_clips(vae, None, 0, 1, 4, "cpu", silent)
    arrays, answer = arrays_and_answer(imagined_results(made, vae, {"seed": 0}, "seed 0", several=True))
    assert arrays["frames"].shape == (1, 4, 64, 64, 3)
    assert arrays["static"].shape == (1, 16)
    assert arrays["dynamic"].shape == (1, 4, 2)
    assert (answer["seed"], answer["frames"], answer["fps"]) == (0, 4, 12.5)
    assert_array_equal(np.array(answer["dynamic"], np.float32), arrays["dynamic"])


def test_a_model_without_motion_samples_frames_apart(tmp_path):
    still = saved(tmp_path, "still", UnorderedVAE(UnorderedVAEConfig.tiny()), moving=False)
    assert sample_clips(still, None, 0, 1, 4, "cpu", silent).frames.shape[1] == 4


def test_a_unets_identity_cannot_be_drawn_but_its_motions_can(unet):
    with pytest.raises(WrongValue, match=r"cannot draw an identity.*static_job"):
        sample_clips(unet, None, 0, 1, 4, "cpu", silent)
    made = sample_clips(unet, filmed(unet).codes.static, 0, 2, 4, "cpu", silent)
    assert made.frames.shape == (2, 4, 64, 64, 3)


@pytest.mark.parametrize("family", ["vae", "plain", "unet"])
def test_a_path_begins_and_ends_with_the_pictures_of_its_ends(family, request):
    loaded = request.getfixturevalue(family)
    first, last = filmed(loaded, 0), filmed(loaded, 1)
    both = walk(loaded, [(first, 2), (last, 7)], 5, "both", "cpu", silent)
    for at, clip, frame in [(0, first, 2), (-1, last, 7)]:
        difference = both.frames[0, at].astype(int) - clip.reconstruction[frame]
        assert np.abs(difference).max() <= 1
    motion = walk(loaded, [(first, 2), (last, 7)], 5, "dynamic", "cpu", silent)
    assert_array_equal(motion.static, first.codes.static.mean.expand(5, -1))
    assert_array_equal(motion.dynamic[0, -1], last.codes.dynamic.mean[0, 7])
    who = walk(loaded, [(first, 2), (last, 7)], 5, "static", "cpu", silent)
    assert_array_equal(who.dynamic[0], first.codes.dynamic.mean[0, 2].expand(5, -1))
    assert_array_equal(who.static[-1], last.codes.static.mean[0])


def test_a_path_has_both_codes_of_every_frame(vae):
    clip = filmed(vae)
    made = walk(vae, [(clip, 0), (clip, 9)], 4, "dynamic", "cpu", silent)
    arrays, answer = arrays_and_answer(imagined_results(made, vae, {"part": "dynamic"}, "a path"))
    assert {name: array.shape for name, array in arrays.items()} == {
        "frames": (4, 64, 64, 3),
        "static": (4, 16),
        "dynamic": (4, 2),
    }
    assert answer["part"] == "dynamic"


def test_a_frame_that_the_clip_has_not_is_told_with_how_many_there_are(vae):
    clip = filmed(vae, count=8)
    with pytest.raises(WrongValue, match=r"ends.1.frame: expected 0 to 7, got 8: the clip has 8 frames"):
        walk(vae, [(clip, 7), (clip, 8)], 4, "both", "cpu", silent)


@pytest.mark.parametrize("family", ["vae", "plain"])
def test_given_codes_are_decoded_as_the_model_decodes_them(family, request):
    loaded = request.getfixturevalue(family)
    clip = filmed(loaded)
    static, dynamic = clip.codes.static.mean[0].tolist(), clip.codes.dynamic.mean[0].tolist()
    made = draw_codes(loaded, static, dynamic, "cpu", silent)
    assert np.abs(made.frames[0].astype(int) - clip.reconstruction).max() <= 1
    arrays, _ = arrays_and_answer(imagined_results(made, loaded, {}, "given codes"))
    assert_allclose(arrays["static"], static)
    assert_allclose(arrays["dynamic"], dynamic)


def test_a_unet_needs_the_maps_of_an_encode_beside_the_vector(unet, plain, vae):
    clip = filmed(unet)
    dynamic = clip.codes.dynamic.mean[0].tolist()
    with pytest.raises(WrongValue, match="name a finished encode as static_job"):
        draw_codes(unet, clip.codes.static.mean[0].tolist(), dynamic, "cpu", silent)
    made = draw_codes(unet, clip.codes.static, dynamic, "cpu", silent)
    assert np.abs(made.frames[0].astype(int) - clip.reconstruction).max() <= 1
    assert [loaded.model.needs_maps for loaded in (unet, plain, vae)] == [True, False, False]


def test_the_future_of_a_clip_is_that_of_the_models_motion(vae):
    seen = filmed(vae, count=6, rate=20.0)
    future = foresee(vae, seen, 9, 1, None, "cpu", silent)
    codes = seen.codes
    expected = vae.model.motion.roll_out(codes.dynamic.mean, codes.static.mean, 9)
    assert_allclose(future.dynamic[0, 6:], expected[0], atol=1e-6)
    assert_array_equal(future.dynamic[0, :6], codes.dynamic.mean[0])
    assert_array_equal(future.frames[0, :6], seen.reconstruction)
    assert_array_equal(future.frames[0, 6:], to_pictures(vae.model.decode(codes.static, expected)[0]))
    assert_allclose(future.timestamps, np.arange(15) / 20.0)


def test_one_future_has_no_axis_of_samples_and_no_spread(vae):
    arrays, answer = arrays_and_answer(future_results(foresee(vae, filmed(vae), 5, 1, None, "cpu", silent), vae))
    assert arrays["frames"].shape == (19, 64, 64, 3)
    assert arrays["dynamic"].shape == (19, 2)
    assert int(arrays["observed"]) == 14
    assert answer["seed"] is answer["spread"] is None
    assert (answer["observed"], answer["frames"], answer["fps"]) == (14, 19, 10.0)


def test_samples_differ_from_the_last_observed_frame_on_and_their_spread_says_how_much(vae):
    future = foresee(vae, filmed(vae), 5, 3, 7, "cpu", silent)
    arrays, answer = arrays_and_answer(future_results(future, vae))
    assert arrays["frames"].shape == (3, 19, 64, 64, 3)
    spread = np.array(answer["spread"])
    assert_allclose(spread, arrays["dynamic"].std(0), atol=1e-6)
    assert (spread[:14] == 0).all()
    assert (spread[14] > 0).all(), "later ones may meet at the end of what codes can be"
    again = foresee(vae, filmed(vae), 5, 3, 7, "cpu", silent)
    assert torch.equal(future.dynamic, again.dynamic)
    assert answer["seed"] == 7


def test_poses_of_a_drnet_stay_in_its_range(plain):
    future = foresee(plain, filmed(plain), 30, 4, 0, "cpu", silent)
    assert future.dynamic.abs().max() <= 1


def test_a_future_is_told_of_the_observed_frames_alone(vae):
    clip = filmed(vae)
    seen = first_frames(vae, clip, 5, "cpu", silent)
    assert len(seen.frames) == len(seen.reconstruction) == len(seen.timestamps) == 5
    assert not torch.equal(seen.codes.static.mean, clip.codes.static.mean)
    assert first_frames(vae, clip, 14, "cpu", silent) is clip
    with pytest.raises(TooFewFrames, match="20 frames were to be observed, and 14 came"):
        first_frames(vae, clip, 20, "cpu", silent)


def test_frames_without_times_of_their_own_are_continued_at_the_rate_of_all_that_has_none(vae):
    frames = np.zeros((3, 64, 64, 3), np.uint8)
    clip = encode_clip(vae, [Chunk(frames, np.zeros(3), 1.0)], "cpu", silent)
    assert foresee(vae, clip, 2, 1, None, "cpu", silent).fps == 12.5


def test_a_seed_means_one_identity_for_a_sample_and_for_a_grid(vae):
    assert_array_equal(draw_identity(vae, 5).mean, sample_clips(vae, None, 5, 1, 1, "cpu", silent).static)
