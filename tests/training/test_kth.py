"""Clips of the KTH actions show somebody, in order, and no person is on both sides of a split."""

from dataclasses import replace
from itertools import pairwise

import av
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from training.data.errors import DataError
from training.data.kth import (
    ACTIONS,
    PERSONS,
    Performances,
    closed,
    find_recordings,
    read_sequences,
    runs,
    seen_stretches,
)
from training.data.pool import ClipPool
from training.evaluate import Budget, evaluate
from training.recipes import RECIPES
from training.sources import open_source
from training.train import Places, run_recipe, shortened

HEIGHT, WIDTH = 120, 160
FIGURE = 16  # pixels wide, 50 high
HEADER = """\
The KTH actions
Training:    person11, 12, 13, 14, 15, 16, 17, 18
person01, person02 and so on are in four scenarios

"""


def background(person: int) -> np.ndarray:
    """A wall of slow waves, another for each person."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    return 120 + 20 * np.sin(rows / (9 + person)) + 20 * np.cos(columns / (7 + person))


def crossing(person: int, empty: tuple[int, ...], crossed: int, noise: float = 2.0) -> tuple[np.ndarray, list[range]]:
    """Passes from left to right, `crossed` frames each, with so many empty frames before, between and after them."""
    rng = np.random.default_rng(person)
    frames, passes = [], []
    for number, count in enumerate(empty):
        frames += [background(person)] * count
        if number == len(empty) - 1:
            break
        passes.append(range(len(frames), len(frames) + crossed))
        for left in np.linspace(FIGURE // 2 - FIGURE, WIDTH - FIGURE // 2, crossed).round().astype(int):
            picture = background(person)
            picture[40:90, max(0, left) : max(0, left + FIGURE)] = 20
            frames.append(picture)
    noisy = np.stack(frames) + rng.normal(0, noise, (len(frames), HEIGHT, WIDTH))
    return noisy.clip(0, 255).astype(np.uint8), passes


def write(path, frames: np.ndarray) -> None:
    """As the set's files are: MPEG-4 in AVI, 25 frames a second."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(path, "w") as container:
        stream = container.add_stream("mpeg4", rate=25, options={"qscale": "2"})
        stream.width, stream.height, stream.pix_fmt = frames.shape[2], frames.shape[1], "yuv420p"
        stream.codec_context.qmin = stream.codec_context.qmax = 2
        for picture in frames:
            grey = np.repeat(picture[..., None], 3, -1)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")))
        container.mux(stream.encode())


def name(person: int, action: str, scenario: int = 1) -> str:
    return f"person{person:02d}_{action}_d{scenario}"


def small(frames: np.ndarray) -> np.ndarray:
    return frames.reshape(len(frames), 30, 4, 40, 4).mean((2, 4)).astype(np.uint8)


def near(found: list[range], true: list[range], frames: int = 2) -> bool:
    return len(found) == len(true) and all(
        abs(one.start - other.start) <= frames and abs(one.stop - other.stop) <= frames
        for one, other in zip(found, true, strict=True)
    )


@pytest.fixture
def folder(tmp_path):
    """Two walkers and a boxer on each side, in folders by action."""
    for person in (3, 18, 22, 25):
        write(tmp_path / "walking" / f"{name(person, 'walking')}_uncomp.avi", crossing(person, (20, 25, 15), 18)[0])
    for person in (3, 22):
        write(tmp_path / "boxing" / f"{name(person, 'boxing', 4)}_uncomp.avi", crossing(person, (10, 10), 12)[0])
    return tmp_path


@given(
    st.lists(st.integers(14, 40), min_size=3, max_size=5),
    st.integers(10, 30),
    st.integers(0, 9),
)
@settings(max_examples=25)  # each of them draws a whole video
def test_passes_are_found_to_within_two_frames(empty: list[int], crossed: int, person: int) -> None:
    frames, passes = crossing(person, tuple(empty), crossed)
    assert near(seen_stretches(small(frames)), passes)


def test_an_empty_room_shows_nobody_even_when_the_light_changes() -> None:
    frames = np.stack([background(1)] * 60)
    brighter = frames + np.linspace(0, 60, 60)[:, None, None]
    assert seen_stretches(small(frames)) == []
    assert seen_stretches(small(brighter)) == []
    assert seen_stretches(np.zeros((0, 30, 40), np.uint8)) == []


def test_a_gap_is_closed_and_a_flash_is_dropped() -> None:
    frames, passes = crossing(2, (30, 30), 30)
    frames[40:44] = background(2)  # someone as grey as the wall
    frames[75:80, :60] = 250  # a flash of less than a third of a second
    assert near(seen_stretches(small(frames)), passes)


