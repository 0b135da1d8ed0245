"""Drawn clips come back with the pixels, colours, turns and times that they were filmed with."""

import io
import os
import struct
import zlib

import av
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

from jobs.errors import (
    EmptyFile,
    FrameTooLarge,
    NoFace,
    NotAMedia,
    Problem,
    TooManyFrames,
    UndecodableMedia,
    WrongValue,
)
from tests.worker.drawn import film, moving_square
from worker.media import options_for, shared_memory
from worker.order import Limits


def test_nobody_can_shorten_the_memory_that_frames_come_in():
    refused = []
    with shared_memory(8192) as memory:
        for size in (0, 4096, 10000, 8192):
            try:
                os.ftruncate(memory.fileno(), size)
            except PermissionError:
                refused.append(size)
        assert os.fstat(memory.fileno()).st_size == 8192
    # Where there is no memfd_create, as on macOS, frames come in a temporary file, and such a file cannot be sealed.
    assert refused == ([0, 4096, 10000] if hasattr(os, "memfd_create") else [])


def center(frames):
    """The largest centred square of 96 × 128 frames, halved and a half: 96 → 48."""
    square = frames[:, :, 16:112].astype(np.float64)
    return np.floor(square.reshape(len(frames), 48, 2, 48, 2, 3).mean((2, 4)) + 0.5).astype(np.uint8)


def save(pictures, kind, **options):
    buffer = io.BytesIO()
    images = [Image.fromarray(picture) for picture in pictures]
    images[0].save(buffer, kind, save_all=len(images) > 1, append_images=images[1:], **options)
    return buffer.getvalue()


def test_a_lossless_clip_comes_back_bit_for_bit(decode):
    frames = moving_square()
    clip = decode(film(frames, "ffv1", "matroska", "bgr0"), size=48)
    assert_array_equal(clip.frames, center(frames))
    assert_allclose(clip.timestamps, np.arange(12) / 25, atol=1e-3)


@pytest.mark.parametrize(
    ("codec", "container", "pix_fmt"),
    [
        ("libx264", "mp4", "yuv420p"),
        ("libx264", "mp4", "yuv444p"),
        ("libx264", "mp4", "yuv420p10le"),
        ("libx264", "mov", "yuvj420p"),
        ("libx265", "mp4", "yuv420p"),
        ("libvpx-vp9", "webm", "yuv420p"),
        ("libsvtav1", "webm", "yuv420p"),
        ("mpeg4", "avi", "yuv420p"),
        ("mpeg2video", "mpegts", "yuv420p"),
        ("mjpeg", "mov", "yuvj420p"),
    ],
)
def test_every_usual_codec_keeps_the_colours(decode, codec, container, pix_fmt):
    frames = moving_square()
    clip = decode(film(frames, codec, container, pix_fmt), size=48)
    assert len(clip.frames) == 12
    assert np.abs(clip.frames.astype(int) - center(frames)).mean() < 6


def test_gray_video_is_gray_and_as_bright(decode):
    frames = np.repeat(np.arange(0, 240, 20, dtype=np.uint8), 64 * 64 * 3).reshape(12, 64, 64, 3)
    clip = decode(film(frames, "ffv1", "matroska", "gray"))
    assert_allclose(clip.frames.mean((1, 2)), np.arange(0, 240, 20)[:, None].repeat(3, 1))


def test_odd_sizes_lose_no_edge(decode):
    frames = moving_square(4, 91, 161)
    clip = decode(film(frames, "libx264", "mp4", "yuv444p", options={"crf": "1"}), size=91)
    assert np.abs(clip.frames.astype(int) - frames[:, :, 35:126]).mean() < 2


