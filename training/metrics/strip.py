"""The picture of a prediction: held-out movements in strips, what was true above what the model saw coming."""

import torch
from PIL import Image, ImageDraw, ImageFont
from rich.progress import Progress

from models.disentangler import Disentangler
from training.data.pool import Clips
from training.metrics.pictures import as_png, paste
from training.metrics.prediction import future_frames
from training.metrics.swaps import as_bytes

OBSERVED = 5  # frames, as in the paper's long roll-outs
SEEN = (1, 3, 5)  # those of them that are shown
AHEAD = (1, 3, 5, 10, 15, 20, 30)  # frames ahead
FAR = (100, 200, 500)  # where only the model goes on
MOVEMENTS = 3
GAP, MARGIN, HEAD, BETWEEN = 8, 66, 18, 10  # pixels


def future_strips(model: Disentangler, clips: Clips, known: int, progress: Progress, seed: int = 12) -> bytes:
    """A PNG: for each movement the true frames, and below them the model's own codes, then its likeliest future.

    `known` is how many frames ahead the truth is at hand.
    """
    generator = torch.Generator().manual_seed(seed)
    numbers = clips.with_runs(OBSERVED + known)
    ahead = [step for step in AHEAD if step <= known]
    columns = len(SEEN) + len(ahead) + len(FAR)
    side = model.image_size
    width = MARGIN + columns * side + 2 * GAP
    picture = Image.new("RGB", (width, HEAD + MOVEMENTS * (2 * side + BETWEEN)), (255, 255, 255))
    brush, font = ImageDraw.Draw(picture), ImageFont.load_default(12)
    places = left_edges(len(SEEN), len(ahead), side)
    titles = [str(step) for step in SEEN] + [f"+{step}" for step in (*ahead, *FAR)]
    for x, title in zip(places, titles, strict=True):
        brush.text((x + side / 2, HEAD / 2), title, (40, 40, 40), font, anchor="mm")
    chosen = [numbers[row * (len(numbers) // MOVEMENTS)] for row in range(MOVEMENTS)]
    runs = torch.stack([clips.run(index, OBSERVED + known, generator) for index in chosen])
    runs = runs.to(next(model.parameters()).device)
    futures = future_frames(model, runs, OBSERVED, (*ahead, *FAR))
    for row in progress.track(range(MOVEMENTS), description="drawing futures"):
        true, future = as_bytes(runs[row]), futures[row]
        codes = model.encode(runs[row, None, :OBSERVED])
        again = as_bytes(model.decode(codes.static, codes.dynamic.mean))[0]
        top = HEAD + row * (2 * side + BETWEEN)
        for x, step in zip(places, SEEN, strict=False):
            paste(picture, true[step - 1], x, top)
            paste(picture, again[step - 1], x, top + side)
        for x, step, predicted in zip(places[len(SEEN) :], (*ahead, *FAR), future, strict=True):
            if step <= known:
                paste(picture, true[OBSERVED + step - 1], x, top)
            paste(picture, predicted, x, top + side)
        for y, title in ((top, "true"), (top + side, "model")):
            brush.text((MARGIN - 8, y + side / 2), title, (40, 40, 40), font, anchor="rm")
    return as_png(picture)


def left_edges(seen: int, ahead: int, side: int) -> list[int]:
    """Where each column begins: observed, predicted and far frames stand a little apart."""
    return [
        MARGIN + column * side + GAP * ((column >= seen) + (column >= seen + ahead))
        for column in range(seen + ahead + len(FAR))
    ]
