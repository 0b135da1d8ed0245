"""Motion: what the dynamic code does next, given who is shown; for the codes of either family.

Source: Denton & Birodkar 2017 (arXiv:1705.10915), §3 and its authors' code: pose and content of a frame go through a
linear layer, two LSTM layers of 256 and a linear layer that gives the next pose:

    h_p(t+1) = LSTM(h_p(1..t), h_c)

Ours differs in six ways, each for a reason. Codes are standardised over training clips, as the scale of a VAE's
codes is its own. The layer gives the *change* of the code, since motion is mostly smooth. A second output gives its
variance, so that futures can be sampled; the mean alone is the paper's prediction. Where several movements have a
pose in common there are several such pairs, each with a weight: their mean would be a pose that is none. It is
trained on its own predictions too (`training.motion`): the authors' is shown true poses only, and drifts once it is
left alone. And samples are widened by what movements of training clips kept apart turn out to need.
"""

from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from einops import rearrange, repeat
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from models.mixture import Mixture

Range = Literal["any", "tanh", "unit"]
LEAST_LOG_VAR, LARGEST_LOG_VAR = -9.0, 2.0  # of a standardised code's change
FURTHEST = 4.0  # standard deviations of the codes of training clips
State = tuple[Tensor, Tensor]  # hidden and cell of each layer, "layers b k"


@dataclass(frozen=True, kw_only=True, slots=True)
class MotionConfig:
    """Sizes of a motion model, which are the authors' unless told, and which codes its family has."""

    static_dim: int
    dynamic_dim: int
    hidden: int = 256
    layers: int = 2
    codes: Range = "any"  # a VAE's; DrNET's lie in [-1, 1] ("tanh"), or have length 1 ("unit")
    components: int = 1  # of the next code's distribution; 1 is the authors'
    starts: int = 0  # codes of training clips that are kept to begin a movement with; 0: the model's prior begins it

    def __post_init__(self) -> None:
        if self.components < 1 or self.starts < 0:
            raise ValueError(f"components must be at least 1 and starts 0, got {self.components} and {self.starts}")
        if self.codes not in ("any", "tanh", "unit"):
            raise ValueError(f"codes must be any, tanh or unit, got {self.codes!r}")


class Motion(nn.Module):
    """p(z_{t+1} | z_1..z_t, f), and roll-outs of it."""

    def __init__(self, config: MotionConfig) -> None:
        super().__init__()
        self.config = config
        self.embed = nn.Linear(config.static_dim + config.dynamic_dim, config.hidden)
        self.lstm = nn.LSTM(config.hidden, config.hidden, config.layers, batch_first=True)
        self.change = nn.Linear(config.hidden, config.components * config.dynamic_dim)
        self.log_var = nn.Linear(config.hidden, config.components * config.dynamic_dim)
        self.weight = nn.Linear(config.hidden, config.components) if config.components > 1 else None
        # Over the training clips; `training.motion` fills them.
        self.register_buffer("static_mean", torch.zeros(config.static_dim))
        self.register_buffer("static_std", torch.ones(config.static_dim))
        self.register_buffer("dynamic_mean", torch.zeros(config.dynamic_dim))
        self.register_buffer("dynamic_std", torch.ones(config.dynamic_dim))
        # How much wider futures are sampled than single steps say, so that they cover what comes.
        self.register_buffer("widening", torch.ones(()))
        if config.starts:
            self.register_buffer("starts", torch.zeros(config.starts, config.dynamic_dim))

    def sizes(self) -> dict[str, Any]:
        """The config, as JSON can hold it."""
        return asdict(self.config)

    def observe(
        self,
        dynamic: Float[Tensor, "b t z"],
        static: Float[Tensor, "b s"],
        state: State | None = None,
    ) -> tuple[Mixture, State]:
        """For each frame the distribution of the next frame's code, knowing this one and those before it."""
        length = dynamic.shape[1]
        mean, std = self.get_buffer("dynamic_mean"), self.get_buffer("dynamic_std")
        who = (static - self.get_buffer("static_mean")) / self.get_buffer("static_std")
        seen = torch.cat([repeat(who, "b s -> b t s", t=length), (dynamic - mean) / std], dim=-1)
        hidden, state = self.lstm(self.embed(seen), state)
        change, log_var = (
            rearrange(layer(hidden), "b t (k z) -> b t k z", k=self.config.components)
            for layer in (self.change, self.log_var)
        )
        weights = hidden.new_zeros((*hidden.shape[:2], 1)) if self.weight is None else self.weight(hidden)
        following = Mixture(
            functional.log_softmax(weights, dim=-1),
            self.in_range(dynamic[:, :, None] + std * change),
            log_var.clamp(LEAST_LOG_VAR, LARGEST_LOG_VAR) + 2 * torch.log(std),
        )
        return following, state

    def roll_out(
        self,
        observed: Float[Tensor, "b t z"],
        static: Float[Tensor, "b s"],
        frames: int,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "b frames z"]:
        """The codes of the next frames, each fed back: the means (the paper's), or with a generator samples.

        With several components it is the likeliest one's mean. Noise is drawn on the CPU, so that a seed means the
        same future on every device.
        """
        following, state = self.observe(observed, static)
        following = Mixture(following.log_weights[:, -1:], following.mean[:, -1:], following.log_var[:, -1:])
        future: list[Tensor] = []
        while True:
            code = following.likeliest().mean if generator is None else self.drawn(following, generator)
            future.append(code)
            if len(future) == frames:
                return torch.cat(future, dim=1)
            following, state = self.observe(code, static, state)

    def drawn(self, following: Mixture, generator: torch.Generator) -> Float[Tensor, "b t z"]:
        """Codes drawn from what `observe` gave."""
        chosen = following.drawn(generator)
        noise = torch.randn(chosen.mean.shape, generator=generator).to(chosen.mean)
        return self.in_range(chosen.mean + self.get_buffer("widening") * chosen.std * noise)

    def begin(self, num: int, generator: torch.Generator) -> Float[Tensor, "num z"] | None:
        """Codes for movements to begin with, drawn from those of training clips; None where none are kept."""
        if self.config.starts == 0:
            return None
        starts = self.get_buffer("starts")
        return starts[torch.randint(len(starts), (num,), generator=generator).to(starts.device)]

    def in_range(self, dynamic: Float[Tensor, "*b z"]) -> Float[Tensor, "*b z"]:
        """The nearest codes that the family can have, and no further out than training clips go.

        A roll-out lives on its own predictions: without an end it could leave, for an identity that no clip showed,
        what the decoder knows, and never come back.
        """
        mean, std = self.get_buffer("dynamic_mean"), self.get_buffer("dynamic_std")
        kept = torch.minimum(torch.maximum(dynamic, mean - FURTHEST * std), mean + FURTHEST * std)
        return in_range(self.config.codes, kept)


def in_range(codes: Range, dynamic: Float[Tensor, "*b z"]) -> Float[Tensor, "*b z"]:
    """The nearest dynamic codes that a family can have."""
    if codes == "unit":
        return functional.normalize(dynamic, dim=-1)
    return dynamic.clamp(-1, 1) if codes == "tanh" else dynamic
