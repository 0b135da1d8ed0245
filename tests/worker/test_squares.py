"""Videos for training: thinned evenly, and cut around the face as `/encode` cuts them."""

import numpy as np
import pytest

from jobs.errors import NoFace
from worker.media import Chunk, Decoder, options_for
from worker.squares import square_frames, thinned


def chunks(count: int, size: int = 7) -> list[Chunk]:
    frames = np.arange(count, dtype=np.uint8).reshape(-1, 1, 1, 1).repeat(3, 3)
    return [
        Chunk(frames[first : first + size], np.arange(len(frames[first : first + size]), dtype=float), 0.5)
        for first in range(0, count, size)
    ]


@pytest.mark.parametrize(("count", "stride"), [(1, 1), (20, 1), (21, 2), (40, 2), (41, 4), (200, 16)])
def test_what_is_kept_is_every_so_manyth_frame(count, stride):
    kept = thinned(chunks(count), most=20)
    assert kept[:, 0, 0, 0].tolist() == list(range(0, count, stride))


def test_a_face_is_cut_as_encode_cuts_it(shared_data):
    clip = shared_data / "videos" / "signers" / "eat.mkv"
    decoder = Decoder()
    try:
        with clip.open("rb") as file:
            frames = square_frames(
                decoder, file.fileno(), size=64, crop="face", most=1000, frame_pixels=2**24, seconds=600.0
            )
        with clip.open("rb") as file:
            served = [chunk.frames for chunk in decoder.decode(file.fileno(), options_for(64, crop="face"))]
    finally:
        decoder.close()
    assert np.array_equal(frames, np.concatenate(served))


def test_a_video_that_shows_nobody_is_refused(tmp_path):
    from worker import movies

    still = np.full((12, 96, 96, 3), 90, np.uint8)
    path = tmp_path / "nobody.mp4"
    path.write_bytes(movies.mp4(lambda number: still[number], np.arange(12) / 10))
    decoder = Decoder()
    try:
        with path.open("rb") as file, pytest.raises(NoFace):
            square_frames(decoder, file.fileno(), size=64, crop="face", most=1000, frame_pixels=2**24, seconds=60.0)
    finally:
        decoder.close()
