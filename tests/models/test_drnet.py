"""DrNET's codes: which frame gives the content, what is kept beside it, and what the model can sample."""

from functools import partial

import pytest
import torch

from models.checkpoint import CheckpointError, build, load_model, save_model
from models.compose import interpolate
from models.disentangler import encode_in_chunks
from models.drnet import DrNET, DrNETConfig
from models.unordered_config import UnorderedVAEConfig
from models.unordered_vae import UnorderedVAE


def tiny(**sizes) -> DrNET:
    config = DrNETConfig(**{"content": "dcgan", "pose": "dcgan", "static_dim": 6, "dynamic_dim": 3, "width": 4} | sizes)
    return DrNET(config).eval()


@pytest.fixture
def frames():
    return torch.rand(2, 5, 3, 64, 64)


@pytest.mark.parametrize("content", ["dcgan", "dcgan_unet", "vgg_unet"])
@pytest.mark.parametrize("pose", ["dcgan", "resnet"])
@torch.inference_mode()
def test_a_clip_in_chunks_has_the_codes_and_pictures_of_the_whole(content, pose, frames):
    model = tiny(content=content, pose=pose)
    whole, chunked = model.encode(frames[:1]), encode_in_chunks(model, frames[0], chunk=2)
    torch.testing.assert_close(whole.static.mean, chunked.static.mean)
    torch.testing.assert_close(whole.dynamic.mean, chunked.dynamic.mean)
    again = [model.decode(codes.static, codes.dynamic.mean) for codes in (whole, chunked)]
    assert again[0].shape == (1, 5, 3, 64, 64)
    torch.testing.assert_close(*again)


@torch.inference_mode()
def test_the_content_is_that_of_a_frame_whatever_the_order(frames):
    model = tiny(content="dcgan_unet")
    shuffled = frames[:, [3, 1, 4, 0, 2]]
    codes, other = model.encode(frames), model.encode(shuffled)
    torch.testing.assert_close(codes.static.mean, other.static.mean)
    for maps, others in zip(codes.static.skips, other.static.skips, strict=True):
        torch.testing.assert_close(maps, others)
    of_frames = torch.stack([model.content(frames[:, number])[0] for number in range(5)], 1)
    nearest = (of_frames - codes.static.mean[:, None]).abs().amax(2).amin(1)
    assert float(nearest.max()) < 1e-5


@torch.inference_mode()
def test_codes_do_not_depend_on_who_else_is_in_the_batch(frames):
    model = tiny()
    alone, together = model.encode(frames[:1]), model.encode(frames)
    torch.testing.assert_close(alone.dynamic.mean, together.dynamic.mean[:1])
    torch.testing.assert_close(alone.static.mean, together.static.mean[:1])


@pytest.mark.parametrize(
    "make",
    [
        tiny,
        partial(tiny, unit_pose=True, content="dcgan_unet"),
        lambda: UnorderedVAE(UnorderedVAEConfig.tiny()),
    ],
)
@torch.inference_mode()
def test_dynamic_codes_alone_are_those_of_the_whole(make, frames):
    model = make()
    whole, alone = model.encode(frames).dynamic, model.encode_dynamic(frames)
    torch.testing.assert_close(alone.mean, whole.mean)
    torch.testing.assert_close(alone.std, whole.std)


@torch.inference_mode()
def test_poses_alone_are_read_without_the_contents_network(frames):
    model = tiny()
    model.content_encoder.forward = None
    assert model.encode_dynamic(frames).mean.shape == (2, 5, 3)


@torch.inference_mode()
def test_unit_poses_have_length_1(frames):
    lengths = tiny(unit_pose=True).encode(frames).dynamic.mean.norm(dim=2)
    torch.testing.assert_close(lengths, torch.ones(2, 5))


@torch.inference_mode()
def test_unit_contents_have_length_1_sampled_ones_too(frames):
    model = tiny(unit_content=True)
    drawn = model.sample_static(5, torch.Generator().manual_seed(0)).mean
    for contents in (model.encode(frames).static.mean, drawn):
        torch.testing.assert_close(contents.norm(dim=1), torch.ones(len(contents)))


@torch.inference_mode()
def test_unit_contents_keep_length_1_on_a_path(frames):
    model = tiny(unit_content=True)
    codes = model.encode(frames)
    static, _, who = interpolate(
        model, (codes[:1].static, codes[1:].static), tuple(codes.dynamic.mean[:, 0]), 5, "static"
    )
    torch.testing.assert_close(static.norm(dim=1), torch.ones(5))
    torch.testing.assert_close(static[[0, -1]], codes.static.mean)
    torch.testing.assert_close(torch.cat([code.mean for code in who]), static)


