"""Moving digits move, hide each other and turn at the borders as both definitions say."""

import gzip
import time
from dataclasses import replace

import pytest
import torch

from models.checkpoint import load_model
from models.unordered_config import UnorderedVAEConfig
from training.data.digits import DIGESTS, Actors, MovingDigits, bounced, read_digits
from training.data.errors import DataError
from training.data.idx import read_idx
from training.evaluate import Budget, evaluate
from training.recipe import VariationalLoss
from training.recipes import RECIPES
from training.sources import kind_of, open_source
from training.train import Places, run_recipe, shortened

SIDE = {"drnet": 32, "srivastava": 28}


def idx(shape, values) -> bytes:
    return bytes((0, 0, 8, len(shape))) + b"".join(size.to_bytes(4, "big") for size in shape) + bytes(values)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Two pictures a split, a full square and a dot, in the exact format, and let pass as if they were MNIST's."""
    monkeypatch.setattr("training.data.digits.DIGESTS", {})
    for name, first in (("train", 200), ("t10k", 100)):
        pixels = [first] * 28 * 28 + [0] * (28 * 14 + 14) + [255] + [0] * (28 * 14 - 15)
        (tmp_path / f"{name}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx((2, 28, 28), pixels)))
        (tmp_path / f"{name}-labels-idx1-ubyte").write_bytes(idx((2,), (7, 3)))
    return tmp_path


def squares(style="drnet", **sizes) -> MovingDigits:
    """Digits that are full squares, each in a grey of its own."""
    greys = torch.tensor([100, 200], dtype=torch.uint8)
    images = greys[:, None, None].expand(2, SIDE[style], SIDE[style])
    return MovingDigits(images, torch.tensor([0, 1]), style, **sizes)


def test_files_are_read_plain_or_gzipped_and_resized(folder):
    images, labels = read_digits(folder, "train", 28)
    assert images.shape == (2, 28, 28)
    assert labels.tolist() == [7, 3]
    assert int(images[0].min()) == 200
    assert int(images[1, 14, 14]) == 255
    larger, _ = read_digits(folder, "test", 32)
    assert larger.shape == (2, 32, 32)
    assert set(larger[0].flatten().tolist()) == {100}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (idx((2, 2), (1, 2, 3)), "15 bytes, and its header states 16"),
        (idx((2, 2), (1, 2, 3, 4, 5)), "17 bytes, and its header states 16"),
        (b"\x00\x00\x0d\x01", "begins with 00 00 0d 01"),
        (gzip.compress(idx((2,), (1, 2)), mtime=0)[:-9], "cannot be read"),  # no clock in a test's name
        (b"", "no idx file"),
        (bytes((0, 0, 8, 3, 0)), "header states more"),
    ],
)
def test_broken_files_are_named(tmp_path, content, said):
    (tmp_path / "broken").write_bytes(content)
    with pytest.raises(DataError, match=said):
        read_idx(tmp_path / "broken")


def test_missing_files_are_named(tmp_path):
    with pytest.raises(DataError, match=r"neither train-images-idx3-ubyte nor train-images-idx3-ubyte\.gz"):
        MovingDigits.load(tmp_path, "train")


def test_files_that_are_not_mnists_are_refused(folder, monkeypatch):
    monkeypatch.setattr("training.data.digits.DIGESTS", DIGESTS)
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte\.gz has, unpacked, SHA-256 \w+, expected ba8910"):
        read_digits(folder, "train", 28)


