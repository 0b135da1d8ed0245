"""Every real file decodes whole, with the pixels that an independent decode gives; every broken one is refused."""

import json

import av
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

from jobs.errors import Problem
from worker.order import Limits

VALID = [
    "derived/flower_mjpeg.mov", "derived/flower_odd_161x91.webm", "derived/flower_odd_161x91_yuv444.mp4",
    "derived/flower_portrait_90x160.mp4", "derived/flower_vfr.mp4", "derived/flower_vp9_opus.webm",
    "derived/large_4096x2304.mp4", "derived/nasa_mpeg4_mp3.avi", "derived/one_frame.mp4", "derived/seven_frames.mp4",
    "derived/sprite_walk_front.gif", "derived/sprite_walk_front_ffv1.mkv", "real/av1_video.mkv",
    "real/bottle-detection.mp4", "real/flower.webm", "real/friday.mp4", "real/h265_video.mp4", "real/nasa_13013.mp4",
    "real/one-by-one-person-detection.mp4", "real/one_frame_8x8.webm", "real/person-bicycle-car-detection.gif",
    "real/rotate0.mov", "real/rotate90.mov", "real/unordered.mov", "signers/book.mkv", "signers/eat.mkv",
    "signers/learn.mkv", "signers/milk.mkv", "signers/night.mkv", "signers/please.mkv",
]  # fmt: skip
LONG = {"real/bottle-detection.mp4", "real/one-by-one-person-detection.mp4"}
BEST_IS_NOT_FIRST = {"real/nasa_13013.mp4": 390}  # the list counts the first stream, 320×180; the better is 480×270
REFUSED = {
    "audio_only.mp4": "no-video",
    "corrupted.mp4": "undecodable",
    "empty.mp4": "empty-file",
    "header_only.avi": "undecodable",
    "header_only.gif": "undecodable",
    "no_streams.mp4": "no-video",
    "text.mp4": "not-a-media",
    "truncated_no_index.mp4": "undecodable",
    "truncated_with_index.mp4": "undecodable",
}


@pytest.fixture(scope="session")
def videos(shared_data):
    return shared_data / "videos"


@pytest.fixture(scope="session")
def listed(videos):
    return {entry["file"]: entry["probe_pyav"] for entry in json.loads((videos / "videos.json").read_text())["files"]}


@pytest.fixture(scope="session")
def decoded(decode, videos):
    """Decode a file once for all tests; of the longest ones every eighth frame."""
    seen = {}

    def run(name):
        if name not in seen:
            seen[name] = decode(videos / name, stride=8 if name in LONG else 1)
        return seen[name]

    return run


def frames_of(path, rotated=0):
    """Decode with PyAV, and compute colours by the definition of their matrix and range."""
    with av.open(str(path)) as container:
        stream = container.streams.best("video")
        return [np.rot90(colours(frame), rotated) for frame in container.decode(stream)]


