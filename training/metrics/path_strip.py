"""The picture of a path: between two frames of a held-out clip the dynamic code goes in equal steps, alone."""

import torch
from PIL import Image, ImageDraw, ImageFont
from rich.progress import Progress

from models.compose import interpolate
from models.disentangler import Disentangler
from training.data.pool import Clips
from training.metrics.pictures import as_png, paste
from training.metrics.swaps import as_bytes

STEPS = 9
CLIPS = 4
GAP, HEAD = 8, 18  # pixels


def path_strips(model: Disentangler, clips: Clips, progress: Progress, seed: int = 13) -> bytes:
    """A PNG: in each row the two true frames stand at the sides, and between them what the model makes of the way.

    The frames are those of the clip whose dynamic codes lie furthest apart, so that there is a way to go.
    """
    generator, device = torch.Generator().manual_seed(seed), next(model.parameters()).device
    side = model.image_size
    picture = Image.new("RGB", ((STEPS + 2) * side + 2 * GAP, HEAD + CLIPS * side), (255, 255, 255))
    brush, font = ImageDraw.Draw(picture), ImageFont.load_default(12)
    for x, title in ((0, "from"), (side + GAP, "the way of the dynamic code"), ((STEPS + 1) * side + 2 * GAP, "to")):
        brush.text((x + 2, HEAD / 2), title, (40, 40, 40), font, anchor="lm")
    for row in progress.track(range(CLIPS), description="drawing paths"):
        clip = clips.clip(int(torch.randint(len(clips), (), generator=generator)))
        with torch.inference_mode():
            codes = model.encode(clip[None].to(device))
            dynamic = codes.dynamic.mean[0]
            first, last = divmod(int(torch.cdist(dynamic, dynamic).argmax()), len(dynamic))
            _, way, _ = interpolate(
                model, (codes.static, codes.static), (dynamic[first], dynamic[last]), STEPS, "dynamic"
            )
            made = as_bytes(model.decode(codes.static, way[None]))[0]
        top, true = HEAD + row * side, as_bytes(clip[None])[0]
        paste(picture, true[first], 0, top)
        for step in range(STEPS):
            paste(picture, made[step], (step + 1) * side + GAP, top)
        paste(picture, true[last], (STEPS + 1) * side + 2 * GAP, top)
    return as_png(picture)
