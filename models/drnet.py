"""DrNET: content and pose, kept apart by an adversary.

Source: Denton & Birodkar 2017, "Unsupervised Learning of Disentangled Representations from Video"
(arXiv:1705.10915, NIPS 2017). Their content h_c is our static code, their pose h_p our dynamic code:

    h_c = E_c(x_i)      h_p = E_p(x_j)      x̂_j = D(h_c, h_p)         i, j frames of one video

A clip of many frames has many h_c, which training made alike. We keep one, of the frame whose h_c is
nearest to their mean, since a U-Net's decoder also needs that frame's maps; the order of frames does not
matter. The paper has no densities: for planes, standardised transfer and samples the model keeps the
means and (co)variances of both codes over its training clips.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from einops import rearrange, repeat
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from models.codes import Codes, DynamicCode, StaticCode
from models.disentangler import Disentangler, FitScores, merge_frames, peak_signal_to_noise
from models.drnet_blocks import (
    Decoder,
    Encoder,
    ResNetEncoder,
    SceneDiscriminator,
    dcgan_decoder,
    dcgan_encoder,
    initialise,
    vgg_decoder,
    vgg_encoder,
)
from models.gaussian import Gaussian, correlated_samples
from models.motion import Range, in_range

ContentKind = Literal["dcgan", "dcgan_unet", "vgg_unet"]
PoseKind = Literal["dcgan", "resnet"]


@dataclass(frozen=True, kw_only=True, slots=True)
class DrNETConfig:
    """Sizes of a DrNET. Those of the authors' code: width 64, content 128, pose 10, discriminator 100."""

    content: ContentKind
    pose: PoseKind
    static_dim: int = 128
    dynamic_dim: int = 10
    unit_pose: bool = False  # pose codes of length 1 after tanh
    unit_content: bool = False  # content codes too, as in the paper and not in the authors' later code
    width: int = 64  # channels at half the side, doubled at every further halving up to 8 times
    residual: bool = False  # a residual block before every step of a DCGAN decoder but the first (see `Decoder`)
    discriminator_hidden: int = 100
    remembered: int = 0  # clips whose poses training keeps for the discriminator; 0: it sees those of a step alone
    batch_statistics: bool = False  # what `keep_batch_statistics` is there for
    channels: int = 3
    image_size: int = 64

    def __post_init__(self) -> None:
        if self.content not in ("dcgan", "dcgan_unet", "vgg_unet"):
            raise ValueError(f"content must be dcgan, dcgan_unet or vgg_unet, got {self.content!r}")
        if self.pose not in ("dcgan", "resnet"):
            raise ValueError(f"pose must be dcgan or resnet, got {self.pose!r}")
        if self.image_size not in (64, 128):
            raise ValueError(f"image_size must be 64 or 128, got {self.image_size}")
        if self.residual and self.content == "vgg_unet":
            raise ValueError("residual blocks are of the DCGAN decoders: content vgg_unet has none")
        if self.remembered < 0:
            raise ValueError(f"remembered must be at least 0, got {self.remembered}")


def content_networks(config: DrNETConfig) -> tuple[Encoder, Decoder]:
    """E_c and D, which belong together: a U-Net's decoder takes the maps of its encoder."""
    sizes = (config.channels, config.image_size)
    code_dim = config.static_dim + config.dynamic_dim
    if config.content == "vgg_unet":
        return vgg_encoder(*sizes, config.static_dim, config.width), vgg_decoder(*sizes, code_dim, config.width)
    joined = config.content == "dcgan_unet"
    return (
        dcgan_encoder(*sizes, config.static_dim, config.width),
        dcgan_decoder(*sizes, code_dim, config.width, joined, config.residual),
    )


