"""Videos for training: thinned evenly, and cut around the face as `/encode` cuts them."""

import av
import numpy as np
import pytest

from jobs.errors import NoFace
from tests.worker.drawn import film
from training.data.cuts import scene_cuts
from worker import movies
from worker.media import options_for
from worker.squares import Thinner, square_frames, stride_of


@pytest.fixture
def squares(decoder):
    """Read a file for training, with a face in it by default."""

    def read(path, crop="face", most=1000):
        with path.open("rb") as file:
            return square_frames(
                decoder,
                file.fileno(),
                size=64,
                crop=crop,
                most=most,
                frame_pixels=2**24,
                seconds=600.0,
                find_cuts=scene_cuts,
            )

    return read


@pytest.mark.parametrize(("count", "stride"), [(1, 1), (20, 1), (21, 2), (40, 2), (41, 4), (200, 16)])
def test_what_is_kept_is_every_so_manyth_frame(count, stride):
    thinner = Thinner(most=20)
    for number in range(count):
        thinner.add(np.full((1, 1, 3), number, np.uint8))
    assert [frame[0, 0, 0] for frame in thinner.kept] == list(range(0, count, stride))
    assert (thinner.stride, thinner.count) == (stride, count)
    assert stride_of(count, most=20) == stride


def test_a_face_is_cut_as_encode_cuts_it(shared_data, squares, decoder):
    clip = shared_data / "videos" / "signers" / "eat.mkv"
    with clip.open("rb") as file:
        served = [chunk.frames for chunk in decoder.decode(file.fileno(), options_for(64, crop="face"))]
    found = squares(clip)
    assert np.array_equal(found.frames, np.concatenate(served))
    assert (found.numbers, found.cuts, found.faceless) == (list(range(47)), [], [])


def test_a_video_that_shows_nobody_is_refused(tmp_path, squares):
    still = np.full((12, 96, 96, 3), 90, np.uint8)
    path = tmp_path / "nobody.mp4"
    path.write_bytes(movies.mp4(lambda number: still[number], np.arange(12) / 10))
    with pytest.raises(NoFace):
        squares(path)


def wide(path, count, left):
    """The first frames of a signer as a picture twice as wide, to the left or to the right of a wall."""
    with av.open(path) as container:
        frames = [
            frame.to_ndarray(format="rgb24") for _, frame in zip(range(count), container.decode(video=0), strict=False)
        ]
    wall = np.full_like(frames[0], (90, 60, 130) if left else (40, 120, 90))
    return [np.concatenate([frame, wall] if left else [wall, frame], 1) for frame in frames]


def test_a_face_is_followed_within_each_scene_and_scenes_without_one_are_named(shared_data, tmp_path, squares):
    signers = shared_data / "videos" / "signers"
    scenes = [wide(signers / "eat.mkv", 36, left=True), wide(signers / "night.mkv", 24, left=False)]
    height, width = scenes[0][0].shape[:2]
    empty = [np.full((height, width, 3), 200, np.uint8)] * 12
    path = tmp_path / "two people.mp4"
    path.write_bytes(film(np.stack([*scenes[0], *empty, *scenes[1]])))
    found = squares(path)
    assert (found.cuts, found.faceless, found.count) == ([36, 48], [2], 72)
    assert found.numbers == [*range(36), *range(48, 72)]
    for frame in (found.frames[5], found.frames[40], found.frames[-1]):
        red, _, blue = frame[20:40, 24:40].reshape(-1, 3).mean(0)
        assert red - blue > 15, "skin in the middle of the crop, and no wall"
    thinned = squares(path, most=40)
    assert thinned.numbers == [*range(0, 36, 2), *range(48, 72, 2)]
