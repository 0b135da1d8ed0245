"""What can be measured of clips that cannot be drawn anew: how well held-out ones are redrawn."""

from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from rich.progress import Progress

from models.disentangler import Disentangler, decode_in_chunks, encode_in_chunks, peak_signal_to_noise
from training.data.pool import Clips, evenly
from training.metrics.bootstrap import Estimate, mean_over_identities, weights
from training.metrics.swaps import CLIP_FRAMES

SEED = 11


@torch.inference_mode()
def measure_clips(model: Disentangler, held_out: Clips, progress: Progress) -> dict[str, Any]:
    """Reconstruction of held-out clips: 8 frames spread over each."""
    device = next(model.parameters()).device
    psnr = []
    for number in progress.track(range(len(held_out)), description="reconstructing"):
        frames = evenly(held_out.clip(number), CLIP_FRAMES).to(device)
        codes = encode_in_chunks(model, frames)
        again = decode_in_chunks(model, codes.static, codes.dynamic.mean[0])
        psnr.append(float(peak_signal_to_noise(frames, again).mean()))
    values = np.array(psnr)
    drawn = weights(np.random.default_rng(SEED), len(values))
    estimate = Estimate.of(values.mean(), mean_over_identities(values, drawn))
    return {
        "data": "clips",
        "protocol": {"clips": len(values), "frames_per_clip": CLIP_FRAMES},
        "fidelity": {"raw": {"reconstruction_psnr": asdict(estimate)}},
    }
