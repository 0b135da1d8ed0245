"""Recipes: how far apart the frames of an example are, what a further round keeps, and by which name a run is told."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from models.disentangler import Disentangler
from models.unordered_config import UnorderedVAEConfig
from models.unordered_vae import UnorderedVAE
from training.card import loss_rows
from training.data.pool import ClipPool
from training.drnet_recipes import own_clips_drnet
from training.loop import Hooks, Terms, train
from training.recipe import Recipe
from training.recipes import RECIPES, own_clips, published_as
from training.run import RunFolder

OWN = {recipe.__name__: recipe for recipe in (own_clips, own_clips_drnet)}


def reach(recipe: Recipe) -> tuple[float, float] | None:
    """At the first step and at the last."""
    return (recipe.reach(0.0), recipe.reach(1.0)) if recipe.reach else None


def test_frames_are_from_anywhere_in_a_clip_but_of_digits_and_own_videos_whose_frames_come_to_be_further_apart():
    limited = {name: found for name, make in (RECIPES | OWN).items() if (found := reach(make()))}
    assert limited == {
        "digits_drnet": (4, 20),
        "digits_drnet_again": (20, 20),
        "digits_drnet_alone": (4, 20),
        "digits_drnet_paper": (20, 20),
        "own_clips_drnet": (4, 20),
    }
    assert {"norb_drnet", "kth_drnet", "faces_drnet"} <= set(RECIPES), "of which any two frames of a clip meet"


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_a_run_is_told_by_the_name_of_its_recipe_whatever_its_steps_and_seed(name: str):
    for steps, seed in {(make().steps, make().seed) for make in RECIPES.values()} | {(7, 99)}:
        assert published_as(replace(RECIPES[name](), steps=steps, seed=seed)) == name


def test_a_recipe_with_other_sizes_keeps_its_name_and_another_loss_has_none():
    faces = RECIPES["faces_vae"]()
    assert published_as(replace(faces, network=UnorderedVAEConfig.tiny())) == "faces_vae"
    assert published_as(replace(faces, loss=replace(faces.loss, static_free=1.0))) is None


def test_parts_that_are_kept_do_not_change_and_all_others_do(tmp_path: Path):
    published = RECIPES["faces_vae_reading"]()
    recipe = replace(published, network=UnorderedVAEConfig.tiny(), batch=3, steps=3)
    torch.manual_seed(0)
    model = UnorderedVAE(recipe.network)
    before = {name: value.clone() for name, value in model.named_parameters()}

    def everything(model: Disentangler, frames: torch.Tensor, progress: float) -> Iterator[Terms]:
        yield Terms(loss=sum(value.square().sum() for value in model.parameters()), shown={})

    pool = ClipPool.of_equal_clips(torch.zeros(4, 6, 64, 64, 3, dtype=torch.uint8))
    train(recipe, model, everything, pool, RunFolder(tmp_path), Hooks())
    same = {name for name, value in model.named_parameters() if torch.equal(value, before[name])}
    kept = {name for name in before if name.startswith(("decoder.", "dynamic_prior."))}
    empty = {name for name, value in before.items() if not value.any()}  # their gradient is 0 here
    assert kept
    assert same == kept | empty
    assert loss_rows(recipe)["kept as they began"] == "decoder and dynamic prior"
    assert "kept as they began" not in loss_rows(RECIPES["faces_vae_finish"]())


def test_a_card_tells_what_only_some_rounds_have():
    told = {name: loss_rows(RECIPES[name]()) for name in RECIPES}
    blocks = {name for name, rows in told.items() if "residual blocks" in rows.get("decoder", "")}
    assert blocks == {"faces_drnet_residual", "faces_drnet_finish"}
    kept = {name: rows["kept as they began"] for name, rows in told.items() if "kept as they began" in rows}
    assert kept == {
        "faces_vae_reading": "decoder and dynamic prior",
        "faces_vae_drawing": "trunk and dynamic posterior",
        "sprites_vae_sharp": "trunk and dynamic posterior",
    }
    worst = {name for name, rows in told.items() if "weight of what is drawn worst" in rows}
    assert worst == {"sprites_vae_sharp"}


def test_a_drnet_keeps_no_part_as_its_normalisation_would_go_on():
    with pytest.raises(ValueError, match="normalisation of a DrNET goes on in parts that are kept: decoder"):
        replace(RECIPES["faces_drnet"](), kept=("decoder",))
