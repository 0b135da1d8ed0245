import av
import numpy as np
import pytest

from training.data.errors import DataError
from twofold.samples import ENLARGE, FRAMES, write_clip, write_digit_clips, write_face_clips, write_sprite_clips


def test_a_face_clip_shows_the_face_that_was_drawn(tmp_path):
    from training.data.faces import draw, identities, motion_path

    (path,) = write_face_clips(tmp_path / "new" / "folder", count=1, seed=3)
    smile, surprise, turn = motion_path(np.random.default_rng((3, 0)), FRAMES)[10]
    drawn = draw(identities("test", 1)[0], (float(smile), float(surprise), float(turn)))
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(frames) == FRAMES
    seen = frames[10].reshape(64, ENLARGE, 64, ENLARGE, 3).mean(axis=(1, 3))
    assert np.abs(seen - drawn).mean() < 3


def test_a_clip_is_one_that_players_take(tmp_path):
    path = write_clip(tmp_path / "clip.mp4", [np.full((64, 64, 3), 128, np.uint8)] * 5)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.pix_fmt) == ("h264", "yuv420p")
    content = path.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")


def test_sprite_clips_show_held_out_characters(shared_data, tmp_path):
    from training.data.sprites import characters

    paths = write_sprite_clips(tmp_path, shared_data / "sprites", count=2)
    assert [int(path.name.split("_")[1]) for path in paths] == characters("test")[:2].tolist()


def test_digit_clips_show_digits_that_no_model_has_learnt(shared_data, tmp_path):
    from training.data.drawn_digits import DrawnDigits

    paths = write_digit_clips(tmp_path, shared_data / "mnist", count=2, seed=5)
    digits = DrawnDigits(shared_data / "mnist")
    drawn = digits.draw(digits.identities("test", 2), digits.motions(np.random.default_rng(5), 2, FRAMES, "movement"))
    for path, clip in zip(paths, drawn.permute(0, 1, 3, 4, 2).numpy(), strict=True):
        with av.open(str(path)) as container:
            frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        seen = np.stack(frames).reshape(FRAMES, 64, ENLARGE, 64, ENLARGE, 3).mean(axis=(2, 4))
        assert np.abs(seen - clip).mean() < 3


def test_a_folder_without_sheets_or_digits_is_told(tmp_path):
    for write in (write_sprite_clips, write_digit_clips):
        with pytest.raises(DataError):
            write(tmp_path, tmp_path)
