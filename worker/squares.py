"""Somebody's videos as training takes them: decoded in the sandbox, cut as `/encode` would cut them, thinned evenly."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from jobs.errors import NoFace
from worker.media import Chunk, Decoder, options_for
from worker.order import Limits

LONGEST = 200_000  # frames of one video: two hours

Frame = NDArray[np.uint8]
FindCuts = Callable[[Iterable[Frame]], list[int]]  # gives the numbers of the frames that begin another scene
# Decodes the file with a crop, from some second, and before another.
Decoding = Callable[[str, float, float | None], Iterator[Chunk]]


@dataclass(frozen=True, slots=True)
class Squares:
    """A video's frames for training and where its scenes begin, counted in the file's own frames."""

    frames: NDArray[np.uint8]  # (t, size, size, 3)
    numbers: list[int]  # which of the file's frames these are
    stride: int  # of them one is used
    count: int  # frames of the file
    cuts: list[int]
    faceless: list[int]  # scenes, counted from 1, that are left out because no face is seen in them
    shape: tuple[int, int] | None  # width and height of the file's pictures


def square_frames(
    decoder: Decoder,
    fd: int,
    *,
    size: int,
    crop: str,
    most: int,
    frame_pixels: int,
    seconds: float,
    find_cuts: FindCuts,
) -> Squares:
    """Read an open file: at most `most` frames, evenly over the video; `seconds` to decode it once.

    Raises:
        Problem: it cannot be decoded, or shows no face where `crop` is `face`.

    """
    limits = Limits(frames=LONGEST, frame_pixels=frame_pixels, seconds=seconds)

    def decoding(crop: str, start: float = 0.0, end: float | None = None) -> Iterator[Chunk]:
        return decoder.decode(fd, options_for(size, crop=crop, start=start, end=end, limits=limits))

    return face_frames(decoding, most, find_cuts) if crop == "face" else same_frames(decoding, crop, most, find_cuts)


def same_frames(decoding: Decoding, crop: str, most: int, find_cuts: FindCuts) -> Squares:
    """Read a video with one crop for all of it; cuts are looked for in all frames, thinned or not."""
    thinner, shapes = Thinner(most), set[tuple[int, int]]()

    def frames() -> Iterator[Frame]:
        for chunk in decoding(crop, 0.0, None):
            shapes.update([chunk.shape] if chunk.shape else [])
            for frame in chunk.frames:
                thinner.add(frame)
                yield frame

    cuts = find_cuts(frames())
    numbers = list(range(0, thinner.count, thinner.stride))
    shape = max(shapes, default=None)
    return Squares(np.stack(thinner.kept), numbers, thinner.stride, thinner.count, cuts, [], shape)


def face_frames(decoding: Decoding, most: int, find_cuts: FindCuts) -> Squares:
    """Follow a face in each scene, for the next one may show somebody else, elsewhere.

    So cuts are looked for in the whole pictures first, and then each scene is decoded by itself.

    Raises:
        Problem: no scene shows a face.

    """
    times: list[float] = []
    shapes = set[tuple[int, int]]()

    def small() -> Iterator[Frame]:
        for chunk in decoding("none", 0.0, None):
            times.extend(chunk.timestamps.tolist())
            shapes.update([chunk.shape] if chunk.shape else [])
            yield from without_bars(chunk)

    cuts = find_cuts(small())
    count, stride = len(times), stride_of(len(times), most)
    kept: list[Frame] = []
    numbers: list[int] = []
    faceless: list[int] = []
    for scene, (first, last) in enumerate(pairwise([0, *cuts, count]), 1):
        try:
            number = first
            for chunk in decoding("face", times[first], times[last] if last < count else None):
                for frame in chunk.frames:
                    if number % stride == 0:
                        kept.append(frame.copy())
                        numbers.append(number)
                    number += 1
        except NoFace:
            if not cuts:
                raise
            faceless.append(scene)
    if not kept:
        raise NoFace(f"no face was found in any of its {len(cuts) + 1} scenes; use crop=center")
    return Squares(np.stack(kept), numbers, stride, count, cuts, faceless, max(shapes, default=None))


def without_bars(chunk: Chunk) -> NDArray[np.uint8]:
    """Return whole pictures without the bars that made them square: what never changes would hide a cut."""
    if chunk.shape is None:
        return chunk.frames
    size = chunk.frames.shape[1]
    width, height = (max(1, round(size * side / max(chunk.shape))) for side in chunk.shape)
    left, top = (size - width) // 2, (size - height) // 2
    return chunk.frames[:, top : top + height, left : left + width]


def stride_of(count: int, most: int) -> int:
    """Return the least power of 2 so that every so manyth of `count` frames are at most `most`."""
    stride = 1
    while -(-count // stride) > most:
        stride *= 2
    return stride


class Thinner:
    """Keeps every nth frame, n as `stride_of` says, holding one more than `most` at most.

    How long a video is shows only when it has been decoded, so whenever there are too many every second one goes.
    """

    def __init__(self, most: int) -> None:
        self.most, self.stride, self.count = most, 1, 0
        self.kept: list[Frame] = []

    def add(self, frame: Frame) -> None:
        """Take the next frame of the video."""
        if self.count % self.stride == 0:
            self.kept.append(frame.copy())  # a view would keep the whole of its chunk
        self.count += 1
        if len(self.kept) > self.most:
            self.kept, self.stride = self.kept[::2], 2 * self.stride