def test_the_real_digits_are_read(shared_data):
    digits, labels = read_digits(shared_data / "mnist", "test", 28)
    assert torch.bincount(labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert digits.shape == (10_000, 28, 28)


def test_the_front_digit_hides_the_other_and_each_has_its_channel():
    digits, together = squares(), torch.full((1, 1, 2, 2), 10)
    for front in (0, 1):
        order = torch.tensor([[1 - front, front]])
        picture = digits.draw_clips(Actors(torch.tensor([[0, 1]]), order), together)[0, 0]
        inside = picture[10:42, 10:42].reshape(-1, 3).unique(dim=0).tolist()
        assert inside == [[100, 0, 0] if front == 0 else [0, 200, 0]]
        assert int(picture.sum()) == int(picture[10:42, 10:42].sum())


def test_the_vaes_digits_are_grey_ones_and_its_model_is_measured_without_factors(shared_data, tmp_path, few_cuts):
    recipe = RECIPES["digits_vae_paper"]()
    assert (recipe.network.dynamic_dim, recipe.batch, recipe.clip_frames, recipe.steps) == (2, 120, 3, 60_000)
    assert recipe.loss == VariationalLoss(), "the bound as it is"
    few = replace(shortened(recipe, 2), network=UnorderedVAEConfig.tiny(), batch=2)
    folder = shared_data / "mnist"
    made = run_recipe(few, Places(runs=tmp_path / "runs", models=tmp_path / "models", data=folder, device="cpu"))
    frames = open_source(kind_of(load_model(made).config["data"]), folder, 3).training.clip(0)
    assert torch.equal(frames, frames[:, :1].expand_as(frames)), "grey"
    results = evaluate(made, data=folder, cache=tmp_path, device="cpu", budget=Budget.quick())
    assert {"fidelity", "consistency", "scene", "prediction", "typical"} < set(results)
    assert not {"judge", "probes", "drift"} & set(results)


def test_in_grey_the_brighter_digit_is_seen():
    digits = squares("srivastava")
    paths = torch.tensor([[[[0, 0], [14, 14]]]])
    picture = digits.draw_clips(Actors(torch.tensor([[1, 0]]), torch.tensor([[0, 1]])), paths)[0, 0]
    assert picture[20, 20].tolist() == [200, 200, 200]
    assert picture[35, 35].tolist() == [100, 100, 100]


def test_a_digit_turns_at_the_walls_and_never_leaves():
    way = torch.tensor([30, 33, 36, 63, 64, 65, -1, -3])
    assert bounced(way, 32).tolist() == [30, 31, 28, 1, 0, 1, 1, 3]


@pytest.mark.parametrize("style", ["drnet", "srivastava"])
def test_paths_are_inside_and_go_at_a_steady_speed(style):
    paths = squares(style).paths(500, 40, torch.Generator().manual_seed(0))
    assert int(paths.min()) == 0
    assert int(paths.max()) == 64 - SIDE[style] if style == "drnet" else int(paths.max()) <= 36
    steps = (paths[:, 1:] - paths[:, :-1]).abs()
    assert int(steps.max()) <= 4
    if style == "drnet":
        assert set(steps.unique().tolist()) == {0, 1, 2, 3, 4}


@pytest.mark.parametrize("style", ["drnet", "srivastava"])
def test_drawn_frames_are_frames_of_one_clip(style):
    digits = squares(style, length=6)
    drawn = digits.draw(8, 6, torch.Generator().manual_seed(1))
    assert drawn.shape == (8, 6, 3, 64, 64)
    again = digits.draw(8, 6, torch.Generator().manual_seed(1))
    assert torch.equal(drawn, again)
    assert not torch.equal(drawn, digits.draw(8, 6, torch.Generator().manual_seed(2)))
    with pytest.raises(DataError, match="6 frames; 7"):
        digits.draw(1, 7, torch.Generator())


def test_frames_drawn_within_a_stretch_show_digits_near_each_other():
    def apart(within) -> int:
        frames = squares(num_digits=1).draw(200, 4, torch.Generator().manual_seed(0), within)
        rows = (frames.sum(2) > 0).any(3).float().argmax(2)  # the upper edge of the square in each frame
        return int((rows.max(1).values - rows.min(1).values).max())

    assert apart(4) <= 3 * 4, "three frames of at most four pixels"
    assert apart(None) > 3 * 4


def test_a_swap_with_oneself_is_the_clip_itself():
    digits = squares()
    generator = torch.Generator().manual_seed(5)
    actors, paths = digits.cast(1, generator), digits.paths(1, 20, generator)
    assert torch.equal(digits.clip(5) * 255, digits.draw_clips(actors, paths)[0].permute(0, 3, 1, 2).float())
    assert not torch.equal(digits.clip(5), digits.clip(6))


def test_training_is_fed_faster_than_it_learns():
    digits = squares()
    digits.draw(100, 4, torch.Generator())
    began = time.perf_counter()
    digits.draw(100, 4, torch.Generator())
    assert time.perf_counter() - began < 1


def test_more_digits_than_colours_are_refused():
    with pytest.raises(ValueError, match="1 to 3, got 4"):
        squares(num_digits=4)


def test_consecutive_examples_are_the_first_frames_of_their_clips(shared_data):
    """What the authors' later code trains on, in place of frames up to `max_step` apart."""
    digits = replace(MovingDigits.load(shared_data / "mnist", "test"), consecutive=True)
    frames = digits.draw(40, 4, torch.Generator().manual_seed(0))
    apart = digits.draw(40, 1, torch.Generator().manual_seed(0))
    assert torch.equal(frames[:, :1], apart)
    moved = (frames[:, 1:] - frames[:, :-1]).abs().mean()
    scattered = replace(digits, consecutive=False).draw(40, 4, torch.Generator().manual_seed(0))
    assert moved < (scattered[:, 1:] - scattered[:, :-1]).abs().mean() * 0.9
