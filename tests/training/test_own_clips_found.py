"""What is said of a folder of videos is true: scenes, near-duplicates, the split, and what was left out."""

import os
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from training.data.cuts import scene_cuts
from training.data.duplicates import near_duplicates
from training.data.errors import DataError, Unreadable
from training.data.face_clips import FaceClips
from training.data.faces import draw, identities, motion_path
from training.data.pool import as_bytes
from training.data.told import told
from training.data.videos import SquareVideo, VideoFolder, find_videos, read_videos, split_clips, through_h264
from training.sources import clips_source


def scene(seed: int, frames: int = 20, speed: int = 1) -> np.ndarray:
    """A bright square that crosses a picture of random coarse patches."""
    rng = np.random.default_rng(seed)
    picture = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
    clip = np.repeat(picture[None], frames, 0)
    for number, frame in enumerate(clip):
        left = speed * number % 48
        frame[24:40, left : left + 16] = 255
    return clip


def write(path: Path, frames: np.ndarray, scale: int = 1) -> None:
    large = frames.repeat(scale, 1).repeat(scale, 2)
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"crf": "18"})
        stream.width, stream.height, stream.pix_fmt = large.shape[2], large.shape[1], "yuv420p"
        for picture in large:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")))
        container.mux(stream.encode())


def test_a_cut_is_found_where_another_scene_begins():
    assert scene_cuts(np.concatenate([scene(0, 12), scene(1, 7), scene(2, 9)])) == [12, 19]
    assert scene_cuts(scene(0)) == []


def test_two_cuts_close_to_each_other_are_both_found():
    assert scene_cuts(np.concatenate([scene(0, 12), scene(1, 2), scene(2, 9)])) == [12, 14]


def test_a_face_that_turns_fast_after_a_rest_is_no_cut():
    """The first clip of `twofold samples`: for three frames it changes as much as cuts do."""
    (identity,), motion = identities("test", 1), motion_path(np.random.default_rng((0, 0)), 48)
    frames = [draw(identity, (float(smile), float(surprise), float(turn))) for smile, surprise, turn in motion]
    assert scene_cuts(np.stack(frames)) == []


def test_motion_that_goes_on_is_no_cut():
    assert scene_cuts(scene(0, speed=16)) == []
    noise = np.random.default_rng(0).integers(0, 256, (12, 64, 64, 3), dtype=np.uint8)
    assert scene_cuts(noise) == []


@pytest.mark.parametrize("frames", [1, 2])
def test_a_clip_too_short_to_compare_is_one_scene(frames):
    assert scene_cuts(np.concatenate([scene(0, 1), scene(1, 1)])[:frames]) == []


def test_the_same_recording_is_known_again_encoded_anew_or_cut_shorter():
    whole = through_h264(scene(0, 30), 18)  # as every clip that was ever a video: colours at half the resolution
    clips = [whole, scene(1, 30), through_h264(whole, 24), whole[8:25]]
    assert near_duplicates(clips) == [(0, 2), (0, 3), (2, 3)]


def test_a_face_is_known_again_however_it_was_encoded():
    face = as_bytes(FaceClips("test").clip(3))
    assert near_duplicates([face, through_h264(face, 28)]) == [(0, 1)]


def test_two_signs_by_one_person_are_two_recordings(shared_data, read):
    found = read_videos(find_videos(shared_data / "videos" / "signers"), size=64, min_frames=4, read=read)
    assert len(found.clips) == 6
    assert near_duplicates(found.clips) == []


def test_another_motion_before_the_same_background_is_no_duplicate():
    moving = scene(0, 30)
    assert near_duplicates([moving, np.roll(moving, 20, axis=1)]) == []
    still = np.repeat(moving[:1], 30, 0)
    assert near_duplicates([moving, still]) == []


def names(count):
    return [f"{number}.mp4" for number in range(count)]


def test_clips_that_belong_together_are_never_on_both_sides():
    pairs = [(0, 5), (5, 9), (1, 2), (10, 11)]
    training, held_out = split_clips(names(20), pairs)
    assert sorted(training + held_out) == list(range(20))
    assert len(held_out) == 2
    for first, second in pairs:
        assert (first in held_out) == (second in held_out)


@pytest.mark.parametrize("size", [9, 18])
def test_a_tenth_is_a_tenth_where_one_file_has_many_of_the_clips(size):
    pairs = [(number, number + 1) for number in range(size - 1)]
    training, held_out = split_clips(names(20), [], pairs)
    assert len(held_out) == 2
    assert set(held_out).isdisjoint(range(size))
    assert set(range(size)) <= set(training)


def test_groups_that_make_no_tenth_come_as_near_as_they_can():
    def held_out(*sizes):
        ends = np.cumsum(sizes)
        inner = [(number, number + 1) for number in range(ends[-1] - 1) if number + 1 not in ends]
        return len(split_clips(names(int(ends[-1])), inner)[1])

    assert held_out(7, 7, 6) == 6
    assert held_out(19, 1) == 1
    assert held_out(5, 5) == 5
    assert held_out(10, 4, 3, 3) == 3


@pytest.mark.parametrize("count", range(5, 10))
def test_most_clips_are_trained_on_where_one_file_has_most(count):
    training, held_out = split_clips(names(count), [(number, number + 1) for number in range(count - 2)])
    assert held_out == [count - 1]
    assert training == list(range(count - 1))


def test_scenes_of_a_single_file_are_split_all_the_same_and_its_near_duplicates_are_not():
    scenes = [(0, 1), (1, 2), (2, 3)]
    training, held_out = split_clips(names(4), [], scenes)
    assert (len(training), len(held_out)) == (3, 1)
    training, held_out = split_clips(names(4), [(0, 3), (1, 2)], scenes)
    assert held_out in ([0, 3], [1, 2])
    training, held_out = split_clips(names(4), scenes, [(0, 3)])
    assert (len(training), len(held_out)) == (3, 1), "all are near-duplicates"


