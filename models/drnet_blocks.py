"""The encoders and decoders of DrNET, each written once: side, channels and code length are arguments.

Source: Denton & Birodkar 2017 (arXiv:1705.10915), §4.1, and the layer sizes of the authors' code
(github.com/edenton/drnet-py). A strided stage halves the side by its 4 × 4 convolution (DCGAN, Radford et
al. 2016); a VGG stage (Simonyan & Zisserman 2015) keeps it through 3 × 3 convolutions and is pooled after.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from models.frames import Residual

LEAKY_SLOPE = 0.2
CODE_PIXELS = 4  # side of the maps between the stages and the code
VGG_COUNTS = (2, 2, 3, 3, 3)  # convolutions of each stage


def pyramid(image_size: int, width: int) -> tuple[int, ...]:
    """Channels of each stage: doubled from `width` at every halving down to 4 pixels, at most 8 times `width`.

    Raises:
        ValueError: the side is neither 64 nor 128.

    """
    if image_size not in (64, 128):
        raise ValueError(f"image_size must be 64 or 128, got {image_size}")
    stages = (image_size // CODE_PIXELS).bit_length() - 1
    return tuple(width * min(2**stage, 8) for stage in range(stages))


def block(convolution: nn.Module, num_out: int) -> nn.Sequential:
    """A convolution with batch normalisation and a leaky ReLU."""
    return nn.Sequential(convolution, nn.BatchNorm2d(num_out), nn.LeakyReLU(LEAKY_SLOPE))


def halved(num_in: int, num_out: int) -> nn.Sequential:
    """Maps of half the side."""
    return block(nn.Conv2d(num_in, num_out, 4, 2, 1), num_out)


def doubled(num_in: int, num_out: int) -> nn.Sequential:
    """Maps of twice the side."""
    return block(nn.ConvTranspose2d(num_in, num_out, 4, 2, 1), num_out)


def kept(num_in: int, num_out: int) -> nn.Sequential:
    """Maps of the same side."""
    return block(nn.Conv2d(num_in, num_out, 3, 1, 1), num_out)


class Encoder(nn.Module):
    """A frame → a code in (−1, 1), and the maps of each stage, finest first, which a U-Net decoder may take."""

    def __init__(self, stages: Sequence[nn.Module], num_out: int, code_dim: int, pooled: bool) -> None:
        super().__init__()
        self.stages = nn.ModuleList(stages)
        self.head = nn.Sequential(nn.Conv2d(num_out, code_dim, CODE_PIXELS), nn.BatchNorm2d(code_dim), nn.Tanh())
        self.pooled = pooled

    def forward(self, frames: Float[Tensor, "n c h w"]) -> tuple[Float[Tensor, "n d"], tuple[Tensor, ...]]:
        """The code and the maps of each frame."""
        skips: list[Tensor] = []
        maps = frames
        for stage in self.stages:
            maps = stage(maps)
            skips.append(maps)
            if self.pooled:
                maps = functional.max_pool2d(maps, 2)
        return self.head(maps).flatten(1), tuple(skips)


def dcgan_encoder(channels: int, image_size: int, code_dim: int, width: int) -> Encoder:
    """Four (64 pixels) or five (128) strided stages, of the content and of the pose alike."""
    sizes = pyramid(image_size, width)
    stages = [nn.Sequential(halved(num_in, num_out)) for num_in, num_out in pairwise((channels, *sizes))]
    return Encoder(stages, sizes[-1], code_dim, pooled=False)


def vgg_encoder(channels: int, image_size: int, code_dim: int, width: int) -> Encoder:
    """Four (64 pixels) or five (128) stages of two or three convolutions, with pooling between them."""
    sizes = pyramid(image_size, width)
    stages = []
    for count, (num_in, num_out) in zip(VGG_COUNTS, pairwise((channels, *sizes)), strict=False):
        stages.append(nn.Sequential(*(kept(num_out if layer else num_in, num_out) for layer in range(count))))
    return Encoder(stages, sizes[-1], code_dim, pooled=True)


class Decoder(nn.Module):
    """Content and pose → a frame in [0, 1]. With `joined`, each step also takes the content's maps of its side.

    The finest of these maps, which hold most of what a frame looks like, reach the picture by one linear layer, in
    which the pose has no say. Our `blocks`, one before every step but the first, look at them beside what the decoder
    made of the pose, and add to that what depends on both (`DrNETConfig.residual`); the authors' networks have none.
    """

    def __init__(
        self,
        first: nn.Module,
        steps: Sequence[nn.Module],
        joined: bool,
        upsampled: bool,
        blocks: Sequence[nn.Module] = (),
    ) -> None:
        super().__init__()
        self.first, self.steps = first, nn.ModuleList(steps)
        self.joined, self.upsampled = joined, upsampled
        self.blocks = nn.ModuleList(blocks)

    def forward(
        self, content: Float[Tensor, "n s"], pose: Float[Tensor, "n z"], skips: Sequence[Tensor]
    ) -> Float[Tensor, "n c h w"]:
        """Each pose shown by its content; `skips` are the content encoder's maps, finest first."""
        maps = self.first(torch.cat([content, pose], dim=1)[:, :, None, None])
        for coarseness, step in enumerate(self.steps, start=1):
            if self.upsampled:
                maps = functional.interpolate(maps, scale_factor=2, mode="nearest")
            beside = (skips[-coarseness],) if self.joined else ()
            if self.blocks and coarseness > 1:
                maps = self.blocks[coarseness - 2](maps, *beside)
            maps = step(torch.cat([maps, *beside], dim=1) if beside else maps)
        return torch.sigmoid(maps.float())


