"""Hold one code of a clip and draw the other from the model: what is held must be kept, what is drawn must change.

*Dynamic fixed*: the posterior means of the clip's dynamic codes, and a static code drawn from its prior. *Static
fixed*: the posterior mean of the clip's static code, and dynamic codes drawn by the model's motion: a roll-out in
which every step is sampled and fed back, of which the means are shown. A model without motion has p(z|f), frame by
frame, as its only prior; its mean would stand still, so the samples themselves are shown.

Source: the test script of C-DSVAE (Bai et al. 2021), whose prior is an LSTM that begins with zeros; ours begins as a
movement of a training clip did, or where a motion keeps no such codes, with p(z|f).
"""

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from models.codes import StaticCode
from models.compose import sample_frames
from models.disentangler import Disentangler
from models.gaussian import Gaussian
from models.motion import Motion, State
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
    model: Disentangler, motion: Motion | None, static: StaticCode, frames: int, generator: torch.Generator
) -> UInt8[Tensor, "n frames c h w"]:
    """These identities, each doing what the motion draws for it; without one, frames that the model's prior draws."""
    if motion is None:
        return pictures(model, static, sample_frames(model, static, frames, generator))
    return pictures(model, static, drawn_motion(model, motion, static, frames, generator))


@torch.inference_mode()
def drawn_motion(
    model: Disentangler, motion: Motion, static: StaticCode, frames: int, generator: torch.Generator
) -> Float[Tensor, "n frames z"]:
    """The mean at each step of a sampled roll-out; of a mixture, the mean of the component that was drawn."""
    began = motion.begin(len(static), generator)
    first = model.prior(static) if began is None else Gaussian(began, torch.full_like(began, -torch.inf))
    chosen = Gaussian(first.mean[:, None], first.log_var[:, None])
    shown = [chosen.mean]
    state: State | None = None
    while len(shown) < frames:
        noise = torch.randn(chosen.mean.shape, generator=generator).to(chosen.mean)
        following, state = motion.observe(motion.in_range(chosen.mean + chosen.std * noise), static.mean, state)
        chosen = following.drawn(generator)
        shown.append(chosen.mean)
    return motion.in_range(torch.cat(shown, dim=1))


def pictures(model: Disentangler, static: StaticCode, dynamic: Float[Tensor, "n t z"]) -> UInt8[Tensor, "n t c h w"]:
    """Decode as fast as the hardware allows: a judge is not moved by a grey level."""
    with precision(dynamic.device):
        frames = model.decode(static, dynamic)
    return as_bytes(frames.float())
