"""Clips made for a test, and files decoded by other means than the worker's."""

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pictures = NDArray[np.uint8]


def decoded(path: Path) -> Pictures:
    """Every frame, upright, by OpenCV's own copy of the codecs: (T, H, W, 3) RGB."""
    capture = cv2.VideoCapture(str(path))
    frames = []
    while True:
        more, frame = capture.read()
        if not more:
            break
        frames.append(frame[:, :, ::-1])
    capture.release()
    assert frames, f"OpenCV finds no frame in {path}"
    return np.stack(frames)


def as_a_model_sees(frames: Pictures, size: int = 64) -> Pictures:
    """The largest centred square, averaged down, by Pillow."""
    height, width = frames.shape[1:3]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    squares = frames[:, top : top + side, left : left + side]
    return np.stack(
        [np.asarray(Image.fromarray(square).resize((size, size), Image.Resampling.BOX)) for square in squares]
    )


def psnr(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """Decibels against a peak of 255; infinite for equal pictures."""
    assert one.shape == other.shape, f"{one.shape} against {other.shape}"
    error = np.mean((one.astype(np.float64) - other.astype(np.float64)) ** 2)
    return float("inf") if error == 0 else float(10 * np.log10(255**2 / error))


def write_h264(path: Path, frames: Pictures, fps: int = 12, enlarge: int = 4) -> Path:
    """Write frames as an everyday H.264 file, each pixel a square of `enlarge`."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(fps), options={"crf": "12"})
        stream.width, stream.height = frames.shape[2] * enlarge, frames.shape[1] * enlarge
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            large = np.ascontiguousarray(frame.repeat(enlarge, axis=0).repeat(enlarge, axis=1))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(large, format="rgb24")))
        container.mux(stream.encode())
    return path


def drawn_faces(number: int, motion: int, frames: int = 16) -> Pictures:
    """A held-out drawn face doing one of the motions."""
    from training.data.faces import draw, identities, motion_path

    identity = identities("test", number + 1)[number]
    path = motion_path(np.random.default_rng(motion), frames)
    return np.stack([draw(identity, (float(smile), float(surprise), float(turn))) for smile, surprise, turn in path])
