"""Reads the frames of a video file, true in colour, time, turn and transparency. Runs in the decoder process only."""

import struct
from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from io import FileIO
from typing import Any, Final

import av
import numpy as np
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Interpolation, VideoReformatter
from numpy.typing import NDArray

from worker.order import Limits, Refusal

# FFmpeg's software decoders of what people film, draw and keep; it opens no other, not even to probe.
DECODERS = (
    "h264,hevc,vp8,vp9,libdav1d,mpeg4,mpeg1video,mpeg2video,msmpeg4v2,msmpeg4,h263,flv,theora,mjpeg,prores,dnxhd,"
    "ffv1,huffyuv,ffvhuff,utvideo,png,qtrle,cinepak"
)
ALPHA_SIDE_DATA: Final = "matroska_block_additional"
ALPHA_HEADER = 8  # bytes of BlockAddID before the alpha plane's own stream
SEEK_AFTER = 10.0  # seconds to skip from which seeking beats decoding
FLAGS = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT


class VideoPicture:
    """A decoded frame; its colours are computed only when it is asked for them."""

    def __init__(self, frame: VideoFrame, time: float, alpha: NDArray[np.uint8] | None, colours: "Colours") -> None:
        self.time = time
        self.aspect = colours.upright_aspect(frame.rotation)
        self._frame, self._alpha, self._colours = frame, alpha, colours

    def rgb(self) -> NDArray[np.uint8]:
        """Return the picture as it is meant to be seen, (h, w, 3), transparent parts laid on black."""
        try:
            return self._colours.upright(self._frame, self._alpha)
        except (av.FFmpegError, ValueError) as error:
            raise Refusal("undecodable", f"the frame at {self.time:.2f} s cannot be turned into colours") from error


class Colours:
    """Turns frames of one stream into upright RGB."""

    def __init__(self, aspect: float) -> None:
        self.aspect = aspect
        self.reformatter = VideoReformatter()

    def upright_aspect(self, rotation: int) -> float:
        """Return a pixel's width over its height after the turn."""
        return 1 / self.aspect if round(rotation / 90) % 2 else self.aspect

    def upright(self, frame: VideoFrame, alpha: NDArray[np.uint8] | None) -> NDArray[np.uint8]:
        """Convert with the frame's own matrix and range, lay it on black, and turn it as its display matrix says."""
        transparent = frame.format.has_palette or any(part.is_alpha for part in frame.format.components)
        # One thread, for the process may start no other. Gray counts as full range whatever its tag says, as in every
        # tool on FFmpeg: encoders of gray video write full range, and tag it as limited.
        converted = self.reformatter.reformat(
            frame,
            format="rgba" if transparent else "rgb24",
            interpolation=FLAGS,
            dst_color_range=ColorRange.JPEG,
            threads=1,
        )
        shown = np.asarray(converted.to_ndarray(), np.uint8)
        if transparent:
            shown, alpha = shown[..., :3], shown[..., 3]
        if alpha is not None:
            shown = on_black(shown, alpha)
        # The angle is counter-clockwise, as is rot90's; phones write no other angles.
        return np.ascontiguousarray(np.rot90(shown, round(frame.rotation / 90)))


