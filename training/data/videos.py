"""A folder of videos as clips: what a person trains their own model on."""

import io
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import av
import numpy as np
import torch
from av.video.reformatter import VideoReformatter
from jaxtyping import UInt8

from training.data.errors import DataError, Unreadable
from training.data.pool import ClipPool

SUFFIXES = {".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".gif"}
DIGEST = 16  # digits of a file's SHA-256 that it is known by
MAX_FRAMES = 1000  # of one video; a longer one is sampled evenly
# Frames of each, and how many of them, that a clip which is alone is cut into: DrNET compares two, and one is held out.
LEAST_STRETCH, LEAST_STRETCHES, MOST_STRETCHES = 40, 3, 10
STRETCH = ", stretch "  # between the name of a clip and the number of one of its stretches


@dataclass(frozen=True, slots=True)
class SquareVideo:
    """A video's frames as a model takes them, and where its scenes begin, counted in the file's own frames."""

    frames: UInt8[np.ndarray, "t size size 3"]  # at most `MAX_FRAMES`, evenly over the video
    numbers: list[int]  # which of the file's frames these are
    stride: int  # of them one is used
    count: int  # frames of the file
    cuts: list[int]  # the frames that begin another scene
    faceless: list[int] = field(default_factory=list)  # scenes, from 1, of which there are no frames for want of a face
    shape: tuple[int, int] | None = None  # width and height of its own pictures, upright, where they are known
    digest: str = ""  # some of the file's SHA-256, to know it again by


# Reads the video at a path at this many pixels a side; raises `Unreadable`.
Reader = Callable[[Path, int], SquareVideo]


@dataclass(frozen=True, slots=True)
class VideoFolder:
    """The clips of a folder, one a scene, and the files that gave none, each with the reason."""

    names: list[str] = field(default_factory=list)  # a clip's file, and which scene it is where the file has several
    clips: list[UInt8[np.ndarray, "_ h w 3"]] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)  # whose scene each clip is
    sizes: dict[str, tuple[int, int]] = field(default_factory=dict)  # width and height of each file's pictures, upright
    cuts: dict[str, list[int]] = field(default_factory=dict)  # the frames at which files were cut, where they were
    short_scenes: dict[str, int] = field(default_factory=dict)  # how many scenes of a file were too short to be clips
    faceless: dict[str, list[int]] = field(default_factory=dict)  # scenes, from 1, without the face that is wanted
    thinned: dict[str, tuple[int, int]] = field(default_factory=dict)  # of long files, frames used, of how many
    digests: dict[str, str] = field(default_factory=dict)  # of each file some of its SHA-256
    stretches: int = 0  # how many the only clip was cut into; 0: none


def find_videos(folder: Path) -> list[Path]:
    """Every video file below a folder, in a stable order.

    Raises:
        DataError: the folder does not exist, or holds no video.

    """
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder: expected a folder of videos")
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not found:
        raise DataError(f"no videos in {folder}: looked for {' '.join(sorted(SUFFIXES))}")
    return found


def read_videos(paths: Iterable[Path], size: int, min_frames: int, read: Reader) -> VideoFolder:
    """Read videos, and make a clip of each scene.

    Broken files, and those with no scene of `min_frames` frames, are left out. A file is called by its path below
    the folder that all of them lie in, so that two of one name in two folders are two; bytes of it that are no UTF-8
    are spelt out, for names are printed and written.
    """
    paths = list(paths)
    found, folder = VideoFolder(), common_folder(paths)
    for path in paths:
        name = os.fsencode(path.relative_to(folder).as_posix()).decode("utf-8", "backslashreplace")
        try:
            video = read(path, size)
        except Unreadable as error:
            found.left_out[name] = str(error)
            continue
        found.digests[name] = video.digest
        if video.shape is not None:
            found.sizes[name] = video.shape
        add_scenes(found, name, video, min_frames)
    return found


def common_folder(paths: list[Path]) -> Path:
    """The deepest folder that holds all of the files."""
    return Path(os.path.commonpath([path.parent for path in paths])) if paths else Path()


def add_scenes(found: VideoFolder, name: str, video: SquareVideo, min_frames: int) -> None:
    """Make a clip of each scene that is long enough."""
    parts = np.split(video.frames, np.searchsorted(video.numbers, video.cuts))
    whole = [(number, part) for number, part in enumerate(parts, 1) if len(part) >= min_frames]
    if not whole and not video.cuts:
        found.left_out[name] = f"has {len(video.frames)} frames, training needs {min_frames}"
        return
    if not whole:
        wanted = f"{min_frames} frames" + (" and a face" if video.faceless else "")
        found.left_out[name] = f"has {len(parts)} scenes, of which none has {wanted}"
    if video.cuts:
        found.cuts[name] = video.cuts
    if video.faceless:
        found.faceless[name] = video.faceless
    if short := len(parts) - len(whole) - len(video.faceless):
        found.short_scenes[name] = short
    if video.stride > 1:
        found.thinned[name] = (len(video.frames), video.count)
    for number, part in whole:
        found.names.append(name if len(parts) == 1 else f"{name}, scene {number}")
        found.clips.append(part)
        found.files.append(name)


