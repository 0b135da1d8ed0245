"""Turns of NORB's toys: in order of azimuth, of one toy in one light each, from files in the exact format."""

import gzip
import itertools
import json
import struct
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.progress import Progress

from models.checkpoint import load_model
from models.drnet import DrNETConfig
from training.data.errors import DataError
from training.data.labels import Labels
from training.data.matrix import MatrixFile
from training.data.norb import FILES, INSTANCES, STATIC, Turns
from training.data.pool import ClipPool
from training.evaluate import Budget, evaluate
from training.metrics.classes import measure_classes
from training.recipes import RECIPES
from training.sources import mixed, open_source
from training.train import Places, run_recipe, shortened

BYTES, INTEGERS = 0x1E3D4C55, 0x1E3D4C54
NO_ROOM = [HealthCheck.function_scoped_fixture]


def matrix(values: np.ndarray, magic: int) -> bytes:
    """The format as its page states it: at least three sizes, of which those without an axis are 1."""
    sizes = [*values.shape, 1, 1][: max(3, values.ndim)]
    return struct.pack(f"<2i{len(sizes)}i", magic, values.ndim, *sizes) + values.tobytes()


def picture(factors: tuple[int, ...], camera: int) -> np.ndarray:
    """Quarters of the picture that say category, instance, elevation and lighting; a corner says the azimuth."""
    category, instance, elevation, lighting, azimuth = factors
    shown = np.kron([[category, instance], [elevation, lighting]], np.full((48, 48), 10))
    shown[:6, :6] = 7 * azimuth
    return (shown + 100 * camera).astype(np.uint8)


def pictures_of(split: str) -> list[tuple[int, ...]]:
    """Two toys, two elevations, two lightings, 18 azimuths, in an order that helps nobody."""
    toys = [(1, INSTANCES[split][0]), (4, INSTANCES[split][-1])]
    shown = [(*toy, *rest) for toy, *rest in itertools.product(toys, (0, 8), (2, 5), range(18))]
    return [shown[number] for number in np.random.default_rng(0).permutation(len(shown))]


def write(folder, split, shown, zipped=()) -> None:
    contents = {
        "dat": matrix(np.stack([[picture(factors, camera) for camera in (0, 1)] for factors in shown]), BYTES),
        "cat": matrix(np.array([factors[0] for factors in shown], "<i4"), INTEGERS),
        "info": matrix(
            np.array([(toy, height, 2 * turn, light) for _, toy, height, light, turn in shown], "<i4"), INTEGERS
        ),
    }
    for what, content in contents.items():
        if what in zipped:
            (folder / f"{FILES[split]}-{what}.mat.gz").write_bytes(gzip.compress(content, 1))
        else:
            (folder / f"{FILES[split]}-{what}.mat").write_bytes(content)


@pytest.fixture
def folder(tmp_path):
    for split in ("train", "test"):
        write(tmp_path, split, pictures_of(split))
    return tmp_path


def test_a_header_is_the_published_one():
    labels = matrix(np.zeros(24_300, "<i4"), INTEGERS)
    assert labels[:20] == bytes.fromhex("544c3d1e 01000000 ec5e0000 01000000 01000000")
    pixels = matrix(np.zeros((2, 2, 96, 96), np.uint8), BYTES)
    assert pixels[:24] == bytes.fromhex("554c3d1e 04000000 02000000 02000000 60000000 60000000")


@pytest.mark.parametrize("camera", [0, 1])
def test_a_clip_is_one_toy_in_one_light_and_its_time_is_the_azimuth(folder, camera):
    turns = Turns.load(folder, "train", camera=camera)
    assert turns.frames.shape == (8, 18, 64, 64)
    assert len({tuple(factors) for factors in turns.static.tolist()}) == 8
    for clip, factors in zip(turns.frames.int() - 100 * camera, turns.static.tolist(), strict=True):
        assert clip[:, 0, 0].tolist() == [7 * azimuth for azimuth in range(18)]
        for value, row, column in zip(factors, (20, 20, 43, 43), (20, 43, 20, 43), strict=True):
            assert clip[:, row, column].unique().tolist() == [10 * value]


def test_the_splits_share_no_toy(folder):
    toys = [{tuple(toy) for toy in Turns.load(folder, split).static[:, :2].tolist()} for split in ("train", "test")]
    assert not toys[0] & toys[1]
    assert {instance for _, instance in toys[0]} == {4, 9}
    assert {instance for _, instance in toys[1]} == {0, 5}
    assert not set(INSTANCES["train"]) & set(INSTANCES["test"])
    assert sorted(INSTANCES["train"] + INSTANCES["test"]) == list(range(10))


