"""A run's folder notes its recipe, and a later version still knows it."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from training.errors import ResumeMismatch
from training.recipes import RECIPES
from training.run import RunFolder


@pytest.fixture
def noted_before(tmp_path: Path) -> RunFolder:
    """The folder of a run that was begun before there were four of the options."""
    folder = RunFolder(tmp_path)
    folder.begin(RECIPES["sprites_vae"](), resume=False)
    record = tmp_path / "recipe.json"
    noted = json.loads(record.read_text())
    del noted["kept"], noted["motion"], noted["network"]["residual"], noted["loss"]["stretched"]
    record.write_text(json.dumps(noted))
    return folder


def test_a_run_noted_without_an_option_goes_on_where_that_is_as_by_default(noted_before):
    recipe = RECIPES["sprites_vae"]()
    noted_before.begin(recipe, resume=True)
    for changed, named in (
        (replace(recipe, network=replace(recipe.network, residual=True)), "network"),
        (replace(recipe, loss=replace(recipe.loss, stretched=True)), "loss"),
        (replace(recipe, kept=("decoder",)), "kept"),
        (replace(recipe, motion=replace(recipe.motion, components=2)), "motion"),
    ):
        with pytest.raises(ResumeMismatch, match=f"other {named};"):
            noted_before.begin(changed, resume=True)


def test_what_has_no_default_is_not_made_up(noted_before):
    record = noted_before.path / "recipe.json"
    noted = json.loads(record.read_text())
    del noted["steps"], noted["network"]["widths"]
    record.write_text(json.dumps(noted))
    with pytest.raises(ResumeMismatch, match="other network, steps"):
        noted_before.begin(RECIPES["sprites_vae"](), resume=True)
