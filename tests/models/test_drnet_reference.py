"""Our networks are those of the authors' code: same weights in, same numbers out."""

import json
import zlib
from functools import partial

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from models.drnet import DrNETConfig
from models.drnet_blocks import (
    Decoder,
    ResNetEncoder,
    SceneDiscriminator,
    dcgan_decoder,
    dcgan_encoder,
    vgg_decoder,
    vgg_encoder,
)
from models.drnet_reference import (
    DECODER,
    DISCRIMINATOR,
    ForeignWeights,
    config_of,
    import_drnet,
    load_reference,
    read_parts,
    rules_for_encoder,
)
from models.plane import Plane, latent_grid

CONTENT, POSE, WIDTH = 128, 10, 64


@pytest.fixture(scope="module")
def reference(shared_data):
    return shared_data / "drnet_reference"


@pytest.fixture(scope="module")
def outputs(reference):
    with np.load(reference / "outputs.npz") as arrays:
        return {name: torch.from_numpy(arrays[name]) for name in arrays.files}


@pytest.fixture(scope="module")
def weights(reference):
    """Every network's tensors, filled by the rule that the reference numbers were made with."""
    networks = json.loads((reference / "state_dicts.json").read_text())
    return {
        network: {name: filled(name, tuple(shape)) for name, shape in shapes.items()}
        for network, shapes in networks.items()
    }


def filled(name, shape):
    noise = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(shape).astype(np.float32)
    if name.endswith("running_var"):
        noise = 0.5 + 0.5 * abs(noise)
    elif name.endswith("running_mean"):
        noise = 0.1 * noise
    elif len(shape) == 1:
        noise = (1 if name.endswith("weight") else 0) + 0.1 * noise
    else:
        noise = noise / np.sqrt(np.prod(shape[1:]))
    return torch.from_numpy(noise.astype(np.float32))


def pictures(seed, size):
    return torch.from_numpy(np.random.RandomState(seed).random_sample((2, 3, size, size)).astype(np.float32))


def encoder(module, tensors):
    load_reference(module, tensors, rules_for_encoder(tensors))
    return module.eval()


def decoder(module, tensors) -> Decoder:
    load_reference(module, tensors, DECODER)
    return module.eval()


def same(ours, theirs):
    torch.testing.assert_close(ours.reshape(theirs.shape), theirs, rtol=0, atol=1e-5)


@pytest.mark.parametrize("size", [64, 128])
@pytest.mark.parametrize("kind", ["dcgan", "dcgan_unet", "vgg_unet"])
@torch.inference_mode()
def test_codes_and_pictures_are_those_of_the_authors_networks(kind, size, weights, outputs):
    content_encoder = encoder(
        (vgg_encoder if kind == "vgg_unet" else dcgan_encoder)(3, size, CONTENT, WIDTH),
        weights[f"{kind}_{size}.content_encoder"],
    )
    pose_encoder = encoder(dcgan_encoder(3, size, POSE, WIDTH), weights[f"dcgan_{size}.pose_encoder"])
    joined = kind != "dcgan"
    drawn = (
        vgg_decoder(3, size, CONTENT + POSE, WIDTH)
        if kind == "vgg_unet"
        else dcgan_decoder(3, size, CONTENT + POSE, WIDTH, joined)
    )
    content, skips = content_encoder(pictures(0, size))
    pose, _ = pose_encoder(pictures(1, size))
    same(content, outputs[f"{kind}_{size}.content"])
    same(pose, outputs[f"dcgan_{size}.pose"])
    same(torch.nn.functional.normalize(pose), outputs[f"dcgan_{size}.pose_normalized"])
    decoded = decoder(drawn, weights[f"{kind}_{size}.decoder"])(content, pose, skips)
    same(decoded[:, :, ::4, ::4], outputs[f"{kind}_{size}.decoded"])


@pytest.mark.parametrize("size", [64, 128])
@torch.inference_mode()
def test_resnet_poses_are_those_of_the_authors_network(size, weights, outputs):
    pose_encoder = encoder(ResNetEncoder(3, size, POSE, WIDTH), weights[f"resnet_{size}.pose_encoder"])
    same(pose_encoder(pictures(1, size))[0], outputs[f"resnet_{size}.pose"])


@torch.inference_mode()
def test_the_scene_discriminator_is_the_authors(weights, outputs):
    discriminator = SceneDiscriminator(POSE, hidden=100)
    load_reference(discriminator, weights["scene_discriminator"], DISCRIMINATOR)
    first, second = (torch.tensor(np.random.RandomState(seed).standard_normal((2, POSE))).float() for seed in (2, 3))
    same(torch.sigmoid(discriminator(first, second)), outputs["scene_discriminator.same"][:, 0])


def test_weights_of_another_network_are_refused_by_name(weights):
    pose = weights["dcgan_64.pose_encoder"]
    with pytest.raises(ForeignWeights, match=r"head\.0\.weight has shape \(10, .+, expected \(128, 512, 4, 4\)"):
        encoder(dcgan_encoder(3, 64, CONTENT, WIDTH), pose)
    with pytest.raises(ForeignWeights, match=r"no place for what is called stages\.4"):
        encoder(dcgan_encoder(3, 64, CONTENT, WIDTH), weights["dcgan_128.content_encoder"])
    with pytest.raises(ForeignWeights, match=r"no network of drnet-py has blocks\.0"):
        encoder(dcgan_encoder(3, 64, POSE, WIDTH), {"blocks.0": torch.zeros(1)})
    short = {name: value for name, value in pose.items() if name != "main.5.bias"}
    with pytest.raises(ForeignWeights, match=r"lack what is called head\.1\.bias"):
        encoder(dcgan_encoder(3, 64, POSE, WIDTH), short)


