"""Sample clips to try: drawn faces that no shipped model has seen; sprites and digits where their files are at hand."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

FRAMES_PER_SECOND = 12
FRAMES = 48  # of faces and digits
ENLARGE = 4
DIRECTIONS = {"n": "back", "w": "left", "s": "front", "e": "right"}


def write_face_clips(folder: Path, count: int = 4, seed: int = 0) -> list[Path]:
    """Write clips of `count` held-out drawn faces, each moving its own way."""
    from training.data.faces import draw, identities, motion_path

    paths = []
    for number, identity in enumerate(identities("test", count)):
        motion = motion_path(np.random.default_rng((seed, number)), FRAMES)
        frames = [draw(identity, (float(smile), float(surprise), float(turn))) for smile, surprise, turn in motion]
        paths.append(write_clip(folder / f"face_{number + 1}.mp4", frames))
    return paths


def write_sprite_clips(folder: Path, sheets: Path, count: int = 4) -> list[Path]:
    """Write walks and spells of held-out characters, composited from the layer sheets in `sheets`."""
    import torch

    from training.data.sprites import Sprites, characters

    sprites = Sprites.load(sheets)
    actions = [("walk", "s"), ("spellcast", "e"), ("slash", "w"), ("thrust", "s"), ("shoot", "e"), ("walk", "n")]
    paths = []
    for order, number in enumerate(characters("test")[:count]):
        action, direction = actions[order % len(actions)]
        poses = [i for i, pose in enumerate(sprites.poses) if (pose.action, pose.direction) == (action, direction)]
        # Three times round, so that there is something to see.
        shown = torch.tensor(poses * 3)
        pictures = sprites.render(torch.full_like(shown, int(number)), shown).permute(0, 2, 3, 1).numpy()
        paths.append(write_clip(folder / f"sprite_{number}_{action}_{DIRECTIONS[direction]}.mp4", list(pictures)))
    return paths


def write_digit_clips(folder: Path, mnist: Path, count: int = 4, seed: int = 0) -> list[Path]:
    """Write clips of two held-out digits that move, bounce and hide each other, from MNIST's files in `mnist`."""
    from training.data.drawn_digits import DrawnDigits

    digits = DrawnDigits(mnist)
    paths = digits.motions(np.random.default_rng(seed), count, FRAMES, "movement")
    clips = digits.draw(digits.identities("test", count), paths).permute(0, 1, 3, 4, 2).numpy()
    return [write_clip(folder / f"digits_{number}.mp4", list(frames)) for number, frames in enumerate(clips, 1)]


def write_clip(
    path: Path, frames: Sequence[NDArray[np.uint8]], fps: int = FRAMES_PER_SECOND, quality: int = 10
) -> Path:
    """Write frames (H, W, 3) as H.264 that every player takes; `quality` is x264's crf, lower is better.

    Each pixel becomes a square of `ENLARGE`: H.264 for players halves the resolution of colour, and averaging the
    squares, as an encode does, gives the frame back without that loss.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width = (ENLARGE * side for side in frames[0].shape[:2])
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=Fraction(fps), options={"crf": str(quality)})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for pixels in frames:
            enlarged = np.ascontiguousarray(pixels.repeat(ENLARGE, axis=0).repeat(ENLARGE, axis=1))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(enlarged, format="rgb24")))
        container.mux(stream.encode())
    return path