def test_a_vector_of_content_can_be_sampled_and_a_unets_cannot():
    model = tiny()
    model.content_mean += 0.5
    model.content_factor *= 0.1
    drawn = model.sample_static(2000, torch.Generator().manual_seed(0)).mean
    assert drawn.mean() == pytest.approx(0.5, abs=0.01)
    assert drawn.std() == pytest.approx(0.1, abs=0.01)
    with pytest.raises(ValueError, match="maps of a real frame"):
        tiny(content="dcgan_unet").sample_static(1, torch.Generator())


@pytest.mark.parametrize(
    "sizes", [{"content": "vgg_unet", "pose": "resnet"}, {"content": "dcgan_unet", "residual": True}]
)
def test_a_saved_model_is_the_same_model(tmp_path, frames, sizes):
    model = tiny(**sizes)
    for value in model.parameters():
        torch.nn.init.normal_(value, 0.0, 0.1)
    model.train()
    model.pose(frames[0])  # batch statistics other than the initial ones
    model.eval()
    save_model(tmp_path, "tiny", model, data={}, card="", dtype=torch.float32)
    loaded = load_model(tmp_path).model
    codes, again = model.encode(frames), loaded.encode(frames)
    torch.testing.assert_close(codes.dynamic.mean, again.dynamic.mean)
    torch.testing.assert_close(*(of.decode(codes.static, codes.dynamic.mean) for of in (model, loaded)))
    save_model(tmp_path, "tiny", model, data={}, card="")  # as fp16, its counters of batches as they are
    assert load_model(tmp_path).config["family"] == "drnet"


def test_sizes_that_do_not_exist_are_refused():
    with pytest.raises(CheckpointError, match="image_size must be 64 or 128, got 96"):
        build("drnet", {"content": "dcgan", "pose": "dcgan", "image_size": 96})
    with pytest.raises(CheckpointError, match=r"(?s)do not fit drnet.*pose"):
        build("drnet", {"content": "dcgan", "pose": "vgg"})


@pytest.mark.parametrize("content", ["dcgan", "dcgan_unet"])
def test_residual_blocks_begin_as_nothing_and_then_decide_by_pose_what_the_contents_maps_draw(content, frames):
    torch.manual_seed(0)
    plain = tiny(content=content)
    model = tiny(content=content, residual=True)
    model.load_state_dict(plain.state_dict(), strict=False)
    with torch.inference_mode():
        codes = plain.encode(frames)
        as_before = plain.decode(codes.static, codes.dynamic.mean)
        torch.testing.assert_close(model.decode(codes.static, codes.dynamic.mean), as_before, rtol=0, atol=0)
    last, beside = model.decoder.blocks[-1], []
    last.register_forward_pre_hook(lambda block, given: beside.extend(given[1:]))
    model.decode(codes.static, codes.dynamic.mean.clone()).square().mean().backward()
    assert last.second.weight.grad.abs().sum() > 0, "what begins as nothing learns"
    assert [maps.shape for maps in beside] == [(10, 4, 32, 32)] * (content == "dcgan_unet")
    if content == "dcgan_unet":
        torch.testing.assert_close(beside[0], codes.static.skips[0].repeat_interleave(5, 0))
        torch.nn.init.normal_(last.second.weight)
        maps, other, skip, other_skip = torch.randn(4, 1, 4, 32, 32)
        with torch.inference_mode():
            of_skip, of_skip_beside_other = (last(seen, skip) - last(seen, other_skip) for seen in (maps, other))
        assert float((of_skip - of_skip_beside_other).abs().max()) > 0.01, "what a skip draws is not always the same"


def test_residual_blocks_of_a_vgg_decoder_are_refused():
    with pytest.raises(CheckpointError, match="content vgg_unet has none"):
        build("drnet", {"content": "vgg_unet", "pose": "dcgan", "residual": True})


@pytest.mark.parametrize("asked", [False, True])
def test_codes_depend_on_the_batch_only_where_batch_statistics_are_asked_for_and_never_as_served(asked, tmp_path):
    frames = torch.rand(3, 4, 3, 64, 64)

    def depends(model):
        together, alone = model.encode(frames).dynamic.mean[:1], model.encode(frames[:1]).dynamic.mean
        return not torch.allclose(together, alone, atol=1e-5)

    model = tiny(batch_statistics=asked)
    model.keep_batch_statistics()
    model.eval()
    assert depends(model) == asked
    save_model(tmp_path, "tiny", model, data={}, card="", dtype=torch.float32)
    served = load_model(tmp_path).model
    assert not depends(served)
    served.keep_batch_statistics()
    assert depends(served) == asked