@given(st.lists(st.booleans(), max_size=40), st.integers(0, 6))
def test_runs_are_the_true_frames_and_closing_leaves_only_wider_gaps(seen: list[bool], gap: int) -> None:
    stretches = runs(np.array(seen, bool))
    assert sorted(frame for one in stretches for frame in one) == [frame for frame, here in enumerate(seen) if here]
    joined = closed(stretches, gap)
    assert all(later.start - earlier.stop > gap for earlier, later in pairwise(joined))
    assert all(any(set(one) <= set(other) for other in joined) for one in stretches)
    wide = sum(later.start - earlier.stop > gap for earlier, later in pairwise(stretches))
    assert len(joined) == (wide + 1 if stretches else 0)


def test_without_a_list_empty_frames_are_left_out_and_boxers_are_kept_whole(folder):
    training = Performances.load(folder, "train")
    said = [(one.recording.action, one.recording.person, one.recording.scenario) for one in training.stretches]
    assert said == [("boxing", 3, 4), *[("walking", 3, 1)] * 2, *[("walking", 18, 1)] * 2]
    assert training.stretches[0].frames == range(32)
    _, passes = crossing(3, (20, 25, 15), 18)
    assert near([one.frames for one in training.stretches[1:3]], passes)
    assert training.left_out == {}
    assert len(training.frames) == sum(len(one.frames) for one in training.stretches)


def test_frames_are_in_the_order_of_time(folder):
    pool = Performances.load(folder, "train").pool()
    assert isinstance(pool, ClipPool)
    dark = (pool.clip(1)[:, 0, 22:47] < 0.2).float()
    where = (dark.sum(1) * torch.arange(64)).sum(1) / dark.sum((1, 2))
    assert len(where) >= 14
    assert bool((where.diff() > 0).all()), "the walker goes from left to right"
    assert torch.equal(pool.clip(1)[:, 0], pool.clip(1)[:, 2])


def test_the_whole_picture_is_squeezed_into_the_square(folder):
    for size in (64, 128):
        frames = Performances.load(folder, "train", size=size).frames
        assert frames.shape[1:] == (size, size)
        shown = frames[0].float()
        wall = torch.nn.functional.adaptive_avg_pool2d(torch.from_numpy(background(3))[None], 8)[0]
        assert (torch.nn.functional.adaptive_avg_pool2d(shown[None], 8)[0] - wall).abs().max() < 4


def test_the_list_of_the_set_says_what_is_a_clip(folder):
    (folder / "00sequences.txt").write_text(
        HEADER
        + f"{name(3, 'boxing', 4)}\t\tframes\t1-10, 11-20, 15-32\n\n"
        + f"{name(13, 'handclapping', 3)}\t\t*missing*\n"
        + "".join(f"{name(person, 'walking')}\t\tframes\t21-38, 64-81\n" for person in (3, 18, 22, 25))
        + f"{name(22, 'boxing', 4)}\tframes\t2-32,\n"
    )
    training = Performances.load(folder, "train")
    assert [one.frames for one in training.stretches if one.recording.action == "boxing"] == [
        range(10),
        range(10, 20),
        range(14, 32),
    ]
    assert [one.frames for one in training.stretches if one.recording.person == 18] == [range(20, 38), range(63, 81)]
    assert torch.equal(training.frames[20:24], training.frames[14:18]), "stretches that overlap share frames"
    assert read_sequences(folder)[name(13, "handclapping", 3)] == []


@given(
    st.lists(st.tuples(st.integers(1, 900), st.integers(0, 90)), min_size=1, max_size=9), st.sampled_from([", ", ","])
)
def test_any_list_is_read_back(tmp_path_factory, stretches, comma) -> None:
    folder = tmp_path_factory.mktemp("list")
    stated = comma.join(f"{first}-{first + more}" for first, more in stretches)
    (folder / "00sequences.txt").write_text(f"{HEADER}{name(1, 'running')}\t\tframes\t{stated}\n")
    assert read_sequences(folder) == {name(1, "running"): [range(first - 1, first + more) for first, more in stretches]}


@pytest.mark.parametrize("stated", ["frames\t1-95, x", "frames\t95-1", "frames\t0-5", "frames", "1-95", ""])
def test_a_line_that_says_nothing_clear_is_named(tmp_path, stated):
    (tmp_path / "00sequences.txt").write_text(f"{HEADER}{name(1, 'boxing')}\t\t{stated}\n")
    with pytest.raises(DataError, match=r"00sequences\.txt, line 5: expected person01_boxing_d1, frames"):
        read_sequences(tmp_path)


def test_a_list_that_lacks_a_file_or_lists_none_is_refused(folder):
    (folder / "00sequences.txt").write_text(f"{HEADER}{name(3, 'walking')}\t\tframes\t21-38\n")
    with pytest.raises(DataError, match="does not list person03_boxing_d4"):
        Performances.load(folder, "train")
    (folder / "00sequences.txt").write_text(HEADER)
    with pytest.raises(DataError, match="lists no file"):
        Performances.load(folder, "train")


