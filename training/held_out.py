"""The measure taken while a run goes on: how well held-out clips are redrawn, and swapped where the truth is known."""

from dataclasses import dataclass

import torch

from models.disentangler import Disentangler, peak_signal_to_noise
from training.data.pool import Clips

FRAMES = 8  # of each clip
PAIRS_OF_ONE = 8  # for each clip of the pool: more of the same few say nothing new


@dataclass(frozen=True, slots=True)
class HeldOut:
    """PSNR on pairs of held-out clips; a quick look, where `training.evaluate` measures."""

    pool: Clips
    pairs: int = 40

    def __call__(self, model: Disentangler) -> dict[str, float]:
        """Mean PSNR in dB of reconstructions, and of swaps where frames of the pool are aligned."""
        generator = torch.Generator().manual_seed(0)
        pairs = min(self.pairs, PAIRS_OF_ONE * len(self.pool))
        device = next(model.parameters()).device
        reconstruction, swap = [], []
        for _ in range(pairs):
            first = int(torch.randint(len(self.pool), (), generator=generator))
            step = int(torch.randint(1, max(2, len(self.pool)), (), generator=generator))
            shown, moving = self.pool.clip(first), self.pool.clip((first + step) % len(self.pool))
            count = min(FRAMES, len(shown), len(moving))
            seen = torch.randperm(len(shown), generator=generator)[:count]
            done = torch.randperm(len(moving), generator=generator)[:count]
            who = model.encode(shown[seen][None].to(device))
            what = model.encode(moving[done][None].to(device))
            again = model.decode(what.static, what.dynamic.mean)[0].cpu()
            reconstruction.append(peak_signal_to_noise(moving[done], again).mean())
            if self.pool.aligned:
                swapped = model.decode(who.static, what.dynamic.mean)[0].cpu()
                swap.append(peak_signal_to_noise(shown[done], swapped).mean())
        scores = {"reconstruction_psnr": float(torch.stack(reconstruction).mean())}
        if swap:
            scores["swap_psnr"] = float(torch.stack(swap).mean())
        return scores
