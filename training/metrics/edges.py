"""How crisp a picture is, told by its edges alone: where it is a blur of several, they have little energy."""

from jaxtyping import Float, UInt8
from torch import Tensor


def edges(frames: UInt8[Tensor, "n t c h w"]) -> Float[Tensor, "n t"]:
    """Mean square of the difference of neighbouring pixels, values in [0, 1]."""
    values = frames.float() / 255
    return values.diff(dim=-1).square().mean((2, 3, 4)) + values.diff(dim=-2).square().mean((2, 3, 4))
