"""A name is one training's at a time, a finished model keeps its own, and a run goes on as it was begun."""

import json
import subprocess
import sys
import time
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from models.unordered_config import UnorderedVAEConfig
from training.data.pool import ClipPool
from training.data.sides import Sides
from training.errors import NameHeld, NameUsed, NothingLearnt, ResumeMismatch
from training.own import RECIPES, Wish, train_own
from training.recipes import own_clips
from training.run import SIDES, STATE, RunFolder
from training.sources import Source
from training.train import Listener, Places, run_recipe, shortened

pytestmark = pytest.mark.usefixtures("few_cuts")
TINY = replace(shortened(own_clips(), 2), name="mine", network=UnorderedVAEConfig.tiny(), batch=2)


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(runs=tmp_path / "runs", models=tmp_path / "models", device="cpu", keep_unfinished=True)


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> Source:
    """Four clips of noise, from which models with tiny networks are learnt, own ones and those of recipes."""
    frames = torch.randint(0, 256, (4, 5, 64, 64, 3), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    card = {"name": "noise", "source": "this test", "licence": "none needed", "split": "none"}
    sides = Sides({"a.mp4": "1", "b.mp4": "2", "c.mp4": "3"}, {"d.mp4": "4"})
    source = Source(ClipPool.of_equal_clips(frames[:3]), ClipPool.of_equal_clips(frames[3:]), card, sides=sides)
    monkeypatch.setitem(RECIPES, "vae", lambda: TINY)
    monkeypatch.setattr("training.train.open_source", lambda *asked: source)
    return source


def held(places: Places) -> AbstractContextManager[None]:
    return RunFolder(places.runs / "mine").held()


def test_a_second_training_of_a_name_is_refused_and_touches_nothing_of_the_first(source: Source, places: Places):
    live = places.runs / "mine"
    live.mkdir(parents=True)
    (live / STATE).write_bytes(b"as far as it has come")
    with held(places):
        with pytest.raises(NameHeld, match="a training called mine is going on"):
            train_own(source, Wish(name="mine"), places)
        with pytest.raises(NameHeld, match="a training called mine is going on"):
            run_recipe(TINY, places)
        with RunFolder(places.runs / "another").held():
            assert [path.name for path in places.runs.iterdir() if path.is_dir()] == ["mine"], "it was not put aside"
    assert (live / STATE).read_bytes() == b"as far as it has come"


def test_a_name_is_held_until_the_model_has_been_measured_and_free_from_then_on(
    source: Source, places: Places, monkeypatch: pytest.MonkeyPatch
):
    refused: list[str] = []

    def tries(*given: object) -> bytes:
        with pytest.raises(NameHeld), held(places):
            pass
        refused.append("while the curve is drawn, which is the end")
        return b""

    monkeypatch.setattr("training.own.learning_curve", tries)
    train_own(source, Wish(name="mine"), places)
    assert refused
    with held(places):
        pass


def test_of_processes_that_train_together_the_first_holds_the_name(
    source: Source, places: Places, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("RANK", "1")
    with held(places):
        assert run_recipe(TINY, places) == places.models / "mine", "the first of them has it"


def test_a_name_is_free_when_the_process_that_held_it_was_killed(places: Places):
    code = (
        "import sys, time; from pathlib import Path; from training.run import RunFolder\n"
        "with RunFolder(Path(sys.argv[1])).held(): print('held', flush=True); time.sleep(600)"
    )
    holder = subprocess.Popen([sys.executable, "-c", code, places.runs / "mine"], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    with holder.stdout:
        try:
            assert holder.stdout.readline() == "held\n"
            with pytest.raises(NameHeld), held(places):
                pass
        finally:
            holder.kill()
            holder.wait()
    with held(places):
        pass


def test_a_finished_model_is_replaced_or_gone_on_with_on_its_owners_word_alone(source: Source, places: Places):
    (places.models / "mine").mkdir(parents=True)
    (places.models / "mine" / "config.json").write_text("{}")
    begun: list[int] = []
    listener = Listener(on_begun=begun.append, enough=lambda: True)
    with pytest.raises(NameUsed, match=r"a model called mine already.*--replace.*--resume"):
        train_own(source, Wish(name="mine"), places, listener=listener)
    assert not begun
    for wish, resume in ((Wish(name="mine", replace=True), False), (Wish(name="mine"), True)):
        with pytest.raises(NothingLearnt):
            train_own(source, wish, places, resume=resume, listener=listener)
    assert begun == [2, 2]


def test_a_run_goes_on_with_clips_that_are_cut_as_they_were(source: Source, places: Places):
    faces, centred, listener = Wish(name="mine", crop="face"), Wish(name="mine"), Listener(enough=lambda: True)
    with pytest.raises(NothingLearnt):
        train_own(source, faces, places, listener=listener)
    with pytest.raises(ResumeMismatch, match="the run was begun with --crop face"):
        train_own(source, centred, places, resume=True, listener=listener)
    with pytest.raises(NothingLearnt):
        train_own(source, faces, places, resume=True, listener=listener)
    record = places.runs / "mine" / SIDES
    stated = json.loads(record.read_text())
    assert stated.pop("crop") == "face"
    record.write_text(json.dumps(stated))  # as runs were noted before
    with pytest.raises(NothingLearnt):
        train_own(source, centred, places, resume=True, listener=listener)


def test_of_minutes_and_steps_what_ends_first_ends_it(source: Source, places: Places):
    begun: list[int] = []
    listener = Listener(on_begun=begun.append, enough=lambda: bool(begun))
    for steps in (7, None):
        with pytest.raises(NothingLearnt):
            train_own(source, Wish(name="mine", minutes=0.5, steps=steps), places, listener=listener)
    few, many = begun
    assert few == 7
    assert many >= 100


def test_a_card_tells_how_long_it_was_measured_and_not_how_long_it_was_trained(
    source: Source, places: Places, monkeypatch: pytest.MonkeyPatch
):
    an_hour = [0.0]
    monkeypatch.setattr("training.own.time", SimpleNamespace(monotonic=lambda: time.monotonic() + an_hour[0]))

    def takes_an_hour(step: int, terms: object, frames_per_second: float) -> None:
        an_hour[0] = 3600.0

    folder = train_own(source, Wish(name="mine"), places, listener=Listener(on_step=takes_an_hour))
    assert an_hour == [3600.0]
    assert json.loads((folder / "evaluation.json").read_text())["measured"]["seconds"] < 1800