CHECKPOINTS = [
    (content, pose, size)
    for content in ("dcgan", "dcgan_unet", "vgg_unet")
    for pose in ("dcgan", "resnet")
    for size in (64, 128)
]


@pytest.mark.parametrize(("content", "pose", "size"), CHECKPOINTS)
def test_a_checkpoint_says_itself_what_it_is(content, pose, size, weights):
    parts = {
        "content_encoder": weights[f"{content}_{size}.content_encoder"],
        "pose_encoder": weights[f"{pose}_{size}.pose_encoder"],
        "decoder": weights[f"{content}_{size}.decoder"],
    }
    config = config_of(parts, unit_pose=True)
    assert config == DrNETConfig(content=content, pose=pose, unit_pose=True, image_size=size)


@pytest.fixture
def parts(weights):
    return {part: weights[f"dcgan_unet_64.{part}"] for part in ("content_encoder", "decoder")} | {
        "pose_encoder": weights["dcgan_64.pose_encoder"]
    }


def save_parts(parts, path):
    save_file({f"{part}.{name}": value for part, tensors in parts.items() for name, value in tensors.items()}, path)


@torch.inference_mode()
def test_an_imported_checkpoint_draws_what_the_authors_networks_draw(parts, outputs, tmp_path):
    save_parts(parts, tmp_path / "drnet.safetensors")
    model = import_drnet(read_parts(tmp_path / "drnet.safetensors"), unit_pose=False)
    who = model.encode(pictures(0, 64)[:, None]).static
    pose = model.pose(pictures(1, 64))
    same(who.mean, outputs["dcgan_unet_64.content"])
    same(model.decode(who, pose[:, None])[:, 0, :, ::4, ::4], outputs["dcgan_unet_64.decoded"])


def test_an_imported_checkpoint_does_not_tell_how_its_codes_are_spread(weights):
    """A plane goes to where poses end, and does not stop half way; identities are not drawn from nothing."""
    parts = {part: weights[f"dcgan_64.{part}"] for part in ("content_encoder", "pose_encoder", "decoder")}
    model = import_drnet(parts, unit_pose=False)
    who = model.encode(pictures(0, 64)[None]).static
    _, coordinates = latent_grid(model, who, Plane.of_dims(model, who, (0, 1)), 9, 2.5, "linear", 64)
    assert coordinates[0, :, 0] == pytest.approx([-1, -0.75, -0.5, -0.25, 0, 0.25, 0.5, 0.75, 1])
    with pytest.raises(ValueError, match="is not known"):
        model.sample_static(1, torch.Generator())


class Trap:
    """What a hostile checkpoint may hold: something that runs when it is unpickled."""

    def __reduce__(self):
        return (exec, ("raise SystemExit('it ran')",))


def test_a_pickle_is_not_opened_and_the_way_round_is_told(tmp_path):
    torch.save({"content_encoder": Trap()}, tmp_path / "trap.pth")
    with pytest.raises(ForeignWeights, match=r"no safetensors file .* made: safetensors\.torch\.save_file"):
        read_parts(tmp_path / "trap.pth")


def test_a_file_without_the_three_parts_is_refused(parts, tmp_path):
    path = tmp_path / "odd.safetensors"
    save_parts({"decoder": parts["decoder"]}, path)
    with pytest.raises(ForeignWeights, match="no tensors of content_encoder"):
        read_parts(path)
    save_parts({"lstm": parts["decoder"]}, path)
    with pytest.raises(ForeignWeights, match="of none of content_encoder"):
        read_parts(path)


@pytest.mark.parametrize(
    ("network", "millions"),
    [
        (partial(dcgan_encoder, 3, 64, CONTENT, WIDTH), 3.81),
        (partial(dcgan_encoder, 3, 64, POSE, WIDTH), 2.84),
        (partial(dcgan_decoder, 3, 64, CONTENT + POSE, WIDTH, joined=False), 3.89),
        (partial(dcgan_decoder, 3, 64, CONTENT + POSE, WIDTH, joined=True), 6.64),
        (partial(dcgan_encoder, 3, 128, CONTENT, WIDTH), 8.00),
        (partial(dcgan_encoder, 3, 128, POSE, WIDTH), 7.04),
        (partial(dcgan_decoder, 3, 128, CONTENT + POSE, WIDTH, joined=False), 8.08),
        (partial(dcgan_decoder, 3, 128, CONTENT + POSE, WIDTH, joined=True), 15.03),
        (partial(vgg_encoder, 3, 64, CONTENT, WIDTH), 8.69),
        (partial(vgg_decoder, 3, 64, CONTENT + POSE, WIDTH), 11.90),
        (partial(vgg_encoder, 3, 128, CONTENT, WIDTH), 15.77),
        (partial(vgg_decoder, 3, 128, CONTENT + POSE, WIDTH), 21.35),
        (partial(vgg_decoder, 3, 128, CONTENT + 24, WIDTH), 21.46),  # the table's, which is of KTH's 24 numbers of pose
        (partial(ResNetEncoder, 3, 64, 10, WIDTH), 11.22),
        (partial(ResNetEncoder, 3, 128, 24, WIDTH), 44.97),
        (partial(SceneDiscriminator, POSE, 100), 0.012301),
        (partial(SceneDiscriminator, POSE, 512), 0.273921),
    ],
)
def test_networks_have_as_many_parameters_as_the_papers(network, millions):
    with torch.device("meta"):  # to be counted, they need no values
        count = sum(value.numel() for value in network().parameters())
    digits = 6 if millions < 1 else 2
    assert round(count / 1e6, digits) == millions
