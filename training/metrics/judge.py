"""A judge: a small convolutional network that reads every true factor from one picture.

It learns from true pictures of training identities alone and never sees a model's output; how well it reads true
pictures of held-out identities is measured and stated beside whatever it says of swaps.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from rich.progress import Progress
from safetensors.torch import load, save
from torch import Tensor, nn
from torch.nn import functional

from models.checkpoint import write_atomically
from training.data.drawable import Drawable, Labelled
from training.loop import precision
from training.schedule import cosine_with_warmup

CHUNK = 500  # pictures read at once


@dataclass(frozen=True, kw_only=True, slots=True)
class JudgeConfig:
    """How a judge is made; three minutes on two cores."""

    widths: tuple[int, ...] = (32, 64, 128, 192)
    hidden: int = 256
    steps: int = 1500
    batch: int = 128
    learning_rate: float = 2e-3
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Reading:
    """What a judge sees in n pictures."""

    static: dict[str, Float[np.ndarray, " n"]]  # levels
    classes: dict[str, Float[np.ndarray, " n"]]  # levels
    values: dict[str, Float[np.ndarray, " n"]]  # in the factor's own unit


class Judge(nn.Module):
    """Halve four times, flatten, and one linear head a factor."""

    def __init__(self, data: Drawable, config: JudgeConfig) -> None:
        super().__init__()
        self.static, self.classes, self.ranges = data.static_levels, data.classes, data.ranges
        layers: list[nn.Module] = []
        num_in = 3
        for width in config.widths:
            layers += [nn.Conv2d(num_in, width, 3, 2, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
            num_in = width
        pixels = (64 // 2 ** len(config.widths)) ** 2
        layers += [nn.Flatten(), nn.Linear(num_in * pixels, config.hidden), nn.ReLU()]
        self.layers = nn.Sequential(*layers)
        heads = {**self.static, **self.classes, **dict.fromkeys(self.ranges, 1)}
        self.heads = nn.ModuleDict({name: nn.Linear(config.hidden, levels) for name, levels in heads.items()})

    def forward(self, frames: UInt8[Tensor, "n c h w"]) -> dict[str, Float[Tensor, "n levels"]]:
        """Logits of each factor's levels; of a continuous factor, its place in its range from -1 to 1."""
        hidden = self.layers((frames.float() / 127.5 - 1).contiguous(memory_format=torch.channels_last))
        return {name: head(hidden).float() for name, head in self.heads.items()}

    @torch.inference_mode()
    def read(self, frames: UInt8[Tensor, "n c h w"]) -> Reading:
        """The most likely level, or the value, of every factor in every picture."""
        self.eval()
        parts = [self(part) for part in torch.split(frames, CHUNK)]
        outputs = {name: torch.cat([part[name] for part in parts]) for name in self.heads}

        def levels(name: str) -> np.ndarray:
            return outputs[name].argmax(1).double().numpy()

        return Reading(
            {name: levels(name) for name in self.static},
            {name: levels(name) for name in self.classes},
            {
                name: low + (high - low) * (outputs[name][:, 0].double().numpy() + 1) / 2
                for name, (low, high) in self.ranges.items()
            },
        )


def judge_loss(judge: Judge, examples: Labelled, data: Drawable) -> Float[Tensor, ""]:
    """Cross-entropy of every legible factor and of classes, squared error of values; summed over factors."""
    outputs = judge(examples.frames)
    truth = data.read(examples.dynamic)
    legible = data.legible(truth)
    loss = torch.zeros(())
    for column, name in enumerate(data.static_levels):
        levels = torch.from_numpy(np.where(legible[:, column], examples.static[:, column], -100))
        loss = loss + functional.cross_entropy(outputs[name], levels)
    for name in data.classes:
        loss = loss + functional.cross_entropy(outputs[name], torch.from_numpy(truth[name].astype(np.int64)))
    for name, (low, high) in data.ranges.items():
        place = torch.from_numpy(2 * (truth[name] - low) / (high - low) - 1).float()
        loss = loss + 5 * functional.mse_loss(outputs[name][:, 0], place)
    return loss


def train_judge(data: Drawable, config: JudgeConfig, progress: Progress) -> Judge:
    """Teach a new judge with Adam and half a cosine."""
    torch.manual_seed(config.seed)
    rng = np.random.default_rng(config.seed)
    judge = Judge(data, config)
    optimizer = torch.optim.Adam(judge.parameters(), config.learning_rate)
    for step in progress.track(range(config.steps), description=f"teaching a judge of {data.name}"):
        for group in optimizer.param_groups:
            group["lr"] = config.learning_rate * cosine_with_warmup(step, config.steps, 50)
        with precision(torch.device("cpu")):
            loss = judge_loss(judge, data.examples("train", config.batch, rng), data)
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        optimizer.step()
    return judge.eval()


def cached_judge(data: Drawable, config: JudgeConfig, cache: Path, progress: Progress) -> Judge:
    """The judge of that data and configuration, taught once; kept under a name that says both."""
    said = json.dumps([data.fingerprint, asdict(config)], sort_keys=True)
    path = cache / f"judge-{data.name}-{hashlib.sha256(said.encode()).hexdigest()[:16]}.safetensors"
    judge = Judge(data, config)
    if path.is_file():
        judge.load_state_dict(load(path.read_bytes()))
        return judge.eval()
    judge = train_judge(data, config, progress)
    cache.mkdir(parents=True, exist_ok=True)
    write_atomically(path, save({key: value.contiguous() for key, value in judge.state_dict().items()}))
    return judge