def test_a_pool_shows_grey_in_three_channels_and_the_size_is_the_models(folder):
    turns = Turns.load(folder, "test", size=128)
    pool = turns.pool()
    clip = pool.clip(3)
    assert clip.shape == (18, 3, 128, 128)
    assert torch.equal(clip[:, 0], clip[:, 2])
    assert torch.equal((clip[:, 1] * 255).round().byte(), turns.frames[3])
    assert pool.frames.untyped_storage().nbytes() == turns.frames.nbytes, "three channels in the memory of one"
    drawn = pool.draw(5, 4, torch.Generator().manual_seed(0))
    assert all(len(clip[:, 0, 0, 0].unique()) == 4 for clip in drawn)


def test_gzipped_files_give_what_plain_ones_give(tmp_path):
    for name, zipped in (("plain", ()), ("zipped", ("dat", "cat", "info"))):
        (tmp_path / name).mkdir()
        write(tmp_path / name, "train", pictures_of("train"), zipped)
    plain, zipped = Turns.load(tmp_path / "plain", "train"), Turns.load(tmp_path / "zipped", "train")
    assert torch.equal(plain.frames, zipped.frames)
    assert plain.static.tolist() == zipped.static.tolist()


@settings(suppress_health_check=NO_ROOM, max_examples=40)
@given(
    st.lists(st.integers(1, 5), min_size=1, max_size=5),
    st.sampled_from([(BYTES, "u1"), (INTEGERS, "<i4"), (0x1E3D4C56, "<i2"), (0x1E3D4C51, "<f4"), (0x1E3D4C53, "<f8")]),
    st.integers(1, 7),
    st.booleans(),
)
def test_any_matrix_is_read_back_in_blocks_of_any_size(tmp_path, shape, kind, rows, zipped):
    magic, name = kind
    values = np.arange(np.prod(shape)).reshape(shape).astype(name)
    content = matrix(values, magic)
    (tmp_path / "m.mat").write_bytes(gzip.compress(content) if zipped else content)
    file = MatrixFile.open(tmp_path / "m.mat", values.dtype.type, tuple(shape))
    blocks = list(file.blocks(rows))
    assert max(map(len, blocks)) <= rows
    assert np.array_equal(np.concatenate(blocks), values)
    assert np.array_equal(file.whole(), values)


def changed(folder, what, change, split="train"):
    path = folder / f"{FILES[split]}-{what}.mat"
    path.write_bytes(change(path.read_bytes()))


