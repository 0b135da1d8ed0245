"""A training job, by a real worker: clips become a model, a cancel keeps what there is, after a death it goes on."""

import base64
import errno
import io
import json
import shutil
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import training.own
from jobs import events
from jobs.connection import connect
from jobs.train_request import TrainRequest
from models.checkpoint import load_model, write_together
from models.unordered_config import UnorderedVAEConfig
from tests.worker.drawn import film, moving_square
from training.recipes import own_clips
from training.run import RunFolder
from worker.__main__ import lay_out
from worker.attempt import Stopped, Why
from worker.learn import Teller
from worker.results import JSON, PNG
from worker.warm import WarmWorker

pytestmark = pytest.mark.timeout(900)


@pytest.fixture
def small(monkeypatch):
    """Networks whose steps take milliseconds, for what is told of the life of a training."""
    recipe = own_clips()
    motion = replace(recipe.motion, hidden=16, layers=1)
    recipe = replace(recipe, network=UnorderedVAEConfig.tiny(), motion=motion)
    monkeypatch.setitem(training.own.RECIPES, "vae", lambda: recipe)


@pytest.fixture
def bench(settings, tmp_path):
    own = shutil.copytree(settings.own_models_dir, tmp_path / "models")  # what is learnt must not meet other tests
    bench = lay_out(settings.model_copy(update={"models_dir": own}))
    yield bench
    bench.close()


