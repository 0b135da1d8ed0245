"""The pictures of a model of somebody's own clips: how it learnt, and what it makes of clips it has not seen."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from einops import rearrange
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from models.disentangler import Disentangler
from training.data.pool import Clips, evenly
from training.metrics.pictures import as_png, paste
from training.metrics.swaps import as_bytes

LIVE_FRAMES = 6
SHOWN_CLIPS, OTHERS, FRAMES = 3, 2, 8  # held-out clips, other appearances each is shown with, and frames of each
HEAD, BETWEEN, MARGIN = 18, 10, 8  # pixels


def learning_curve(log: Sequence[Mapping[str, Any]]) -> bytes:
    """A PNG: PSNR of held-out clips over the steps of a run, from the lines of its log; the best step is marked."""
    from matplotlib.figure import Figure  # most of a second, which only a run that has ended pays

    measured = [(entry["step"], entry["reconstruction_psnr"]) for entry in log if "reconstruction_psnr" in entry]
    figure = Figure(figsize=(6, 3), layout="constrained", dpi=100)
    axes = figure.subplots()
    axes.set_xlabel("step", fontsize=9)
    axes.set_ylabel("held-out PSNR, dB", fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    if measured:
        steps, scores = np.array(measured).T
        best = int(scores.argmax())
        axes.plot(steps, scores, "-o", color="#24507e", ms=3)
        axes.plot(steps[best], scores[best], "o", color="#c0392b", ms=7)
        # Nothing lies above the best.
        axes.annotate(
            f"{scores[best]:.1f} dB", (steps[best], scores[best]), (0, 8), textcoords="offset points", ha="center"
        )
        axes.margins(y=0.2)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


@torch.inference_mode()
def live_sample(model: Disentangler, held_out: Clips) -> bytes:
    """A small WebP: frames of the first held-out clip, and below them what the model makes of them by now."""
    clip = evenly(held_out.clip(0), LIVE_FRAMES)
    codes = model.encode(clip[None].to(next(model.parameters()).device))
    again = model.decode(codes.static, codes.dynamic.mean)[0].float().cpu()
    both = rearrange([clip, again], "two t c h w -> (two h) (t w) c").clamp(0, 1)
    buffer = io.BytesIO()
    Image.fromarray((255 * both).round().to(torch.uint8).numpy()).save(buffer, "WEBP", quality=80)
    return buffer.getvalue()


@torch.inference_mode()
def own_samples(model: Disentangler, training: Clips, held_out: Clips) -> bytes:
    """A PNG: of some held-out clips frames evenly over each, the model's reconstruction, and others doing the same.

    The others are training clips, each with one of its true frames on the left.
    """
    device, side = next(model.parameters()).device, model.image_size
    clips = [evenly(held_out.clip(number), FRAMES) for number in range(min(SHOWN_CLIPS, len(held_out)))]
    # Evenly over all, so that scenes of one file, which lie side by side, do not take every place.
    others = [training.clip(int(at)) for at in np.linspace(0, len(training) - 1, min(OTHERS, len(training)))]
    rows = 2 + len(others)
    width = (FRAMES + 1) * side + MARGIN + 110
    picture = Image.new("RGB", (width, len(clips) * (rows * side + HEAD + BETWEEN)), (255, 255, 255))
    brush, font = ImageDraw.Draw(picture), ImageFont.load_default(12)
    left = side + MARGIN
    for number, clip in enumerate(clips):
        top = number * (rows * side + HEAD + BETWEEN)
        brush.text((left, top + HEAD / 2), f"held-out clip {number + 1}", (40, 40, 40), font, anchor="lm")
        codes = model.encode(clip[None].to(device))
        again = model.decode(codes.static, codes.dynamic.mean)[0]
        shown: list[tuple[Tensor, str, Tensor | None]] = [(clip, "true", None), (again, "redrawn", None)]
        for other in others:
            who = model.encode(evenly(other, FRAMES)[None].to(device)).static
            shown.append((model.decode(who, codes.dynamic.mean)[0], "same motion", other[len(other) // 2]))
        for row, (frames, title, source) in enumerate(shown):
            y = top + HEAD + row * side
            for column, frame in enumerate(as_bytes(frames.cpu())):
                paste(picture, frame, left + column * side, y)
            if source is not None:
                paste(picture, as_bytes(source[None])[0], 0, y)
            brush.text((left + FRAMES * side + 8, y + side / 2), title, (40, 40, 40), font, anchor="lm")
    return as_png(picture)
