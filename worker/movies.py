"""Moving results: MP4 for players, GIF and WebP that loop. Frames are enlarged by whole factors: pixels stay crisp."""

import io
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from tempfile import NamedTemporaryFile

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from numpy.typing import NDArray
from PIL import Image

TIME_BASE = Fraction(1, 90_000)  # seconds; the clock of most containers, fine enough for any frame rate
STILL = 1.0  # seconds that a clip of one frame is shown
LOOPED_FRAMES = 300  # most frames of a GIF or WebP; longer clips are thinned, for these are for pages, not players
PALETTE_BYTES = 600_000  # of pixels that a palette is chosen from; more take long and change nothing
LEAST_DELAY = 20  # milliseconds; browsers play shorter ones slowly
TAGS = "colorprim=bt709:transfer=bt709:colormatrix=bt709:range=tv"  # said, so that no player has to guess
# Near lossless, for pictures this small; slower presets take longer and come no nearer to flat squares.
H264 = {"crf": "18", "preset": "ultrafast", "tune": "animation", "x264-params": TAGS}

Frames = NDArray[np.uint8]  # (t, h, w, 3), or one of them (h, w, 3)
Times = NDArray[np.float64]
Picture = Callable[[int], Frames]  # draws one frame of a movie, so that a long one never lies in memory whole


def enlarge(frames: Frames, factor: int) -> Frames:
    """Repeat every pixel `factor` times each way; any number of leading axes."""
    return frames.repeat(factor, axis=-3).repeat(factor, axis=-2)


def durations(times: Times) -> Times:
    """Return how long each frame is shown, in seconds; the last as long as the typical one."""
    if len(times) == 1:
        return np.array([STILL])
    shown = np.maximum(np.diff(times), 0.001)
    return np.append(shown, np.median(shown))


def mp4(picture: Picture, times: Times) -> bytes:
    """Return H.264 4:2:0 with its index in front, every frame at its true time; odd sizes get a black edge."""
    shown = durations(times)
    ticks = np.rint((times - times[0]) / float(TIME_BASE)).astype(np.int64)
    with NamedTemporaryFile(suffix=".mp4") as file:  # moving the index to the front reads the file again, by its name
        _write_mp4(file.name, picture, ticks, float(1 / np.median(shown)))
        return Path(file.name).read_bytes()


def _write_mp4(name: str, picture: Picture, ticks: NDArray[np.int64], fps: float) -> None:
    to_yuv = VideoReformatter()
    with av.open(name, "w", format="mp4", options={"movflags": "+faststart"}) as container:
        stream = None
        for index, tick in enumerate(ticks):
            drawn = picture(index)
            even = np.pad(drawn, ((0, drawn.shape[0] % 2), (0, drawn.shape[1] % 2), (0, 0)))
            if stream is None:
                stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001))
                stream.width, stream.height, stream.pix_fmt = even.shape[1], even.shape[0], "yuv420p"
                stream.time_base = stream.codec_context.time_base = TIME_BASE
                stream.codec_context.thread_count = 1  # with two, the same pictures gave other bytes under load
                stream.options = dict(H264)
            frame = to_yuv.reformat(
                av.VideoFrame.from_ndarray(even, format="rgb24"),
                format="yuv420p",
                dst_colorspace=Colorspace.ITU709,
                dst_color_range=ColorRange.MPEG,
                interpolation=Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INP,
                threads=1,
            )
            frame.pts, frame.time_base = int(tick), TIME_BASE
            for packet in stream.encode(frame):
                container.mux(packet)
        if stream is not None:
            for packet in stream.encode():
                container.mux(packet)


def thinned(count: int) -> NDArray[np.int64]:
    """Return which frames of a clip a looping picture keeps."""
    kept = min(count, LOOPED_FRAMES)
    return np.unique(np.linspace(0, count - 1, kept).round().astype(np.int64))


def delays(times: Times, kept: NDArray[np.int64], grain: int) -> list[int]:
    """Return how long each kept frame is shown, in milliseconds, in steps of `grain`; rounding does not add up."""
    ends = np.append(times[kept[1:]], times[-1] + durations(times)[-1]) - times[0]
    marks = np.rint(np.concatenate([[0.0], ends]) * 1000 / grain).astype(np.int64) * grain
    return [max(LEAST_DELAY, int(delay)) for delay in np.diff(marks)]


def gif(picture: Picture, times: Times) -> bytes:
    """Return a looping GIF with one palette for all its frames, which neither flickers nor repeats itself."""
    kept = thinned(len(times))
    # The palette comes from frames all over the clip, side by side, thinned out by a step that shares no factor with
    # the enlargement, so that every column of pixels is met.
    some = np.concatenate([picture(int(i)) for i in kept[:: max(1, len(kept) // 16)]], axis=1)
    step = next(step for step in (1, 3, 5, 7) if some.size / step**2 <= PALETTE_BYTES or step == 7)
    palette = Image.fromarray(np.ascontiguousarray(some[::step, ::step])).quantize(256, Image.Quantize.MEDIANCUT)
    pictures = [Image.fromarray(picture(int(i))).quantize(palette=palette, dither=Image.Dither.NONE) for i in kept]
    return _looped(pictures, "GIF", delays(times, kept, 10), disposal=1, optimize=False)


def webp(picture: Picture, times: Times) -> bytes:
    """Return a looping WebP in full colour."""
    kept = thinned(len(times))
    pictures = [Image.fromarray(picture(int(i))) for i in kept]
    # No keyframes but the first (kmax): to try one every few frames takes half as long again, and nobody winds a loop.
    return _looped(pictures, "WEBP", delays(times, kept, 1), quality=88, method=2, kmin=0, kmax=0)


def _looped(pictures: list[Image.Image], kind: str, shown: list[int], **options: object) -> bytes:
    buffer = io.BytesIO()
    pictures[0].save(buffer, kind, save_all=True, append_images=pictures[1:], duration=shown, loop=0, **options)
    return buffer.getvalue()
