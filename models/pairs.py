"""The mean of ReLU(aᵢ + bⱼ) over all ordered pairs i ≠ j of a clip's frames, for clips of any length."""

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

SHORT = 32  # frames; up to here all pairs are simply formed


def mean_over_pairs(first: Float[Tensor, "b t e h w"], second: Float[Tensor, "b t e h w"]) -> Float[Tensor, "b e h w"]:
    """Mean over ordered pairs i ≠ j of ReLU(firstᵢ + secondⱼ); a single frame pairs with itself.

    Short clips are added up pair by pair, with gradients. Long ones are sorted instead: with b sorted,
    Σⱼ ReLU(aᵢ + bⱼ) is the sum of those bⱼ > −aᵢ plus their number times aᵢ, which a cumulative sum
    answers at once, so that T frames cost T log T rather than T².
    """
    length = first.shape[1]
    if length == 1:
        return functional.relu(first + second)[:, 0]
    alone = functional.relu(first + second).sum(1)
    if length <= SHORT:
        total = torch.stack([functional.relu(first[:, i, None] + second).sum(1) for i in range(length)]).sum(0)
    else:
        total = _sum_by_sorting(first, second)
    return (total - alone) / (length * (length - 1))


def _sum_by_sorting(first: Float[Tensor, "b t e h w"], second: Float[Tensor, "b t e h w"]) -> Float[Tensor, "b e h w"]:
    b, _, e, h, w = first.shape
    a = rearrange(first, "b t e h w -> (b e h w) t").contiguous()
    ordered = rearrange(second, "b t e h w -> (b e h w) t").contiguous().sort(dim=1).values
    # float64: a cumulative sum of thousands of float32 terms loses what the pairs differ by.
    cumulative = functional.pad(ordered.double().cumsum(1), (1, 0))
    skipped = torch.searchsorted(ordered, -a, right=True)  # how many bⱼ ≤ −aᵢ
    kept_sum = cumulative[:, -1:] - cumulative.gather(1, skipped)
    total = (kept_sum + (ordered.shape[1] - skipped) * a.double()).sum(1)
    return rearrange(total.to(first.dtype), "(b e h w) -> b e h w", b=b, e=e, h=h, w=w)
