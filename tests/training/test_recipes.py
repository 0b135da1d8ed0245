"""How far apart the frames of an example are, by recipe: what each data set allows."""

from training.drnet_recipes import own_clips_drnet
from training.recipe import Recipe
from training.recipes import RECIPES, own_clips

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