class DrNET(Disentangler):
    """E_c, E_p and D; the scene discriminator C rides along, so that a run resumes with it."""

    family = "drnet"

    def __init__(self, config: DrNETConfig) -> None:
        super().__init__()
        self.config = config
        self._by_batch = False
        self.image_size, self.channels = config.image_size, config.channels
        self.static_dim, self.dynamic_dim = config.static_dim, config.dynamic_dim
        self.content_encoder, self.decoder = content_networks(config)
        pose_encoder = ResNetEncoder if config.pose == "resnet" else dcgan_encoder
        self.pose_encoder = pose_encoder(config.channels, config.image_size, config.dynamic_dim, config.width)
        self.discriminator = SceneDiscriminator(config.dynamic_dim, config.discriminator_hidden)
        self.apply(initialise)
        if config.remembered:  # of clips before, newest first, so that a run resumes with them; none once it has ended
            self.register_buffer("earlier_poses", torch.zeros(config.remembered, 2, config.dynamic_dim))
            self.register_buffer("earlier_count", torch.zeros((), dtype=torch.long))
        # Over the training clips, filled when a run ends.
        self.register_buffer("content_mean", torch.zeros(config.static_dim))
        self.register_buffer("content_factor", torch.eye(config.static_dim))  # lower Cholesky factor
        self.register_buffer("pose_mean", torch.zeros(config.dynamic_dim))
        self.register_buffer("pose_std", torch.ones(config.dynamic_dim))

    def network(self) -> dict[str, Any]:
        """The config, as JSON can hold it."""
        return asdict(self.config)

    def train(self, mode: bool = True) -> "DrNET":
        """Set training or evaluation mode; as `keep_batch_statistics` says, normalisation stays in the former."""
        super().train(mode)
        if self._by_batch:
            for module in self.modules():
                if isinstance(module, nn.BatchNorm2d | nn.SyncBatchNorm):
                    module.train()
        return self

    def keep_batch_statistics(self) -> None:
        """Let normalisation stay in training mode from now on, where the config has `batch_statistics`.

        A code then depends on the other frames that are encoded with it. The authors' code teaches motion and
        predicts that way; teaching and measuring do so here, to show what that costs. What is served never does.
        """
        self._by_batch = self.config.batch_statistics
        self.train(self.training)

    @property
    def unit_static(self) -> bool:
        """Contents may be scaled to length 1."""
        return self.config.unit_content

    @property
    def dynamic_range(self) -> Range:
        """Poses end in tanh, and then may be scaled to length 1."""
        return "unit" if self.config.unit_pose else "tanh"

    @property
    def needs_maps(self) -> bool:
        """A U-Net's decoder takes the maps of the content's frame."""
        return self.decoder.joined

    def content(self, frames: Float[Tensor, "n c h w"]) -> tuple[Float[Tensor, "n s"], tuple[Tensor, ...]]:
        """h_c of each frame, and the maps that a U-Net's decoder needs beside it (else none)."""
        code, maps = self.content_encoder(frames.contiguous(memory_format=torch.channels_last))
        if self.config.unit_content:
            code = functional.normalize(code.float(), dim=1)
        return code, maps if self.decoder.joined else ()

    def pose(self, frames: Float[Tensor, "n c h w"]) -> Float[Tensor, "n z"]:
        """h_p of each frame."""
        code, _ = self.pose_encoder(frames.contiguous(memory_format=torch.channels_last))
        return functional.normalize(code.float(), dim=1) if self.config.unit_pose else code

    def remember(self, poses: Float[Tensor, "b 2 z"]) -> Float[Tensor, "n 2 z"]:
        """Keep two poses of each clip, and give them back with those of as many clips before as are remembered."""
        if not self.config.remembered:
            return poses
        earlier, count = self.get_buffer("earlier_poses"), self.get_buffer("earlier_count")
        known = torch.cat([poses.to(earlier), earlier[: int(count)]])  # in the memory's precision, not autocast's
        kept = known[: self.config.remembered]
        earlier[: len(kept)] = kept
        count.fill_(len(kept))
        return known

    def forget(self) -> None:
        """Keep no poses of any clip: for another run, and for whoever is given the model."""
        if self.config.remembered:
            self.get_buffer("earlier_poses").zero_()
            self.get_buffer("earlier_count").zero_()

    def features(self, frames: Float[Tensor, "t c h w"]) -> Float[Tensor, "t sz"]:
        """Both codes of each frame, one after the other."""
        return torch.cat([self.content(frames)[0], self.pose(frames)], dim=1).float()

    def codes(self, features: Float[Tensor, "t sz"], frame: Callable[[int], Float[Tensor, "c h w"]]) -> Codes:
        """The content of the frame nearest to the clip's mean content, and the pose of every frame."""
        return self._codes(features[None], lambda chosen: frame(int(chosen[0]))[None])

    def encode(self, frames: Float[Tensor, "b t c h w"]) -> Codes:
        """As `codes`, of each clip."""
        features = rearrange(self.features(merge_frames(frames)), "(b t) d -> b t d", b=len(frames))
        return self._codes(features, lambda chosen: frames[torch.arange(len(frames)), chosen])

    def encode_dynamic(self, frames: Float[Tensor, "b t c h w"]) -> DynamicCode:
        """The poses, without the content's network."""
        poses = rearrange(self.pose(merge_frames(frames)).float(), "(b t) z -> b t z", b=len(frames))
        return DynamicCode(poses, torch.zeros_like(poses))

    def _codes(
        self,
        features: Float[Tensor, "b t sz"],
        pick: Callable[[Int[Tensor, " b"]], Float[Tensor, "b c h w"]],
    ) -> Codes:
        contents, poses = features[..., : self.static_dim], features[..., self.static_dim :]
        chosen = (contents - contents.mean(1, keepdim=True)).square().sum(2).argmin(1)
        content = contents[torch.arange(len(contents)), chosen]
        skips = self.content(pick(chosen))[1] if self.decoder.joined else ()
        return Codes(
            static=StaticCode(content, torch.zeros_like(content), skips),
            dynamic=DynamicCode(poses, torch.zeros_like(poses)),
        )

    def decode(self, static: StaticCode, dynamic: Float[Tensor, "b t z"]) -> Float[Tensor, "b t c h w"]:
        """D of each clip's content with each of its poses."""
        length = dynamic.shape[1]
        frames: Tensor = self.decoder(
            repeat(static.mean, "b s -> (b t) s", t=length),
            rearrange(dynamic, "b t z -> (b t) z"),
            [repeat(maps, "b e h w -> (b t) e h w", t=length) for maps in static.skips],
        )
        return rearrange(frames, "(b t) c h w -> b t c h w", t=length)

    def prior(self, static: StaticCode) -> Gaussian:
        """The spread of training poses, whoever is shown: the paper has no prior."""
        mean = self.get_buffer("pose_mean").expand(len(static), -1)
        return Gaussian(mean, 2 * torch.log(self.get_buffer("pose_std").clamp_min(1e-6)).expand(len(static), -1))

    def sample_static(self, num: int, generator: torch.Generator) -> StaticCode:
        """Contents from the Gaussian of training contents, in the range that contents have.

        Raises:
            ValueError: a U-Net's content is more than its code, or nobody knows how contents spread (`import_drnet`).

        """
        if self.decoder.joined:
            raise ValueError("a U-Net's static code has maps of a real frame beside it, which cannot be sampled")
        if not self.get_buffer("content_factor").any():
            raise ValueError("how its contents spread over its training clips is not known")
        drawn = correlated_samples(self.get_buffer("content_mean"), self.get_buffer("content_factor"), num, generator)
        mean = in_range("unit" if self.config.unit_content else "tanh", drawn)
        return StaticCode(mean, torch.zeros_like(mean))

    @torch.inference_mode()
    def score(
        self,
        frames: Float[Tensor, "t c h w"],
        reconstruction: Float[Tensor, "t c h w"],
        codes: Codes,
    ) -> FitScores:
        """PSNR alone: the paper has no likelihood."""
        return FitScores(psnr_db=float(peak_signal_to_noise(frames, reconstruction).mean()))
