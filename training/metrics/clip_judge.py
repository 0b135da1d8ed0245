"""The field's judge of Sprites: a network that reads the action and the attributes of a whole clip.

DCGAN-64's encoder (128 numbers a frame, tanh), a bidirectional LSTM of 256, the last forward and the first backward
state (512), and one head 512-256-levels a factor. Taught on true clips of training characters; how well it reads
true clips of held-out ones is stated beside whatever it says of a model's.

Source: the judge of C-DSVAE (Bai et al. 2021), which S3VAE, SKD, SPYL and DBSE use too. Its authors' weights can no
longer be had, so this one is ours; Adam's settings are those of MSD-Benchmark's (1e-3, betas 0.5 and 0.999), with fewer
steps, since a rate that falls to 0 gets there sooner.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, Int, UInt8
from rich.progress import Progress
from safetensors.torch import load, save
from torch import Tensor, nn
from torch.nn import functional

from models.checkpoint import write_atomically
from training.data.actions import SpriteActions
from training.data.sheets import FINGERPRINT
from training.loop import precision
from training.schedule import cosine_with_warmup

ACTION = "action"
CHUNK = 64  # clips read at once


@dataclass(frozen=True, kw_only=True, slots=True)
class ClipJudgeConfig:
    """How the judge is made; some minutes on two cores, once."""

    widths: tuple[int, ...] = (64, 128, 256, 512)
    features: int = 128
    hidden: int = 256
    steps: int = 400
    batch: int = 32  # clips
    learning_rate: float = 1e-3
    seed: int = 0


@dataclass(frozen=True, slots=True)
class ClipReading:
    """What a judge sees in n clips."""

    action: Float[np.ndarray, "n k"]  # probabilities
    static: Mapping[str, Int[np.ndarray, " n"]]  # the most likely levels


ReadClips = Callable[[UInt8[Tensor, "n t c h w"]], ClipReading]


class ClipJudge(nn.Module):
    """Frames to features, features through time, and one head a factor."""

    def __init__(self, classes: int, static_levels: Mapping[str, int], config: ClipJudgeConfig) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        num_in = 3
        for width in config.widths:
            layers += [nn.Conv2d(num_in, width, 4, 2, 1), nn.BatchNorm2d(width), nn.LeakyReLU(0.2)]
            num_in = width
        layers += [nn.Conv2d(num_in, config.features, 4, 1, 0), nn.BatchNorm2d(config.features), nn.Tanh()]
        self.frames = nn.Sequential(*layers)
        self.frames.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it
        self.time = nn.LSTM(config.features, config.hidden, batch_first=True, bidirectional=True)
        self.heads = nn.ModuleDict(
            {
                name: nn.Sequential(
                    nn.Linear(2 * config.hidden, config.hidden), nn.ReLU(), nn.Linear(config.hidden, levels)
                )
                for name, levels in {ACTION: classes, **static_levels}.items()
            }
        )

    def forward(self, clips: UInt8[Tensor, "n t 3 64 64"]) -> dict[str, Float[Tensor, "n levels"]]:
        """Logits of the action's classes and of each attribute's levels."""
        count = len(clips)
        frames = (rearrange(clips, "n t c h w -> (n t) c h w").float() / 255).contiguous(
            memory_format=torch.channels_last
        )
        features = rearrange(self.frames(frames), "(n t) e 1 1 -> n t e", n=count)
        with torch.autocast(clips.device.type, enabled=False):
            _, (last, _) = self.time(features.float())
            # The last state of each direction is that of the last frame forwards and of the first frame backwards.
            seen = rearrange(last, "way n k -> n (way k)")
            return {name: head(seen) for name, head in self.heads.items()}

    @torch.inference_mode()
    def read(self, clips: UInt8[Tensor, "n t 3 64 64"]) -> ClipReading:
        """The probabilities of the actions, and the most likely level of each attribute."""
        self.eval()
        device = next(self.parameters()).device
        with precision(device):
            parts = [self(part.to(device)) for part in torch.split(clips, CHUNK)]
        outputs = {name: torch.cat([part[name] for part in parts]).double().cpu() for name in self.heads}
        return ClipReading(
            torch.softmax(outputs[ACTION], dim=1).numpy(),
            {name: logits.argmax(1).numpy() for name, logits in outputs.items() if name != ACTION},
        )


def train_clip_judge(
    data: SpriteActions, config: ClipJudgeConfig, progress: Progress, device: torch.device
) -> ClipJudge:
    """Teach a new judge: the sum of all heads' cross-entropies, Adam, half a cosine."""
    torch.manual_seed(config.seed)
    rng = np.random.default_rng(config.seed)
    judge = ClipJudge(data.classes, data.static_levels, config).to(device)
    optimizer = torch.optim.Adam(judge.parameters(), config.learning_rate, betas=(0.5, 0.999))
    for step in progress.track(range(config.steps), description="teaching a judge of clips"):
        for group in optimizer.param_groups:
            group["lr"] = config.learning_rate * cosine_with_warmup(step, config.steps, 20)
        clips = data.examples(config.batch, rng)
        truth = {ACTION: clips.action} | {name: clips.static[:, i] for i, name in enumerate(data.static_levels)}
        with precision(device):
            outputs = judge(clips.frames.to(device))
        losses = [
            functional.cross_entropy(outputs[name], torch.from_numpy(levels).to(device))
            for name, levels in truth.items()
        ]
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(torch.stack(losses).sum())
        optimizer.step()
    return judge.eval()


def cached_clip_judge(
    data: SpriteActions, config: ClipJudgeConfig, cache: Path, progress: Progress, device: torch.device
) -> ClipJudge:
    """The judge of that configuration, taught once; kept under a name that says it."""
    said = json.dumps([FINGERPRINT, asdict(config)], sort_keys=True)
    path = cache / f"clip-judge-{data.name}-{hashlib.sha256(said.encode()).hexdigest()[:16]}.safetensors"
    if path.is_file():
        judge = ClipJudge(data.classes, data.static_levels, config).to(device)
        judge.load_state_dict(load(path.read_bytes()))
        return judge.eval()
    judge = train_clip_judge(data, config, progress, device)
    cache.mkdir(parents=True, exist_ok=True)
    write_atomically(path, save({key: value.cpu().contiguous() for key, value in judge.state_dict().items()}))
    return judge
