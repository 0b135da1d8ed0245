"""The motion-contrastive term: a frame's dynamic code is the same in other colours, and another frame's is not.

Source: the idea of C-DSVAE (Bai et al. 2021, arXiv:2110.12091, §3.3), whose views of a movement are the clip in
other colours; ours are single frames, as this family knows no order.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

TEMPERATURE = 0.5


def contrast(first: Float[Tensor, "n z"], second: Float[Tensor, "n z"]) -> Float[Tensor, ""]:
    """InfoNCE (van den Oord et al. 2018, arXiv:1807.03748, eq. 4) in nats, both ways; at most about ln n by chance.

    `first` and `second` are the codes of two views of each frame. They are compared by their angle around the mean of
    all, so that no scale is learnt here.
    """
    both = torch.cat([first, second])
    mean = both.mean(0)
    here, there = (functional.normalize(codes - mean, dim=1) for codes in (first, second))
    logits = here @ there.T / TEMPERATURE
    own = torch.arange(len(first), device=first.device)
    return 0.5 * (functional.cross_entropy(logits, own) + functional.cross_entropy(logits.T, own))
