"""Frames of other sizes and at other places: what the dynamic posterior is shown where its codes must not tell them."""

import math

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

LARGEST_SCALE = 1.15
LARGEST_SHIFT = 0.08  # of half a frame's side


def stretch(frames: Float[Tensor, "b t c h w"]) -> Float[Tensor, "b t c h w"]:
    """Each frame by itself wider or narrower, taller or lower by up to 15 %, and moved by up to 4 % of its side.

    How long a face is, or how high its brows sit, is who it shows; how far they have moved is seen against the rest of
    it. The border's colours go on outside. Noise comes from PyTorch's global generator.
    """
    flat = rearrange(frames, "b t c h w -> (b t) c h w")
    count, device = len(flat), frames.device
    scales = torch.empty(count, 2, device=device).uniform_(-math.log(LARGEST_SCALE), math.log(LARGEST_SCALE)).exp()
    shifts = torch.empty(count, 2, device=device).uniform_(-LARGEST_SHIFT, LARGEST_SHIFT)
    where = torch.cat([torch.diag_embed(scales), shifts[..., None]], dim=-1)
    grid = functional.affine_grid(where, list(flat.shape), align_corners=False)
    seen = functional.grid_sample(flat, grid, padding_mode="border", align_corners=False)
    return rearrange(seen, "(b t) c h w -> b t c h w", b=len(frames)).clamp(0, 1)