@pytest.mark.parametrize(("persons", "last"), [("drnet", 20), ("predrnn", 16)])
def test_the_splits_share_no_person(folder, persons, last):
    sides = [Performances.load(folder, split, persons=persons) for split in ("train", "test")]
    people = [{one.recording.person for one in side.stretches} for side in sides]
    assert max(people[0]) <= last < min(people[1])
    assert people[0] | people[1] == {3, 18, 22, 25}
    assert sorted([*PERSONS[persons]["train"], *PERSONS[persons]["test"]]) == list(range(1, 26))


def test_a_file_that_breaks_off_gives_what_it_has_and_a_broken_one_is_named(folder):
    cut, broken = (folder / "walking" / f"{name(person, 'walking')}_uncomp.avi" for person in (3, 18))
    content = cut.read_bytes()
    cut.write_bytes(content[: len(content) * 6 // 10])
    broken.write_bytes(b"not a video at all" * 50)
    training = Performances.load(folder, "train")
    used = [one.frames for one in training.stretches if one.recording.key == name(3, "walking")]
    assert near(used, [range(20, 38)]), "the second pass is beyond the end of the file"
    assert not any(one.recording.person == 18 for one in training.stretches)
    assert "cannot be decoded further" in training.left_out[name(18, "walking")]
    (folder / "00sequences.txt").write_text(
        "".join(f"{one.key}\t\tframes\t1-10, 64-81\n" for one in find_recordings(folder))
    )
    training = Performances.load(folder, "train")
    assert "1 of 2 stretches used" in training.left_out[name(3, "walking")]


def test_missing_and_doubled_files_are_named(folder, tmp_path):
    with pytest.raises(DataError, match="no files like person01_boxing_d1_uncomp"):
        find_recordings(folder / "nowhere")
    alone = folder / "running" / f"{name(2, 'running')}_uncomp.avi"
    write(alone, np.stack([background(2)] * 30).astype(np.uint8))
    with pytest.raises(DataError, match=r"21 to 25 \(test\): there are no files of them"):
        Performances.load(alone.parent, "test")
    with pytest.raises(DataError, match=r"1 to 20 \(train\): person02_running_d1: 30 frames, 0 of 0 stretches"):
        Performances.load(alone.parent, "train")
    write(folder / f"{name(3, 'boxing', 4)}_uncomp.avi", np.zeros((5, HEIGHT, WIDTH), np.uint8))
    with pytest.raises(DataError, match=r"person03_boxing_d4_uncomp\.avi is there twice"):
        find_recordings(folder)


def test_the_recipe_trains_and_its_model_is_measured(folder, tmp_path, few_cuts):
    source = open_source("kth", folder, 4)
    assert "1 to 20 train and 21 to 25 held out: 5 and 5 clips" in source.card["split"]
    assert "6 of 599 files, cut by this project's rule" in source.card["source"]
    other = open_source("kth_predrnn", folder, 4)
    assert (len(other.training), len(other.held_out)) == (3, 7)
    recipe = RECIPES["kth_drnet"]()
    assert (recipe.network.content, recipe.network.pose, recipe.network.dynamic_dim) == ("vgg_unet", "resnet", 24)
    places = Places(runs=tmp_path / "runs", models=tmp_path / "models", data=folder, device="cpu")
    made = run_recipe(replace(shortened(recipe, 2), network=replace(recipe.network, width=4), batch=4), places)
    results = evaluate(made, data=folder, cache=tmp_path, device="cpu", budget=Budget.quick())
    assert results["protocol"]["clips"] == 5
    for code in ("static", "dynamic", "movement"):
        found = results["classes"]["linear"][code]
        assert set(found) == {"action", "scenario"}, "held-out persons are none that a reader knows"
        assert found["action"]["chance"] == pytest.approx(0.8, abs=0.05), "four of five clips walk"
    card = (made / "README.md").read_text()
    assert "| classes, % right in 5 held-out clips, learnt on 5 | linear | network | chance |" in card
    assert "| action, of a clip's dynamic codes, mean and deviation | " in card


def test_a_clip_is_labelled_with_what_its_file_says(folder):
    for persons in ("drnet", "predrnn"):
        for split in ("train", "test"):
            side = Performances.load(folder, split, persons=persons)
            assert len(set(side.labels().owners())) == len(set(side.labels().clips["person"]))
            labels = side.labels().clips
            said = zip(labels["person"], labels["action"], labels["scenario"], strict=True)
            stated = [name(person, ACTIONS[action], scenario) for person, action, scenario in said]
            assert stated == [one.recording.key for one in side.stretches]
            assert len(side.pool()) == len(stated)
