"""Frames in other colours: what the dynamic posterior is shown where its codes must not tell colours."""

import math

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

LARGEST_GAMMA = 2.5


def recolour(frames: Float[Tensor, "b t c h w"]) -> Float[Tensor, "b t c h w"]:
    """Each frame by itself in random colours: mixed channels, then a tone curve for each.

    A channel becomes a random weighted mean of all channels (from nearly equal to nearly one channel), raised to
    a power between 1/2.5 and 2.5. Values stay in [0, 1], edges stay edges, and a frame's own colours are among
    those it can get, so a network that learnt on such frames reads plain ones. Noise comes from PyTorch's global
    generator.
    """
    clips, length, channels = frames.shape[:3]
    weights = torch.empty(clips, length, channels, channels, device=frames.device).exponential_()
    # The power sharpens the mixture: at 6 it is nearly always one channel, as in a frame whose channels were permuted.
    weights = weights ** torch.empty(clips, length, 1, 1, device=frames.device).uniform_(1, 6)
    weights = weights / weights.sum(-1, keepdim=True)
    gamma = torch.empty(clips, length, channels, 1, 1, device=frames.device)
    gamma = gamma.uniform_(-math.log(LARGEST_GAMMA), math.log(LARGEST_GAMMA)).exp()
    flat = rearrange(frames, "b t c h w -> b t c (h w)")
    mixed = rearrange(weights @ flat, "b t c (h w) -> b t c h w", h=frames.shape[-2])
    return mixed.clamp(1e-6, 1) ** gamma