def colours(frame):
    if not frame.format.name.startswith("yuv"):
        return frame.to_ndarray(format="rgb24")
    planes = [np.frombuffer(plane, np.uint8).reshape(plane.height, -1)[:, : plane.width] for plane in frame.planes]
    down, across = (-(-frame.height // planes[1].shape[0]), -(-frame.width // planes[1].shape[1]))
    y, u, v = (
        plane.astype(float)
        .repeat(down if plane is not planes[0] else 1, 0)
        .repeat(across if plane is not planes[0] else 1, 1)[: frame.height, : frame.width]
        for plane in planes
    )
    full = frame.color_range == 2 or frame.format.name.startswith("yuvj")
    y, u, v = (
        (y / 255, (u - 128) / 255, (v - 128) / 255) if full else ((y - 16) / 219, (u - 128) / 224, (v - 128) / 224)
    )
    kr, kb = (0.2126, 0.0722) if frame.colorspace == 1 else (0.299, 0.114)
    red, blue = y + 2 * (1 - kr) * v, y + 2 * (1 - kb) * u
    green = (y - kr * red - kb * blue) / (1 - kr - kb)
    return np.clip(np.stack([red, green, blue], -1) * 255 + 0.5, 0, 255).astype(np.uint8)


def squared(frame, size=64):
    height, width = frame.shape[:2]
    side = min(height, width)
    box = ((width - side) / 2, (height - side) / 2, (width + side) / 2, (height + side) / 2)
    return np.asarray(Image.fromarray(frame).resize((size, size), Image.Resampling.BOX, box=box))


@pytest.mark.parametrize("name", VALID)
def test_a_real_file_gives_all_its_frames(decoded, listed, name):
    clip, stride = decoded(name), 8 if name in LONG else 1
    count = BEST_IS_NOT_FIRST.get(name, listed[name]["decoded_frames"])
    assert len(clip.frames) == -(-count // stride)
    assert clip.timestamps[0] == 0
    assert (np.diff(clip.timestamps) > 0).all()
    if listed[name].get("frame_interval_ms") and name not in BEST_IS_NOT_FIRST:
        least, median, most = listed[name]["frame_interval_ms"]
        steps = np.diff(clip.timestamps) * 1000 / stride
        assert_allclose([steps.min(), np.median(steps), steps.max()], [least, median, most], atol=0.11)


@pytest.mark.parametrize(
    "name",
    [
        "derived/flower_mjpeg.mov", "derived/flower_odd_161x91.webm", "derived/flower_odd_161x91_yuv444.mp4",
        "derived/flower_portrait_90x160.mp4", "derived/flower_vp9_opus.webm", "derived/nasa_mpeg4_mp3.avi",
        "real/av1_video.mkv", "real/h265_video.mp4", "real/friday.mp4", "real/rotate0.mov", "signers/milk.mkv",
        "signers/night.mkv", "real/person-bicycle-car-detection.gif",
    ],
)  # fmt: skip
def test_pixels_are_those_of_an_independent_decode(decoded, videos, name):
    clip, frames = decoded(name), frames_of(videos / name)
    for index in np.linspace(0, len(frames) - 1, 7).astype(int):
        expected = squared(frames[index]).astype(int)
        # Pillow's box takes or leaves whole pixels, so small pictures differ a little along edges.
        assert np.abs(clip.frames[index] - expected).mean() < 4, index
        assert_allclose(clip.frames[index].mean((0, 1)), expected.mean((0, 1)), atol=0.7)


def test_a_rotated_film_stands_upright(decoded, videos):
    clip, frames = decoded("real/rotate90.mov"), frames_of(videos / "real/rotate90.mov", rotated=-1)
    assert frames[0].shape == (568, 320, 3)
    for shown, frame in zip(clip.frames, frames, strict=True):
        assert np.abs(shown - squared(frame).astype(int)).mean() < 2.5


def sprite(shared_data, pose):
    """Composite the walking sprite that the files were made from, by the recipe of the list."""
    layers = shared_data / "sprites" / "layers"
    picked = ("skin/0_", "legs/2_", "shirt/1_", "hair/3_", "shoes/0_")
    canvas = Image.new("RGBA", (64, 64), (0, 0, 0, 255))
    for part in picked:
        folder, prefix = part.split("/")
        sheet = Image.open(next((layers / folder).glob(f"{prefix}*"))).convert("RGBA")
        canvas.alpha_composite(sheet.crop((64 * pose, 64 * 10, 64 * pose + 64, 64 * 11)))
    return np.asarray(canvas.convert("RGB"))


@pytest.mark.parametrize("name", ["sprite_walk_front_ffv1.mkv", "sprite_walk_front.gif"])
def test_lossless_sprites_equal_the_composite_exactly(decoded, shared_data, name):
    clip = decoded(f"derived/{name}")
    expected = np.stack([sprite(shared_data, pose) for pose in (8, 1, 2, 3, 4, 5, 6, 7)])
    assert_array_equal(clip.frames, expected)


def test_transparent_video_is_black_where_nothing_is(decode, videos):
    clip = decode(videos / "real/transparent.webm")
    context = av.CodecContext.create("libvpx-vp9", "r")  # the one decoder that knows of the alpha plane by itself
    expected = []
    with av.open(str(videos / "real/transparent.webm")) as container:
        for packet in container.demux(container.streams.video[0]):
            expected += [frame.to_ndarray(format="rgba") for frame in context.decode(packet)]
    assert len(clip.frames) == len(expected) == 150
    for index in (0, 70, 149):
        rgba = expected[index].astype(float)
        seen = squared((rgba[..., :3] * rgba[..., 3:] / 255).round().astype(np.uint8))
        assert np.abs(clip.frames[index] - seen.astype(int)).mean() < 1.5
    assert clip.frames.max() > 100, "something must be seen of what is not transparent"


def test_the_long_file_stops_early_and_parts_of_it_do_not(decode, videos):
    path = videos / "derived/many_frames_64x64.mp4"
    with pytest.raises(Problem, match="more than the 4096 frames") as caught:
        decode(path)
    assert caught.value.slug == "too-many-frames"
    assert len(decode(path, stride=2).frames) == 3000
    assert len(decode(path, max_frames=100).frames) == 100
    late = decode(path, start=200.0)
    assert len(late.frames) == 1000
    assert late.timestamps[0] == 200.0


def test_every_broken_file_has_its_problem_and_the_next_one_works(decode, videos):
    for name, slug in REFUSED.items():
        with pytest.raises(Problem) as caught:
            decode(videos / "invalid" / name)
        assert caught.value.slug == slug, name
        assert 400 <= caught.value.status < 500
        assert len(caught.value.detail) > 20
    assert len(decode(videos / "derived/seven_frames.mp4").frames) == 7


def test_a_picture_that_claims_to_be_a_video_is_what_it_holds(decode, videos):
    """Its name is the service's to judge; by content it is a sound picture of one frame."""
    assert len(decode(videos / "invalid/png_renamed.mp4").frames) == 1


def test_limits_hold_for_the_large_file(decode, videos):
    with pytest.raises(Problem, match="4096x2304") as caught:
        decode(videos / "derived/large_4096x2304.mp4", limits=Limits(frame_pixels=4096 * 2304 - 1))
    assert caught.value.slug == "frame-too-large"


def test_a_face_is_kept_in_the_middle_of_its_crop(decode, shared_data):
    faces = shared_data / "faces"
    portrait = decode(faces / "astronaut.png", crop="face").frames[0]
    center = decode(faces / "astronaut.png", crop="center").frames[0]
    # Skin in the middle of the crop; in the whole picture the middle is her suit.
    red, _, blue = portrait[24:40, 24:40].reshape(-1, 3).mean(0)
    assert red - blue > 30
    assert np.abs(portrait.astype(int) - center).mean() > 20
    clip = decode(faces / "head-pose-face-detection-female.gif", crop="face")
    assert len(clip.frames) == 23
    signer = decode(shared_data / "videos/signers/book.mkv", crop="face", stride=6).frames
    red, _, blue = signer[:, 20:40, 24:40].reshape(-1, 3).mean(0)
    assert red - blue > 15
    steps = np.abs(np.diff(clip.frames.astype(int), axis=0)).mean((1, 2, 3))
    assert steps.max() < 45, "the crop must glide, not jump"
