"""Hold one code of a clip and draw the other from the model: what is held must be kept, what is drawn must change.

*Dynamic fixed*: the posterior means of the clip's dynamic codes, and a static code drawn from its prior. *Static
fixed*: the posterior mean of the clip's static code, and dynamic codes drawn by the model's motion: a roll-out in
which every step is sampled and fed back, of which the means are shown. A model without motion has p(z|f), frame by
frame, as its only prior; its mean would stand still, so the samples themselves are shown.

Source: the test script of C-DSVAE (Bai et al. 2021), whose prior is an LSTM that begins with zeros; ours begins with
p(z|f).
"""

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from models.codes import StaticCode
from models.compose import sample_motion
from models.disentangler import Disentangler
from models.motion import State
from training.loop import precision
from training.metrics.swaps import as_bytes


@torch.inference_mode()
def dynamic_fixed(
    model: Disentangler, dynamic: Float[Tensor, "n t z"], generator: torch.Generator
) -> UInt8[Tensor, "n t c h w"]:
    """These motions, each done by somebody whom the prior of the static code draws.

    Raises:
        ValueError: the family cannot draw static codes (DrNET with a U-Net).

    """
    return pictures(model, model.sample_static(len(dynamic), generator), dynamic)


@torch.inference_mode()
def static_fixed(
    model: Disentangler, static: StaticCode, frames: int, generator: torch.Generator
) -> UInt8[Tensor, "n frames c h w"]:
    """These identities, each doing what the model draws for it."""
    return pictures(model, static, drawn_motion(model, static, frames, generator))


@torch.inference_mode()
def drawn_motion(
    model: Disentangler, static: StaticCode, frames: int, generator: torch.Generator
) -> Float[Tensor, "n frames z"]:
    """The mean at each step of a sampled roll-out; without motion independent samples of p(z|f)."""
    if model.motion is None:
        return sample_motion(model, static, frames, generator)
    first = model.prior(static)
    means, spread = [first.mean[:, None]], first.std[:, None]
    state: State | None = None
    while len(means) < frames:
        noise = torch.randn(means[-1].shape, generator=generator).to(means[-1])
        sampled = model.motion.in_range(means[-1] + spread * noise)
        following, state = model.motion.observe(sampled, static.mean, state)
        means.append(following.mean)
        spread = following.std
    return model.motion.in_range(torch.cat(means, dim=1))


def pictures(model: Disentangler, static: StaticCode, dynamic: Float[Tensor, "n t z"]) -> UInt8[Tensor, "n t c h w"]:
    """Decode as fast as the hardware allows: a judge is not moved by a grey level."""
    with precision(dynamic.device):
        frames = model.decode(static, dynamic)
    return as_bytes(frames.float())