def cut_alone(found: VideoFolder) -> VideoFolder:
    """Cut a clip that is the only one, where it is long, into equal stretches: so some of it can be held out."""
    if len(found.clips) != 1 or (count := min(len(found.clips[0]) // LEAST_STRETCH, MOST_STRETCHES)) < LEAST_STRETCHES:
        return found
    return replace(cut_into(found, [count]), stretches=count)


def cut_into(found: VideoFolder, counts: list[int]) -> VideoFolder:
    """Cut each clip into so many equal stretches; 1 leaves it whole, under its name."""
    names: list[str] = []
    clips: list[UInt8[np.ndarray, "_ h w 3"]] = []
    files: list[str] = []
    for name, clip, file, count in zip(found.names, found.clips, found.files, counts, strict=True):
        names += [f"{name}{STRETCH}{number}" for number in range(1, count + 1)] if count > 1 else [name]
        clips += np.array_split(clip, count)
        files += [file] * count
    return replace(found, names=names, clips=clips, files=files)


def pictures(path: Path) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
    """The frames of one local, trusted video, upright.

    Raises:
        FFmpegError: it is broken, or holds no video.

    """
    with av.open(path) as container:
        stream = container.streams.best("video")
        if not isinstance(stream, av.VideoStream):
            raise av.error.InvalidDataError(0, "no video stream")
        stream.codec_context.thread_type = "AUTO"
        to_rgb = VideoReformatter()  # of all frames: to set one up costs more than to use it
        for frame in container.decode(stream):
            yield np.rot90(as_rgb(frame, to_rgb), round(frame.rotation / 90))


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


def split_clips(names: list[str], *together: list[tuple[int, int]]) -> tuple[list[int], list[int]]:
    """The numbers of training and of held-out clips: about a tenth, at least one, is held out.

    The pairs of `together` stay on one side: near-duplicates, say, and then scenes of one file. Where all clips would
    be together, the last kind of pairs is let go, and then the one before.

    Raises:
        DataError: there is one clip only, so nothing can be held out of training.

    """
    if len(names) < 2:
        raise DataError(
            f"{len(names)} clip can be used ({', '.join(names)}); a model needs at least 2, one of them held out, "
            f"or a single one of at least {LEAST_STRETCHES * LEAST_STRETCH} frames"
        )
    group = grouped(len(names), [pair for pairs in together for pair in pairs])
    while len(set(group.tolist())) == 1:
        together = together[:-1]
        group = grouped(len(names), [pair for pairs in together for pair in pairs])
    order = dict.fromkeys(group[np.random.default_rng(0).permutation(len(names))].tolist())
    chosen = nearest_sum([(one, int((group == one).sum())) for one in order], max(1, len(names) // 10))
    held_out = np.isin(group, list(chosen))
    return np.flatnonzero(~held_out).tolist(), np.flatnonzero(held_out).tolist()


def grouped(count: int, pairs: Iterable[tuple[int, int]]) -> np.ndarray:
    """A number for each clip, the same for those that pairs bring together."""
    group = np.arange(count)
    for first, second in pairs:
        group[group == group[second]] = group[first]
    return group


def nearest_sum(sizes: list[tuple[int, int]], wanted: int) -> list[int]:
    """Some of the groups, each with its size, that have together the number wanted, or come nearest to it.

    Of several choices that do, it is the one whose groups come first; of two as near, the larger.
    """
    chosen: dict[int, list[int]] = {0: []}  # by how many clips they have
    for group, size in sizes:
        for total in sorted(chosen):
            if total < wanted:
                chosen.setdefault(total + size, [*chosen[total], group])
        if wanted in chosen:
            break
    del chosen[0]
    return chosen[min(chosen, key=lambda total: (abs(total - wanted), -total))]


def through_h264(frames: UInt8[np.ndarray, "t h w 3"], crf: int) -> UInt8[np.ndarray, "t h w 3"]:
    """The frames as they come back from an H.264 video (4:2:0) of this constant rate factor."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": str(crf)})
        stream.width, stream.height, stream.pix_fmt = frames.shape[2], frames.shape[1], "yuv420p"
        stream.codec_context.thread_count = 1  # to start more costs more than they save on so few pixels
        for picture in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    file.seek(0)
    with av.open(file, "r") as video:
        video.streams.video[0].codec_context.thread_count = 1
        to_rgb = VideoReformatter()
        return np.stack([as_rgb(frame, to_rgb) for frame in video.decode(video=0)])


def as_rgb(frame: av.VideoFrame, to_rgb: VideoReformatter) -> UInt8[np.ndarray, "h w 3"]:
    """The picture of a decoded frame."""
    return np.asarray(to_rgb.reformat(frame, format="rgb24").to_ndarray(), np.uint8)