def test_what_is_said_of_near_duplicates_is_where_they_went():
    clip = np.zeros((5, 64, 64, 3), np.uint8)
    found = VideoFolder(names=["a, scene 1", "a, scene 2"], clips=[clip, clip], files=["a", "a"], cuts={"a": [5]})
    lines = told(found, [(0, 1)], [1])
    assert "near-duplicates, on both sides of the split: a, scene 1 and a, scene 2" in lines
    assert lines[-1] == "split by clip: 1 to train on, 1 held out; scenes of one file are on both sides"


def test_a_folder_is_told_line_by_line(tmp_path, read):
    write(tmp_path / "a.mp4", scene(0, 12), scale=2)
    write(tmp_path / "b.mp4", scene(1, 20), scale=4)
    write(tmp_path / "c.mp4", np.concatenate([scene(2, 10), scene(3, 2), scene(4, 14)]), scale=2)
    write(tmp_path / "copy of a.mp4", scene(0, 12), scale=4)
    (tmp_path / "broken.mp4").write_bytes(b"no video" * 99)
    source = clips_source(tmp_path, clip_frames=3, read=read)
    first, *others = source.found
    assert first == "4 videos, 5 clips, 68 frames (10 to 20 a clip), 128 × 128 to 256 × 256 pixels"
    assert "scenes: c.mp4 is cut at frame 10, 12 into 2 clips; 1 scene too short" in others
    assert "near-duplicates, on one side of the split: a.mp4 and copy of a.mp4" in others
    assert any(line.startswith("left out: broken.mp4 cannot be used: the file's content is none of") for line in others)
    assert others[-1] == f"split by clip: {len(source.training)} to train on, {len(source.held_out)} held out"
    assert len(source.training) + len(source.held_out) == 5


def test_a_long_video_is_thinned_evenly_and_its_cuts_are_told_in_its_own_frames(tmp_path, read):
    """Matroska does not say how many frames there are."""
    long = np.concatenate([scene(0, 1501, speed=0), scene(1, 1499, speed=0)])
    with av.open(tmp_path / "long.mkv", "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"preset": "ultrafast", "crf": "10"})
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for picture in long:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    found = read_videos(find_videos(tmp_path), size=64, min_frames=4, read=read)
    assert found.thinned == {"long.mkv": (750, 3000)}
    assert found.cuts == {"long.mkv": [1501]}
    assert [len(clip) for clip in found.clips] == [376, 374], "every fourth frame, up to the cut and from there"
    assert "long: long.mkv, 750 of 3000 frames are used" in told(found, [], [1])
    first, second = found.clips
    assert np.abs(first[-1, 60:].astype(int) - scene(0, 1)[0, 60:]).mean() < 12
    assert np.abs(second[0, 60:].astype(int) - scene(1, 1)[0, 60:]).mean() < 12


def test_a_file_of_short_scenes_is_left_out_with_the_reason(tmp_path, read):
    write(tmp_path / "a.mp4", np.concatenate([scene(seed, 4) for seed in range(4)]))
    found = read_videos(find_videos(tmp_path), size=64, min_frames=5, read=read)
    assert found.names == []
    assert found.left_out["a.mp4"] == "has 4 scenes, of which none has 5 frames"


def test_real_signers_have_no_cuts_and_no_duplicates(shared_data, read):
    found = read_videos(find_videos(shared_data / "videos" / "signers"), size=64, min_frames=3, read=read)
    assert found.cuts == {}
    assert near_duplicates(found.clips) == []


def by_name(path: Path, size: int) -> SquareVideo:
    """What is called broken cannot be read, all else is a clip of noise."""
    if path.name.startswith("broken"):
        raise Unreadable("cannot be used: " + "it is of no kind that is taken " * 50)
    noise = np.random.default_rng(len(path.name)).integers(0, 256, (6, size, size, 3), np.uint8)
    return SquareVideo(noise, list(range(6)), 1, 6, [])


def test_too_few_clips_are_told_with_what_was_left_out_and_why_in_a_few_lines(tmp_path):
    for number in range(8):
        (tmp_path / f"broken {'very ' * 30}{number}.mp4").touch()
    (tmp_path / "whole.mp4").touch()
    with pytest.raises(DataError, match=r"1 clip can be used \(whole.mp4\); a model needs at least 2") as failed:
        clips_source(tmp_path, 4, by_name)
    _, left_out = str(failed.value).split("; left out: ")
    assert left_out.startswith("broken very very")
    assert left_out.count(": cannot be used: it is of no kind") == 5
    assert left_out.endswith("; and 3 more")
    assert len(left_out) < 1300


def test_a_name_that_is_no_utf_8_can_be_printed(tmp_path):
    # macOS makes no file of such a name, so that nobody there has one.
    foreign = [] if sys.platform == "darwin" else [b"broken caf\xe9.mp4", b"caf\xe9.mp4"]
    for name in (*foreign, b"plain.mp4", "größe.mp4".encode()):
        (tmp_path / os.fsdecode(name)).touch()
    source = clips_source(tmp_path, 4, by_name)
    assert source.sides is not None
    named = [r"caf\xe9.mp4"] if foreign else []
    assert {*source.sides.training, *source.sides.held_out} == {"plain.mp4", "größe.mp4", *named}
    assert (r"left out: broken caf\xe9.mp4 cannot" in source.card["source"]) == bool(foreign)
    "".join([*source.card.values(), *source.found]).encode()
