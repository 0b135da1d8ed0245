"""The model card: what a model was made of and how, in the front matter and sections that model hubs expect."""

from collections.abc import Mapping

from models.unordered_vae import UnorderedVAE
from training.recipes import Recipe

METRICS_BEGIN, METRICS_END = "<!-- metrics -->", "<!-- /metrics -->"


def model_card(recipe: Recipe, model: UnorderedVAE, data: Mapping[str, str]) -> str:
    """Markdown for the model's README.md; `twofold evaluate` fills the part between the markers."""
    parameters = sum(value.numel() for value in model.parameters()) / 1e6
    anneal = recipe.dynamic_weight
    weight = (
        "1 throughout, as in the paper"
        if anneal.start == anneal.end == 1
        else f"from {anneal.start:g} to {anneal.end:g} over the first {anneal.share:.0%} of the steps"
    )
    steps = f"{recipe.steps} steps of {recipe.batch} clips × {recipe.clip_frames} random frames"
    if recipe.cycles > 1:
        steps += f" in {recipe.cycles} cycles of the learning rate"
    others = "of the clip's other frames" if recipe.static_from_others else "of all frames, as in the paper"
    read = f"from {'recoloured' if recipe.recoloured else 'the'} frames, " + (
        "given the static code" if recipe.network.dynamic_sees_static else "without the static code"
    )
    return f"""---
library_name: twofold
license: other
tags: [video, disentanglement, unordered-vae]
---

# {recipe.name}

An unordered VAE (Helminger et al. 2018, arXiv:1812.03962): a clip becomes one static code of
{model.static_dim} numbers (who or what it shows) and {model.dynamic_dim} numbers a frame (what it does).
{parameters:.1f} million parameters, {model.image_size} × {model.image_size} RGB.

| | |
|---|---|
| data | {data["name"]} |
| source | {data["source"]} |
| licence of the data | {data["licence"]} |
| split | {data["split"]} |
| training | {steps}, Adam {recipe.learning_rate:g}, seed {recipe.seed} |
| weight of the static KL | {recipe.static_weight:g} |
| weight of the dynamic KL | {weight} |
| static code while training | {others} |
| dynamic codes while training | {read} |

## Measured on held-out clips

{METRICS_BEGIN}
Not yet: `twofold evaluate {recipe.name}` writes the numbers here.
{METRICS_END}

## Limits

It knows the kind of picture in the table above and nothing else. Every encode states how typical a clip
is of that (`fit`); codes of clips that are not typical mean little. The likelihood is a relaxed Bernoulli
one on grey levels, so its bound does not compare with that of Gaussian models.
"""