def on_black(rgb: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return what is seen of a picture over a black ground."""
    return ((rgb.astype(np.uint16) * alpha[..., None] + 127) // 255).astype(np.uint8)


class AlphaPlane:
    """Decodes the transparency that VP8 and VP9 keep as a second stream beside each packet of the first."""

    def __init__(self, codec: str) -> None:
        self.context: Any = av.VideoCodecContext.create(codec, "r")
        self.waiting: deque[NDArray[np.uint8]] = deque()

    def feed(self, packet: Any) -> None:
        """Take the alpha of one packet; the colour decoder will give its frame once."""
        if packet.has_sidedata(ALPHA_SIDE_DATA):
            data = bytes(packet.get_sidedata(ALPHA_SIDE_DATA))[ALPHA_HEADER:]
            for frame in self.context.decode(av.Packet(data)):
                plane = frame.planes[0]
                rows = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
                self.waiting.append(rows[:, : plane.width].copy())

    def take(self, height: int, width: int) -> NDArray[np.uint8] | None:
        """Return the alpha of the next frame; None where it has none of its size."""
        plane = self.waiting.popleft() if self.waiting else None
        return plane if plane is not None and plane.shape == (height, width) else None


def read_video(file: FileIO, demuxer: str, limits: Limits, start: float) -> Iterator[VideoPicture]:
    """Give the frames of FFmpeg's best video stream from some frame at or before `start` on.

    Times are seconds after the stream's first frame, as the file tells them, not as a frame rate would have them.

    Raises:
        Refusal: there is no video, it is broken, cut off, or its pictures are too large.

    """
    pixels = {"max_pixels": str(limits.frame_pixels)}
    whitelists = {"codec_whitelist": DECODERS, "format_whitelist": demuxer_list(demuxer), "protocol_whitelist": "none"}
    seen = 0
    try:
        options = {**pixels, "threads": "1"}
        with av.open(
            file, "r", format=demuxer, options=options, container_options=whitelists, metadata_errors="replace"
        ) as container:
            stream = container.streams.best("video")
            if not isinstance(stream, av.VideoStream) or stream.disposition & Disposition.attached_pic:
                kinds = ", ".join(sorted({str(other.type) for other in container.streams}))
                raise Refusal("no-video", f"the file has no video in it, only {kinds or 'an empty container'}")
            context = stream.codec_context
            check_decoder(context)
            check_size(context.width, context.height, limits)
            # A damaged frame is an error, not something to paint over: a silent repair would change the codes.
            context.options = {"err_detect": "crccheck+explode", **pixels, "threads": "1"}
            context.thread_count, context.thread_type = 1, "NONE"
            for picture in _pictures(container, stream, limits, start):
                seen += 1
                yield picture
    except av.FFmpegError as error:
        if isinstance(error, MemoryError):
            raise Refusal("frame-too-large", "decoding this file takes more memory than one clip may use") from error
        if not seen:
            check_container_size(file, demuxer, limits)
        where = f"after {seen} good frames" if seen else "before its first frame"
        raise Refusal("undecodable", f"the file is broken or cut off {where}: {error.strerror}") from error
    if not seen:
        raise Refusal("undecodable", "the file declares a video and holds no frame of it")


def _pictures(
    container: av.container.InputContainer, stream: av.VideoStream, limits: Limits, start: float
) -> Iterator[VideoPicture]:
    colours = Colours(pixel_aspect(stream.sample_aspect_ratio))
    has_alpha = stream.metadata.get("alpha_mode", stream.metadata.get("ALPHA_MODE")) == "1"
    alpha = AlphaPlane(stream.codec_context.name) if has_alpha else None
    interval = 1 / float(stream.average_rate or stream.guessed_rate or 25)
    origin: float | None = None
    previous = -interval
    seek_wanted = start > SEEK_AFTER and stream.time_base is not None
    packets = container.demux(stream)
    while True:
        packet = next(packets, None)
        if packet is None:
            return
        if alpha is not None:
            alpha.feed(packet)
        for frame in packet.decode():
            check_size(frame.width, frame.height, limits)
            if frame.is_corrupt:
                raise Refusal("undecodable", f"the frame at {max(previous + interval, 0):.2f} s is damaged")
            told = float(frame.pts * frame.time_base) if frame.pts is not None and frame.time_base else None
            origin = told if origin is None else origin
            time = previous + interval if told is None or origin is None else told - origin
            previous = time
            yield VideoPicture(frame, time, alpha.take(frame.height, frame.width) if alpha else None, colours)
            if seek_wanted and frame.pts is not None and frame.time_base:
                # Backwards to a key frame, with a margin for files whose index is a little off.
                container.seek(frame.pts + round((start - 2) / frame.time_base), stream=stream, backward=True)
                packets = container.demux(stream)
                seek_wanted = False
                break


def pixel_aspect(ratio: Fraction | None) -> float:
    """Return a pixel's width over its height; square where the file says nothing or nonsense."""
    aspect = float(ratio) if ratio else 1.0
    return aspect if 1 / 16 <= aspect <= 16 else 1.0


def check_decoder(context: Any) -> None:
    """Refuse a stream that no decoder of our list reads; `context` is None where FFmpeg itself knows none."""
    if context is None or context.name not in DECODERS.split(","):
        kind = "unknown" if context is None else context.name
        raise Refusal(
            "undecodable",
            f"the video's codec is {kind}, which is not taken: make it H.264, H.265, VP8, VP9, AV1 or MPEG-4 first",
        )


def check_size(width: int, height: int, limits: Limits) -> None:
    """Refuse pictures larger than the limit before anything of their size is allocated."""
    if width * height > limits.frame_pixels:
        raise Refusal(
            "frame-too-large",
            f"the picture is {width}x{height} = {width * height} pixels; at most {limits.frame_pixels} are taken: "
            "scale it down first",
        )


def check_container_size(file: FileIO, demuxer: str, limits: Limits) -> None:
    """Refuse what the container itself says is too large: FFmpeg forgets the size of what its own limit refuses."""
    file.seek(0)
    nothing = {"codec_whitelist": "none", "format_whitelist": demuxer_list(demuxer), "protocol_whitelist": "none"}
    try:
        with av.open(file, "r", format=demuxer, container_options=nothing, metadata_errors="replace") as container:
            sizes = [(stream.width, stream.height) for stream in container.streams.video]
    except av.FFmpegError:
        return
    for width, height in sizes:
        check_size(width, height, limits)


def demuxer_list(demuxer: str) -> str:
    """Return every name the chosen demuxer goes by, for FFmpeg compares the whole list of them."""
    return {"mov": "mov,mp4,m4a,3gp,3g2,mj2", "matroska": "matroska,webm"}.get(demuxer, demuxer)


def declared_bytes(head: bytes) -> int | None:
    """Return how long the file says it is, where its outermost box tells; demuxers end a cut file without a word.

    RIFF (AVI, WebP) says so in bytes 4 to 8; Matroska in the size of its one segment.
    """
    if head[:4] == b"RIFF" and len(head) >= 8:
        return 8 + int(struct.unpack("<I", head[4:8])[0])
    if head[:4] == b"\x1aE\xdf\xa3":
        header_size, at = ebml_size(head, 4)
        if header_size is None or at + header_size + 4 > len(head):
            return None
        segment = at + header_size
        if head[segment : segment + 4] != b"\x18S\x80g":
            return None
        size, body = ebml_size(head, segment + 4)
        return None if size is None else body + size
    return None


def ebml_size(data: bytes, at: int) -> tuple[int | None, int]:
    """Read EBML's variable-length size at `at`; return it (None: unknown) and where its content begins."""
    if at >= len(data) or data[at] == 0:
        return None, at
    length = 9 - data[at].bit_length()
    value = int.from_bytes(data[at : at + length], "big") & ((1 << 7 * length) - 1)
    return (None if value == (1 << 7 * length) - 1 else value), at + length