@pytest.mark.parametrize("rotation", [90, -90, 180])
def test_a_rotation_tag_is_honoured(decode, rotation):
    frames = moving_square()
    straight, turned = (decode(film(frames, rotation=angle), size=48).frames for angle in (0, rotation))
    for before, after in zip(straight, turned, strict=True):
        assert_array_equal(after, np.rot90(before, rotation // 90))


def test_a_turned_picture_has_its_turned_size(decode):
    clip = decode(film(moving_square(), rotation=-90), size=48, crop="0,0,96,128")  # upright: 96 wide, 128 high
    assert not clip.frames[:, :, :6].any()
    assert clip.frames[:, :, 6:42].mean() > 20


def test_true_times_of_uneven_frames_survive(decode):
    times = [0.0, 0.017, 0.05, 0.3, 0.8, 0.84]
    clip = decode(film(moving_square(6), times=times))
    assert_allclose(clip.timestamps, times, atol=1e-6)


def test_times_start_at_zero_whatever_the_file_says(decode):
    clip = decode(film(moving_square(4), "libx264", "matroska", times=[5.0, 5.1, 5.2, 5.3]))
    assert_allclose(clip.timestamps, [0.0, 0.1, 0.2, 0.3], atol=1e-6)


def test_start_end_stride_and_most_frames_choose_by_the_clips_own_clock(decode):
    clip = film(moving_square(50), rate=25)
    every = decode(clip)
    chosen = decode(clip, start=0.4, end=1.6, stride=3)
    assert_array_equal(chosen.frames, every.frames[10:40:3])
    assert_allclose(chosen.timestamps, every.timestamps[10:40:3])
    assert_array_equal(decode(clip, start=0.4, max_frames=2).frames, every.frames[10:12])


def test_a_late_start_in_a_long_clip_gives_the_same_frames_as_decoding_all(decode):
    clip = film(moving_square(700), rate=25, options={"g": "50"})
    every, late = decode(clip), decode(clip, start=20.0, end=20.4)
    assert_array_equal(late.frames, every.frames[500:510])
    assert_allclose(late.timestamps, every.timestamps[500:510], atol=1e-9)


def test_a_part_in_pixels_is_that_part(decode):
    frames = moving_square()
    clip = decode(film(frames, "ffv1", "matroska", "bgr0"), size=24, crop="4,20,24,24")
    assert_array_equal(clip.frames, frames[:, 20:44, 4:28])


def test_no_crop_shows_the_whole_picture_between_bars(decode):
    frames = moving_square()
    clip = decode(film(frames, "ffv1", "matroska", "bgr0"), size=128, crop="none")
    assert_array_equal(clip.frames[:, 16:112], frames)
    assert not clip.frames[:, :16].any()


def test_more_frames_than_a_chunk_holds_keep_their_order(decode):
    frames = moving_square(100)
    clip = decode(film(frames, "ffv1", "matroska", "bgr0"), size=48, chunk=7)
    assert_array_equal(clip.frames, center(frames))


def test_titles_in_old_encodings_are_nobodys_business(decode):
    clip = film(moving_square(3), "ffv1", "matroska", "bgr0")
    assert clip.count(b"Lavf") >= 1
    assert len(decode(clip.replace(b"Lavf", b"\xe9\xae\x8c\xff")).frames) == 3


# Pictures


def test_a_still_picture_is_a_clip_of_one_frame(decode):
    picture = moving_square(1)[0]
    for kind in ("PNG", "WEBP"):
        clip = decode(save([picture], kind, lossless=True), size=48)
        assert_array_equal(clip.frames, center(picture[None]))
        assert clip.timestamps.tolist() == [0.0]


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_animations_keep_pixels_and_delays(decode, kind):
    frames = moving_square(5)
    clip = decode(save(frames, kind, duration=[40, 100, 200, 60, 80], lossless=True), size=48)
    assert_array_equal(clip.frames, center(frames))
    assert_allclose(clip.timestamps, [0.0, 0.04, 0.14, 0.34, 0.4])


def test_an_animated_gif_keeps_its_palette_colours_and_delays(decode):
    frames = np.zeros((4, 64, 64, 3), np.uint8)
    for t in range(4):
        frames[t, 8 * t : 8 * t + 16, 8:24] = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0)][t]
    clip = decode(save(frames, "GIF", duration=[50, 100, 30, 70]))
    assert_array_equal(clip.frames, frames)
    assert_allclose(clip.timestamps, [0.0, 0.05, 0.15, 0.18])


def test_transparency_is_laid_on_black(decode):
    rgba = np.zeros((64, 64, 4), np.uint8)
    rgba[..., 0], rgba[..., 3] = 200, np.arange(64)[:, None] * 4
    clip = decode(save([rgba], "PNG"))
    assert_allclose(clip.frames[0, :, :, 0], (200 * rgba[..., 3].astype(int) / 255), atol=0.5001)
    assert not clip.frames[..., 1:].any()


def test_a_clip_with_an_alpha_plane_is_laid_on_black(decode):
    rgba = np.zeros((64, 64, 4), np.uint8)
    rgba[..., 1] = 180
    rgba[:, 32:, 3] = 255
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="matroska") as out:
        stream = out.add_stream("ffv1", rate=25)
        stream.height = stream.width = 64
        stream.pix_fmt = "bgra"
        frame = av.VideoFrame.from_ndarray(rgba, format="rgba").reformat(format="bgra")
        out.mux(stream.encode(frame))
        out.mux(stream.encode())
    clip = decode(buffer.getvalue())
    assert not clip.frames[:, :, :32].any()
    assert (clip.frames[:, :, 32:] == (0, 180, 0)).all()


def test_exif_orientation_turns_a_photograph(decode):
    picture = moving_square(1, 64, 64)[0]
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned a quarter clockwise
    straight, turned = (
        decode(save([picture], "JPEG", quality=100)),
        decode(save([picture], "JPEG", quality=100, exif=exif)),
    )
    assert_array_equal(turned.frames[0], np.rot90(straight.frames[0], -1))