@pytest.fixture
def clips(bench):
    """Five short films of a square that moves, each in a colour of its own."""
    return tuple(
        bench.artifacts.write(film(moving_square(24) // 2 + np.uint8(25 * number))).sha256 for number in range(1, 6)
    )


def submit(bench, clips, **changed):
    said = {"model": "mine", "clips": clips, "minutes": 0.05} | changed
    record = bench.store.create_once(bench.store.new_id(), TrainRequest(**said), "asker")
    bench.queue.deliver(record)
    return record


def work(bench):
    with connect(bench.store.settings.redis_url, answer_timeout=None) as redis:
        WarmWorker("training", redis, bench).work(burst=True, logging_level="ERROR")


def read(bench, record, media_type):
    with bench.artifacts.open(record.results[media_type].sha256) as file:
        return file.read()


def test_clips_become_a_model_that_is_served(bench, clips):
    record = submit(bench, clips)
    work(bench)
    record = bench.store.get(record.id)
    assert record.status == "succeeded", record.problem
    told = json.loads(read(bench, record, JSON))
    assert told["found"][0].startswith("5 videos, 5 clips, 120 frames")
    assert told["curve"][-1]["psnr_db"] > 5
    assert read(bench, record, PNG).startswith(b"\x89PNG")
    looks = [event.data["picture"] for event in events.read(bench.store.redis, record.id) if "picture" in event.data]
    assert looks, "what it draws is shown while it learns"
    shown = Image.open(io.BytesIO(base64.b64decode(looks[-1].removeprefix("data:image/webp;base64,"))))
    assert shown.size == (6 * 64, 2 * 64), "six frames of a held-out clip, and below them redrawn"
    entry = bench.shelf.catalogue.find("mine")
    assert entry.digest == told["digest"]
    loaded = bench.shelf.load(entry)
    assert loaded.model.static_dim == told["static_dim"] == 16
    card = (entry.folder / "README.md").read_text()
    assert "dB" in card
    assert "samples.png" in card


def test_one_long_clip_is_enough_and_a_cancel_keeps_what_was_learnt_by_then(small, bench):
    record = submit(bench, (bench.artifacts.write(film(moving_square(120))).sha256,), minutes=60)

    def cancel_once_it_trains():
        while "training" not in (seen := bench.store.get(record.id)).stage and not seen.ended_at_all:
            time.sleep(0.05)
        time.sleep(1)
        bench.store.request_cancel(record.id)

    canceler = threading.Thread(target=cancel_once_it_trains)
    canceler.start()
    work(bench)
    canceler.join()
    ended = bench.store.get(record.id)
    assert ended.status == "canceled"
    assert load_model(bench.shelf.catalogue.find("mine").folder).name == "mine"


@pytest.mark.parametrize("canceled_before", [False, True])
def test_a_purge_of_a_running_training_leaves_neither_model_nor_checkpoints(
    small, bench, clips, monkeypatch, canceled_before
):
    monkeypatch.setattr("training.loop.CHECKPOINT_SECONDS", 0.0)
    record = submit(bench, clips, minutes=60)
    runs = bench.store.settings.data_dir / "runs"
    steps = []

    def purged(self, step, terms, frames_per_second):
        steps.append(step)
        if step == 3 and canceled_before:
            bench.store.request_cancel(record.id)
        if step == 3:
            self.tell("training", 0.2)
            assert (runs / "mine" / "state.safetensors").is_file()
            bench.store.request_cancel(record.id, purge=True)
        if step >= 3:
            self.tell("training", 0.3)

    monkeypatch.setattr("worker.learn.Teller.on_step", purged)
    work(bench)
    assert steps[-1] == 3
    assert bench.store.get(record.id).status == "canceled"
    assert bench.store.to_purge() == [record.id]
    assert not (bench.store.settings.own_models_dir / "mine").exists(), "nobody is served what is to be deleted"
    assert not (runs / "mine").exists()


def test_a_purge_while_clips_are_read_spares_the_run_of_another_training_of_that_name(small, bench, clips, monkeypatch):
    other = bench.store.settings.data_dir / "runs" / "mine" / "recipe.json"
    other.parent.mkdir(parents=True)
    other.write_text("{}")
    record = submit(bench, clips, minutes=60)

    def purged(request, tools, report):
        bench.store.request_cancel(record.id, purge=True)
        report("reading clips", 0.0)

    monkeypatch.setattr("worker.learn.read", purged)
    work(bench)
    assert bench.store.get(record.id).status == "canceled"
    assert other.is_file()


def test_a_cancel_before_the_first_step_leaves_no_model(small, bench, clips, monkeypatch):
    def canceled(self, steps):
        self.stopped = Stopped(Why.CANCELED)

    monkeypatch.setattr("worker.learn.Teller.on_begun", canceled)
    record = submit(bench, clips, minutes=60)
    work(bench)
    assert bench.store.get(record.id).status == "canceled"
    assert not (bench.store.settings.own_models_dir / "mine").exists(), "the name is free"


def test_a_full_disk_is_told_and_leaves_the_name_free(small, bench, clips, monkeypatch):
    def full(files):
        if len(files) == 1:
            return write_together(files)
        raise OSError(errno.ENOSPC, "No space left on device")

    record = submit(bench, clips)
    with monkeypatch.context() as until_then:
        until_then.setattr("models.checkpoint.write_together", full)
        work(bench)
    problem = bench.store.get(record.id).problem
    assert (problem.slug, problem.status) == ("storage-full", 507)
    assert not (bench.store.settings.own_models_dir / "mine").exists()


@pytest.mark.parametrize("died", [False, True])
def test_a_disk_that_fills_once_the_model_is_written_costs_its_pictures_alone(small, bench, clips, monkeypatch, died):
    def full(*asked):
        raise OSError(errno.ENOSPC, "No space left on device")

    def dies_then_full(*asked):
        monkeypatch.setattr("training.own.measure_clips", full)
        raise SystemExit

    record = submit(bench, clips)
    monkeypatch.setattr("training.own.measure_clips", dies_then_full if died else full)
    work(bench)
    problem = bench.store.get(record.id).problem
    assert (problem.slug, problem.status) == ("storage-full", 507)
    assert "mine was learnt and is served" in problem.detail
    assert load_model(bench.shelf.catalogue.find("mine").folder).name == "mine"


def test_an_attempt_after_a_death_goes_on_where_the_first_was(small, bench, clips, monkeypatch):
    monkeypatch.setattr("training.loop.CHECKPOINT_SECONDS", 0.0)
    record = submit(bench, clips, minutes=60)
    begun = bench.store.settings.data_dir / "runs" / "mine" / "recipe.json"
    steps, recipes = [], []

    def dies_once(self, step, terms, frames_per_second):
        steps.append(step)
        recipes.append(begun.read_text())
        if len(steps) == 3:
            raise SystemExit  # as the second signal of somebody who insists
        if len(steps) == 5:
            self.stopped = Stopped(Why.CANCELED)

    monkeypatch.setattr("worker.learn.Teller.on_step", dies_once)
    work(bench)  # RQ goes on to the delivery of what was handed back
    assert steps == [1, 2, 3, 3, 4], "the first two steps were kept"
    assert len(set(recipes)) == 1, "it is the same run, though its steps were timed by the first attempt"
    ended = bench.store.get(record.id)
    assert (ended.status, ended.attempts) == ("canceled", 2)
    assert load_model(bench.shelf.catalogue.find("mine").folder).name == "mine"


def test_a_death_after_the_model_was_written_costs_neither_its_name_nor_another_training(
    small, bench, clips, monkeypatch
):
    steps = []
    measure = training.own.measure_clips

    def dies_once(*arguments):
        monkeypatch.setattr("training.own.measure_clips", measure)
        raise SystemExit

    monkeypatch.setattr("training.own.measure_clips", dies_once)
    monkeypatch.setattr("worker.learn.Teller.on_step", lambda self, step, terms, speed: steps.append(step))
    record = submit(bench, clips)
    work(bench)
    assert len(steps) == len(set(steps)), "it was trained once"
    ended = bench.store.get(record.id)
    assert (ended.status, ended.attempts) == ("succeeded", 2), ended.problem
    told = json.loads(read(bench, ended, JSON))
    assert told["found"][0].startswith("5 videos")
    assert told["metrics"]["reconstruction_psnr_db"] > 5
    assert told["digest"] == bench.shelf.catalogue.find("mine").digest


def test_a_cancel_while_the_motion_is_taught_is_heard_and_shares_only_rise():
    told = []

    def report(stage, share, picture=""):
        told.append((stage, share))
        if stage == "teaching motion" and share > 0.87:
            raise Stopped(Why.CANCELED)

    listener = Teller(report, []).listener()
    listener.on_begun(10)
    listener.on_stage("training")
    listener.on_step(10, {}, 50.0)
    listener.on_stage("encoding movements")
    for done in range(100):
        listener.on_motion(done / 200)
    listener.on_stage("teaching motion")
    assert not listener.hurried()
    for done in range(100):
        listener.on_motion(0.5 + done / 200)
    assert listener.hurried(), "what has been learnt becomes a model now"
    shares = [share for _, share in told]
    assert shares == sorted(shares)
    assert len(told) < 60
    assert told[-1][0] == "teaching motion"


def test_clips_that_cannot_be_used_are_a_problem_that_says_why(bench, clips):
    good, broken = clips[0], bench.artifacts.write(film(moving_square(24))[:2000]).sha256
    record = submit(bench, (good, broken))
    work(bench)
    problem = bench.store.get(record.id).problem
    assert problem.slug == "cannot-learn"
    assert "1 clip can be used (clip 1)" in problem.detail
    assert "a single one of at least 120 frames" in problem.detail
    assert "; left out: clip 2: cannot be used: " in problem.detail
    faceless = submit(bench, clips, crop="face", model="faces")
    work(bench)
    assert bench.store.get(faceless.id).problem.slug == "cannot-learn"


def test_a_name_that_was_taken_meanwhile_is_refused(bench, clips):
    record = submit(bench, clips, model="tiny")
    work(bench)
    assert bench.store.get(record.id).problem.slug == "name-taken"


def test_a_name_that_somebody_else_trains_meanwhile_is_refused_and_theirs_is_left_alone(bench, clips, monkeypatch):
    run = RunFolder(bench.store.settings.data_dir / "runs" / "mine")
    theirs = bench.store.settings.own_models_dir / "mine" / "config.json"
    record = submit(bench, clips)
    with run.held():
        work(bench)
    problem = bench.store.get(record.id).problem
    assert (problem.slug, problem.status) == ("name-taken", 409)
    assert "a training called mine is going on" in problem.detail
    assert not run.path.exists()

    def finished_by_then(*given):
        theirs.parent.mkdir()
        theirs.write_text("{}")

    monkeypatch.setattr("training.own.check_clips_suffice", finished_by_then)
    record = submit(bench, clips)
    work(bench)
    problem = bench.store.get(record.id).problem
    assert problem.slug == "name-taken"
    assert "there is a model called mine by now" in problem.detail
    assert theirs.read_text() == "{}"