def from_code(code_dim: int, num_out: int) -> nn.Sequential:
    """The code as 4 × 4 maps."""
    return block(nn.ConvTranspose2d(code_dim, num_out, CODE_PIXELS), num_out)


def dcgan_decoder(
    channels: int, image_size: int, code_dim: int, width: int, joined: bool, residual: bool = False
) -> Decoder:
    """One transposed convolution of stride 2 a step; `joined` (the U-Net) doubles what each takes."""
    sizes = pyramid(image_size, width)[::-1]
    times = 2 if joined else 1
    steps = [nn.Sequential(doubled(times * num_in, num_out)) for num_in, num_out in pairwise(sizes)]
    steps.append(nn.Sequential(nn.ConvTranspose2d(times * sizes[-1], channels, 4, 2, 1)))
    blocks = [Residual(size, size if joined else 0) for size in sizes[1:]] if residual else ()
    return Decoder(from_code(code_dim, sizes[0]), steps, joined, upsampled=False, blocks=blocks)


def vgg_decoder(channels: int, image_size: int, code_dim: int, width: int) -> Decoder:
    """The mirror of `vgg_encoder`: a step doubles by repeating pixels, and its last convolution narrows."""
    sizes = pyramid(image_size, width)[::-1]
    counts = VGG_COUNTS[: len(sizes)][::-1]
    steps = []
    for count, num_in, num_out in zip(counts, sizes, sizes[1:], strict=False):
        widths = (2 * num_in, *[num_in] * (count - 1), num_out)
        steps.append(nn.Sequential(*(kept(before, after) for before, after in pairwise(widths))))
    steps.append(nn.Sequential(kept(2 * sizes[-1], sizes[-1]), nn.ConvTranspose2d(sizes[-1], channels, 3, 1, 1)))
    return Decoder(from_code(code_dim, sizes[0]), steps, joined=True, upsampled=True)


class BasicBlock(nn.Module):
    """Two 3 × 3 convolutions beside the identity (He et al. 2016); a 1 × 1 one in its place where sizes change."""

    def __init__(self, num_in: int, num_out: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(num_in, num_out, 3, stride, 1), nn.BatchNorm2d(num_out)
        self.conv2, self.bn2 = nn.Conv2d(num_out, num_out, 3, 1, 1), nn.BatchNorm2d(num_out)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or num_in != num_out:
            self.downsample = nn.Sequential(nn.Conv2d(num_in, num_out, 1, stride), nn.BatchNorm2d(num_out))

    def forward(self, maps: Float[Tensor, "n e h w"]) -> Float[Tensor, "n e2 h2 w2"]:
        """Maps of 1/stride of the side."""
        changed = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(maps)))))
        return functional.relu(changed + self.downsample(maps))


class ResNetEncoder(nn.Module):
    """The ResNet-18 of the pose; a side of 128 adds a fifth pair of blocks, so that a 3 × 3 map is left."""

    def __init__(self, channels: int, image_size: int, code_dim: int, width: int) -> None:
        super().__init__()
        sizes = [width * 2**layer for layer in range(len(pyramid(image_size, width)))]
        self.conv1, self.bn1 = nn.Conv2d(channels, width, 5, 2, 3), nn.BatchNorm2d(width)
        for layer, (num_in, num_out) in enumerate(pairwise((width, *sizes)), start=1):
            blocks = nn.Sequential(BasicBlock(num_in, num_out, 1 if layer == 1 else 2), BasicBlock(num_out, num_out, 1))
            self.add_module(f"layer{layer}", blocks)
        self.conv_out, self.bn_out = nn.Conv2d(sizes[-1], code_dim, 3), nn.BatchNorm2d(code_dim)
        self.layers = len(sizes)

    def blocks(self) -> Iterator[nn.Module]:
        """The pairs of residual blocks, finest first."""
        for layer in range(1, self.layers + 1):
            yield self.get_submodule(f"layer{layer}")

    def forward(self, frames: Float[Tensor, "n c h w"]) -> tuple[Float[Tensor, "n d"], tuple[Tensor, ...]]:
        """The code of each frame; no maps, since a pose must not carry what it looks like."""
        maps = functional.max_pool2d(functional.relu(self.bn1(self.conv1(frames))), 3, 2, 1)
        for blocks in self.blocks():
            maps = blocks(maps)
        return torch.tanh(self.bn_out(self.conv_out(maps))).flatten(1), ()


class SceneDiscriminator(nn.Module):
    """C: whether two pose codes come from different videos (label 1) or from one (label 0), as a logit.

    Source: Denton & Birodkar 2017, §3; labels as in the authors' PyTorch code (their paper has them the
    other way round, which changes nothing).
    """

    def __init__(self, pose_dim: int, hidden: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(2 * pose_dim, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, 1)
        )

    def forward(self, first: Float[Tensor, "n z"], second: Float[Tensor, "n z"]) -> Float[Tensor, " n"]:
        """Logit of "different videos" of each pair; the order within a pair is not exchangeable."""
        logits: Tensor = self.layers(torch.cat([first, second], dim=1))
        return logits[:, 0]


def initialise(module: nn.Module) -> None:
    """Weights of the authors' code: N(0, 0.02), of batch normalisation N(1, 0.02); no biases.

    Residual blocks, which are ours, begin as nothing.
    """
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)
    elif isinstance(module, Residual):
        module.begin_as_identity()