def test_sixteen_bits_of_gray_are_scaled_not_clipped(decode):
    deep = (np.arange(64, dtype=np.uint16)[None].repeat(64, 0) * 1024).astype(np.uint16)
    buffer = io.BytesIO()
    Image.fromarray(deep).save(buffer, "PNG")
    clip = decode(buffer.getvalue())
    assert_allclose(clip.frames[0, 0, :, 0], np.arange(64) * 1024 / 257, atol=1)


# Refusals


def refused(decode, clip, kind, match, **options):
    with pytest.raises(kind, match=match) as caught:
        decode(clip, **options)
    assert type(caught.value) is kind
    return caught.value


@pytest.mark.parametrize(
    "content",
    [
        b"\x7fELF" + bytes(200),
        b"PK\x03\x04" + bytes(200),
        b"<html><body>no</body></html>",
        b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n",
        b"ffconcat version 1.0\nfile /etc/passwd\n",
        b"v=0\r\no=- 0 0 IN IP4 169.254.169.254\r\ns=x\r\nm=video 5004 RTP/AVP 96\r\n",
        b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
        b"%!PS-Adobe-3.0 EPSF-3.0\n",
        b"%PDF-1.7\n",
        b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic",
    ],
    ids=["elf", "zip", "html", "m3u8", "ffconcat", "sdp", "svg", "eps", "pdf", "heic"],
)
def test_what_is_no_media_is_named_so_without_opening_it(decode, content):
    assert refused(decode, content, NotAMedia, "whatever its name says").status == 415


def test_an_empty_file_is_told_apart(decode):
    refused(decode, b"", EmptyFile, "no bytes")


def test_a_clip_cut_in_the_middle_is_broken_not_short(decode):
    whole = film(moving_square(60), options={"crf": "10"})
    for container, kind in (("matroska", "it says it has"), ("avi", "it says it has")):
        clip = film(moving_square(60), "mpeg4", container)
        refused(decode, clip[: len(clip) // 2], UndecodableMedia, kind)
    refused(decode, whole[: len(whole) // 2], UndecodableMedia, "broken or cut off before its first frame")


def test_a_codec_that_is_not_on_the_list_is_named(decode):
    refused(decode, film(moving_square(3), "snow", "matroska"), UndecodableMedia, "codec is snow, which is not taken")
    unknown = film(moving_square(3), "mpeg4", "avi").replace(b"FMP4", b"QQQQ")
    refused(decode, unknown, UndecodableMedia, "codec is unknown")


def test_damage_in_the_middle_is_not_painted_over(decode):
    clip = bytearray(film(moving_square(60), options={"crf": "5", "g": "300"}))
    middle = len(clip) // 2
    clip[middle : middle + 400] = bytes(b ^ 0xA5 for b in clip[middle : middle + 400])
    refused(decode, bytes(clip), UndecodableMedia, "broken or cut off after")


def test_too_many_frames_are_refused_unless_fewer_are_chosen(decode):
    clip = film(moving_square(50))
    limits = Limits(frames=20)
    refused(decode, clip, TooManyFrames, "more than the 20 frames", limits=limits)
    assert len(decode(clip, limits=limits, stride=3).frames) == 17
    assert len(decode(clip, limits=limits, max_frames=20).frames) == 20
    assert len(decode(clip, limits=limits, start=1.0, end=1.5).frames) == 13
    refused(decode, clip, TooManyFrames, "more than the 20 frames", limits=limits, max_frames=21)


def test_large_frames_are_refused_by_their_header(decode):
    limits = Limits(frame_pixels=96 * 128 - 1)
    refused(decode, film(moving_square()), FrameTooLarge, "128x96 = 12288 pixels", limits=limits)
    refused(decode, save(moving_square(1), "PNG"), FrameTooLarge, "taken", limits=limits)
    assert len(decode(film(moving_square()), limits=Limits(frame_pixels=96 * 128)).frames) == 12


def test_a_png_bomb_is_refused_before_it_unpacks(decode):
    png = bytearray(save([np.zeros((1, 1), np.uint8)], "PNG"))
    header = struct.pack(">II", 65_000, 65_000) + bytes(png[24:29])
    png[16:29] = header
    png[29:33] = struct.pack(">I", zlib.crc32(b"IHDR" + header))
    refused(decode, bytes(png), FrameTooLarge, "pixels")


def test_a_choice_without_a_frame_in_it_is_the_askers_mistake(decode):
    refused(decode, film(moving_square()), WrongValue, r"no frame from 30.0 s to its end", start=30.0)
    refused(decode, film(moving_square()), WrongValue, "outside the picture, which is 128x96", crop="100,0,64,64")


def test_wrong_options_are_told_before_a_file_is_opened():
    for options, match in (({"crop": "left"}, "crop must be"), ({"start": 2.0, "end": 1.0}, "must come after")):
        with pytest.raises(Problem, match=match) as caught:
            options_for(64, **options)
        assert caught.value.status == 422


def test_no_face_is_said_plainly(decode):
    refused(decode, film(moving_square()), NoFace, "no face was found in any frame", crop="face")
