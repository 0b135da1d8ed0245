"""The picture that says more than PSNR: a matrix of held-out appearances and motions, beside what it should be."""

import numpy as np
import torch
from einops import rearrange
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont
from rich.progress import Progress
from torch import Tensor

from models.codes import Codes, DynamicCode
from models.disentangler import Disentangler
from training.data.drawable import Drawable
from training.metrics.pictures import as_png
from training.metrics.swaps import HeldOutClips, decode_pairs, draw_pairs, encode, held_out_clips

ROWS, COLUMNS = 4, 5  # appearances, motions
GAP, MARGIN = 10, 18  # pixels


def swap_matrix(model: Disentangler, data: Drawable, seed: int, progress: Progress) -> bytes:
    """A PNG: the top row shows the motions' sources, the left column the appearances'; model left, truth right."""
    clips = held_out_clips(data, ROWS + COLUMNS, seed)
    pairs = np.array([(row, ROWS + column) for row in range(ROWS) for column in range(COLUMNS)])
    codes = encode(model, clips.frames, progress)
    # All frames say who it is; one is shown.
    first = Codes(codes.static, DynamicCode(codes.dynamic.mean[:, :1], codes.dynamic.std[:, :1]))
    shown = HeldOutClips(clips.frames[:, :1], clips.static, clips.dynamic[:, :1])
    cells = decode_pairs(model, first, pairs, "raw", progress), draw_pairs(data, shown, pairs, progress)
    made, true = (sheet(clips.frames[:, 0], part[:, 0]) for part in cells)
    height, width = made.shape[:2]
    picture = Image.new("RGB", (2 * width + GAP, height + MARGIN), (255, 255, 255))
    brush = ImageDraw.Draw(picture)
    for left, title, part in ((0, "made by the model", made), (width + GAP, "true pictures", true)):
        brush.text((left + 2, 1), title, fill=(40, 40, 40), font=ImageFont.load_default(13))
        picture.paste(Image.fromarray(part), (left, MARGIN))
    return as_png(picture)


def sheet(sources: UInt8[Tensor, "n c h w"], cells: UInt8[Tensor, "p c h w"]) -> UInt8[np.ndarray, "height width c"]:
    """Lay out one matrix with its sources along the edges."""
    corner = torch.full_like(cells[:1], 255)
    top = torch.cat([corner, sources[ROWS:]])[None]
    rows = torch.cat([sources[:ROWS, None], rearrange(cells, "(r k) c h w -> r k c h w", r=ROWS)], 1)
    drawn: np.ndarray = rearrange(torch.cat([top, rows]), "r k c h w -> (r h) (k w) c").numpy()
    # White lines set the sources apart from what was made of them.
    size = cells.shape[-1]
    drawn[size - 1 : size + 1] = 255
    drawn[:, size - 1 : size + 1] = 255
    return np.ascontiguousarray(drawn)
