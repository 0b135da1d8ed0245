"""Per-frame networks: from a frame to features, and from codes to the logits of a frame."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

LEAKY_SLOPE = 0.2
CODE_PIXELS = 4  # side of the feature maps between the trunk and the codes


def trunk(channels: int, widths: Sequence[int], residual: bool = False) -> nn.Sequential:
    """Frame → features: one 4 × 4 convolution of stride 2 for each width, so that four turn 64 pixels into 4."""
    layers: list[nn.Module] = []
    for num_in, num_out in pairwise((channels, *widths)):
        layers += [nn.Conv2d(num_in, num_out, 4, 2, 1), nn.LeakyReLU(LEAKY_SLOPE)]
        if residual:
            layers.append(Residual(num_out))
    return nn.Sequential(*layers)


class Residual(nn.Module):
    """x + conv(leaky(conv([x, y]))), which begins as x (He et al. 2016, arXiv:1512.03385); y of `beside` channels."""

    def __init__(self, width: int, beside: int = 0) -> None:
        super().__init__()
        self.first = nn.Conv2d(width + beside, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        self.begin_as_identity()

    def begin_as_identity(self) -> None:
        """Change nothing, until trained."""
        for parameter in self.second.parameters():
            nn.init.zeros_(parameter)

    def forward(self, maps: Float[Tensor, "n e h w"], *beside: Float[Tensor, "n e2 h w"]) -> Float[Tensor, "n e h w"]:
        """Maps of the same shape."""
        seen = torch.cat([maps, *beside], dim=1) if beside else maps
        changed: Tensor = self.second(functional.leaky_relu(self.first(seen), LEAKY_SLOPE))
        return maps + changed


class Upsampling(nn.Module):
    """One step of the decoder: double the size, then let the codes scale and shift each channel.

    The paper has the transposed convolution alone. `style_dim` adds the modulation (FiLM, Perez et al.
    2018, arXiv:1709.07871): colours of skin and cloth are per-channel facts, which codes that enter at
    4 × 4 alone have to carry through every layer.
    """

    def __init__(self, num_in: int, num_out: int, style_dim: int) -> None:
        super().__init__()
        self.grow = nn.ConvTranspose2d(num_in, num_out, 4, 2, 1)
        self.modulate = nn.Linear(style_dim, 2 * num_out) if style_dim else None

    def forward(self, maps: Float[Tensor, "n e h w"], style: Float[Tensor, "n k"]) -> Float[Tensor, "n e2 h2 w2"]:
        """Maps of twice the side."""
        grown = self.grow(maps)
        if self.modulate is not None:
            scale, shift = rearrange(self.modulate(style), "n (two e) -> two n e 1 1", two=2)
            grown = grown * (1 + scale) + shift
        return functional.leaky_relu(grown, LEAKY_SLOPE)


class FrameDecoder(nn.Module):
    """p(x | z, f): the logits of the Bernoulli likelihood of each value of a frame."""

    def __init__(
        self, code_dim: int, style_dim: int, widths: Sequence[int], channels: int, residual: bool = False
    ) -> None:
        super().__init__()
        if style_dim:
            self.style: nn.Module = nn.Sequential(
                nn.Linear(code_dim, style_dim),
                nn.LeakyReLU(LEAKY_SLOPE),
                nn.Linear(style_dim, style_dim),
                nn.LeakyReLU(LEAKY_SLOPE),
            )
        else:
            self.style = nn.Identity()
        self.project = nn.Linear(style_dim or code_dim, widths[0] * CODE_PIXELS**2)
        self.steps = nn.ModuleList(Upsampling(num_in, num_out, style_dim) for num_in, num_out in pairwise(widths))
        self.blocks = nn.ModuleList(Residual(width) for width in widths[1:]) if residual else None
        self.to_logits = nn.ConvTranspose2d(widths[-1], channels, 4, 2, 1)

    def forward(self, static: Float[Tensor, "n s"], dynamic: Float[Tensor, "n z"]) -> Float[Tensor, "n c h w"]:
        """Logits of each frame."""
        style = self.style(torch.cat([static, dynamic], dim=-1))
        maps = rearrange(
            functional.leaky_relu(self.project(style), LEAKY_SLOPE),
            "n (e h w) -> n e h w",
            h=CODE_PIXELS,
            w=CODE_PIXELS,
        ).contiguous(memory_format=torch.channels_last)
        for number, step in enumerate(self.steps):
            maps = step(maps, style)
            if self.blocks is not None:
                maps = self.blocks[number](maps)
        logits: Tensor = self.to_logits(maps)
        return logits