@pytest.mark.parametrize(
    ("what", "change", "said"),
    [
        ("dat", lambda old: b"\x1e\x3d\x4c\x55" + old[4:], "training-dat.mat is no NORB matrix: .* 1e 3d 4c 55, exp"),
        ("cat", lambda old: b"", "training-cat.mat is no NORB matrix: it begins with nothing"),
        ("dat", lambda old: old[:-7], r"144 × 2 × 96 × 96, 2654208 bytes after its header, and ends after 2654201"),
        ("dat", lambda old: old + b"\0", "goes on after them"),
        ("info", lambda old: old[:-4], "training-info.mat states 144 × 4, 2304 bytes .* ends after 2300"),
        ("dat", lambda old: old[:16] + struct.pack("<i", 108) + old[20:], "uint8 of 144 × 2 × 108 × 96, expected"),
        ("dat", lambda old: old[:8] + struct.pack("<i", -144) + old[12:], "sizes -144 × 2 × 96 × 96, expected pos"),
        ("dat", lambda old: old[:4] + struct.pack("<i", 1000) + old[8:], "states 1000 axes, expected 1 to 8"),
        ("dat", lambda old: old[:14], "ends within its header: 6 bytes of sizes, expected 16"),
        ("cat", lambda old: b"\x55" + old[1:], "holds uint8 of 144, expected int32 of 144"),
        ("cat", lambda old: matrix(np.ones(143, "<i4"), INTEGERS), "int32 of 143, expected int32 of 144"),
        ("cat", lambda old: old[:20] + struct.pack("<i", 5) + old[24:], "category 5, expected one of 0, 1, 2, 3, 4"),
        ("info", lambda old: old[:20] + struct.pack("<i", 3) + old[24:], "instance 3, expected one of 4, 6, 7, 8, 9"),
        ("info", lambda old: old[:28] + struct.pack("<i", 7) + old[32:], "azimuth 7, expected one of 0, 2, 4"),
        ("dat", lambda old: gzip.compress(old, 1)[:-2000], "training-dat.mat cannot be read: .*end-of-stream"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(folder, what, change, said):
    changed(folder, what, change)
    with pytest.raises(DataError, match=said):
        Turns.load(folder, "train")


def test_a_turn_that_is_not_whole_is_named(tmp_path):
    shown = pictures_of("train")
    missing = shown.index((1, 4, 0, 2, 3))
    shown[missing] = (1, 4, 0, 2, 2)
    write(tmp_path, "train", shown)
    with pytest.raises(DataError, match="instance 4, elevation 0, lighting 2, at the azimuths 0, 20, 40, 40, 80"):
        Turns.load(tmp_path, "train")


def test_missing_files_are_named_with_where_they_are(tmp_path):
    with pytest.raises(DataError, match=r"neither .*testing-dat\.mat nor .*norb-v1\.0-small"):
        Turns.load(tmp_path, "test")
    with pytest.raises(ValueError, match="camera must be 0 or 1, got 2"):
        Turns.load(tmp_path, "test", camera=2)


def test_the_recipe_trains_and_its_model_is_measured(folder, tmp_path, few_cuts):
    source = open_source("norb", folder, 4)
    assert (len(source.training), len(source.held_out)) == (8, 8)
    assert "8 of 1350 clips" in source.card["split"]
    recipe = RECIPES["norb_drnet"]()
    assert isinstance(recipe.network, DrNETConfig)
    assert (recipe.network.content, recipe.network.pose, recipe.network.dynamic_dim) == ("dcgan", "dcgan", 10)
    places = Places(runs=tmp_path / "runs", models=tmp_path / "models", data=folder, device="cpu")
    made = run_recipe(replace(shortened(recipe, 2), network=replace(recipe.network, width=4), batch=4), places)
    assert "cannot be sold" in load_model(made).config["data"]["licence"]
    results = evaluate(made, data=folder, cache=tmp_path, device="cpu", budget=Budget.quick())
    assert results["protocol"]["clips"] == results["classes"]["clips"] == 8
    stated = json.loads((made / "evaluation.json").read_text())["classes"]
    for reader in ("linear", "mlp"):
        assert set(stated[reader]["static"]) == set(stated[reader]["movement"]) == {"category", "elevation", "lighting"}
        assert set(stated[reader]["dynamic"]) == {"category", "elevation", "lighting", "azimuth"}
    probe = stated["linear"]["static"]["category"]
    assert load_model(made).config["metrics"]["category_from_static_linear"] == probe["score"]
    assert f"| category, of the static code | {100 * probe['score']:.1f} | " in (made / "README.md").read_text()
    assert "| azimuth, of one frame's dynamic code | " in (made / "README.md").read_text()


def test_a_static_code_of_the_category_tells_it_of_new_toys_and_a_dynamic_code_of_the_azimuth_does_not(folder, by_hand):
    def features(frames):
        """Category and elevation are static; the azimuth, as a point on a circle, is dynamic."""
        grey = 255 * frames[:, 0]
        angle = grey[:, 0, 0] / 7 * torch.pi / 9
        return torch.stack([grey[:, 20, 20], grey[:, 43, 20], angle.cos(), angle.sin()], -1)

    model = by_hand()
    model.features = features
    with Progress(disable=True) as progress:
        found = measure_classes(model, open_source("norb", folder, 4), None, progress)["linear"]
    assert found["static"]["category"] == {"score": 1, "chance": 0.5}, "of two toys there is no interval"
    assert found["static"]["elevation"]["score"] == 1
    assert found["static"]["lighting"]["score"] == 0.5
    for code in ("dynamic", "movement"):
        assert found[code]["category"]["score"] == found[code]["category"]["chance"] == 0.5
    assert found["dynamic"]["azimuth"]["score"] == 1
    assert found["dynamic"]["azimuth"]["chance"] == pytest.approx(1 / 18)


def test_held_out_toys_come_in_no_order():
    """Measured on its first clips a model is measured on toys of every kind, and not on those of the file's head."""
    owners = np.repeat(np.arange(25), 54)
    black = ClipPool.of_equal_clips(torch.zeros(1350, 2, 1, 1, 3, dtype=torch.uint8))
    pool, labels = mixed(black, Labels({"toy": owners}, whose=("toy",)))
    assert len(set(labels.owners()[:200].tolist())) == 25
    assert sorted(pool.starts.tolist()) == list(range(0, 2700, 2))
    assert owners[pool.starts // 2].tolist() == labels.clips["toy"].tolist()


def test_labels_are_those_of_the_pools_clips_and_frames(folder):
    source = open_source("norb", folder, 4)
    for pool, labels in zip((source.training, source.held_out), source.labels, strict=True):
        assert np.bincount(labels.owners()).tolist() == [len(pool) // 2] * 2, "two toys in as many lights each"
        for number in range(len(pool)):
            clip = (255 * pool.clip(number)[:, 0]).round().int()
            assert clip[:, 0, 0].tolist() == (7 * labels.frames["azimuth"]).tolist()
            shown = clip[0, [20, 20, 43, 43], [20, 43, 20, 43]] // 10
            assert shown.tolist() == [labels.clips[name][number] for name in STATIC]
