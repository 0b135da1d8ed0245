"""A folder of videos as clips: what a person trains their own model on."""

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import torch
from av.error import FFmpegError
from einops import rearrange
from jaxtyping import UInt8

from training.data.area import area_average
from training.data.errors import DataError
from training.data.pool import ClipPool

SUFFIXES = {".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".gif"}
MAX_FRAMES = 1000  # of one video; a longer one is sampled evenly


@dataclass(frozen=True, slots=True)
class VideoFolder:
    """The clips of a folder, and the files that gave none, each with the reason."""

    names: list[str]
    clips: list[UInt8[np.ndarray, "_ h w 3"]]
    left_out: dict[str, str]


def find_videos(folder: Path) -> list[Path]:
    """Every video file below a folder, in a stable order.

    Raises:
        DataError: the folder does not exist, or holds no video.

    """
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder; --clips takes a folder of videos")
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not found:
        raise DataError(f"no videos in {folder}: looked for {' '.join(sorted(SUFFIXES))}")
    return found


def read_videos(paths: Iterable[Path], size: int, min_frames: int) -> VideoFolder:
    """Decode videos to their largest centred square, area-averaged to `size`; broken ones are left out."""
    names: list[str] = []
    clips: list[np.ndarray] = []
    left_out: dict[str, str] = {}
    for path in paths:
        try:
            frames = list(decode(path, size))
        except FFmpegError as error:
            left_out[path.name] = f"cannot be decoded: {error.strerror}"
            continue
        if len(frames) < min_frames:
            left_out[path.name] = f"has {len(frames)} frames, training needs {min_frames}"
            continue
        names.append(path.name)
        clips.append(np.stack(frames))
    return VideoFolder(names, clips, left_out)


def decode(path: Path, size: int) -> Iterator[UInt8[np.ndarray, "size size 3"]]:
    """The frames of one local, trusted video, upright, centre-cropped and area-averaged.

    Raises:
        FFmpegError: it is broken, or holds no video.

    """
    for picture in pictures(path, MAX_FRAMES):
        yield centre_square(picture, size)


def pictures(path: Path, most: int | None = None) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
    """The frames of one local, trusted video, upright; evenly sampled where there are more than `most`.

    Raises:
        FFmpegError: it is broken, or holds no video.

    """
    with av.open(path) as container:
        stream = container.streams.best("video")
        if not isinstance(stream, av.VideoStream):
            raise av.error.InvalidDataError(0, "no video stream")
        stream.codec_context.thread_type = "AUTO"
        stride = max(1, -(-stream.frames // most)) if most else 1
        for index, frame in enumerate(container.decode(stream)):
            if index % stride or not isinstance(frame, av.VideoFrame):
                continue
            if most and index // stride >= most:
                return
            yield np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90))


def centre_square(picture: UInt8[np.ndarray, "h w 3"], size: int) -> UInt8[np.ndarray, "size size 3"]:
    """The largest centred square, every output pixel the mean of the area it covers."""
    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = rearrange(picture[top : top + side, left : left + side], "h w c -> c h w")
    return np.ascontiguousarray(rearrange(area_average(square, size, size), "c h w -> h w c"))


def video_pool(clips: list[UInt8[np.ndarray, "_ h w 3"]]) -> ClipPool:
    """Clips of any lengths as one pool.

    Raises:
        DataError: there are no clips.

    """
    if not clips:
        raise DataError("no clip can be used; see what was left out, and why")
    lengths = torch.tensor([len(clip) for clip in clips])
    starts = torch.cumsum(lengths, 0) - lengths
    return ClipPool(torch.from_numpy(np.concatenate(clips)), starts, lengths)


def split_clips(
    names: list[str], clips: list[UInt8[np.ndarray, "_ h w 3"]]
) -> tuple[list[UInt8[np.ndarray, "_ h w 3"]], list[UInt8[np.ndarray, "_ h w 3"]]]:
    """Training and held-out clips: every tenth clip, at least one, is held out where there are three or more.

    Raises:
        DataError: there is one clip only, so nothing can be held out of training.

    """
    if len(clips) < 2:
        raise DataError(
            f"{len(clips)} clip can be used ({', '.join(names)}); a model needs at least 2, one of them held out"
        )
    count = max(1, len(clips) // 10)
    chosen = set(np.random.default_rng(0).permutation(len(clips))[:count].tolist())
    kept = [clip for index, clip in enumerate(clips) if index not in chosen]
    return kept, [clips[index] for index in sorted(chosen)]


def through_h264(frames: UInt8[np.ndarray, "t h w 3"], crf: int) -> UInt8[np.ndarray, "t h w 3"]:
    """The frames as they come back from an H.264 video (4:2:0) of this constant rate factor."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": str(crf)})
        stream.width, stream.height, stream.pix_fmt = frames.shape[2], frames.shape[1], "yuv420p"
        for picture in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    file.seek(0)
    with av.open(file, "r") as video:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)])
