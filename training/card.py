"""The model card: what a model was made of and how, in the front matter and sections that model hubs expect."""

from collections.abc import Mapping

from models.disentangler import Disentangler
from models.unordered_config import UnorderedVAEConfig
from training.loop import Trained
from training.recipe import AdversarialLoss, MotionRecipe, Recipe
from training.schedule import Anneal

METRICS_BEGIN, METRICS_END = "<!-- metrics -->", "<!-- /metrics -->"


PAPERS = {
    "unordered_vae": "An unordered VAE (Helminger et al. 2018, arXiv:1812.03962)",
    "drnet": "A DrNET (Denton & Birodkar 2017, arXiv:1705.10915)",
}
CHOSEN_ON_THEM = (
    "The best weights were chosen on these same clips, so that the numbers flatter the model a little:\n"
    "clips that decided nothing would be redrawn less well."
)
LIMITS = {
    "unordered_vae": "The likelihood is a relaxed Bernoulli\none on grey levels, so its bound does not compare with "
    "that of Gaussian models.",
    "drnet": "It has no\nlikelihood, so that a clip's fit is judged by its reconstruction alone.",
}


def loss_rows(recipe: Recipe) -> dict[str, str]:
    """What of the loss, and of a DrNET's decoder, is worth saying, title and value."""
    if isinstance(recipe.loss, AdversarialLoss):
        blocks = {"decoder": "with residual blocks, which the authors' has not"} if recipe.network.residual else {}
        return blocks | {
            "frames of an example": apart(recipe),
            "weight of the similarity": said(recipe.loss.similarity_weight, "as in the paper"),
            "weight of the adversary": said(recipe.loss.adversarial_weight),
        }
    changes = {"recoloured": recipe.loss.recoloured, "stretched": recipe.loss.stretched}
    changed = " and ".join(name for name, done in changes.items() if done) or "the"
    given = isinstance(recipe.network, UnorderedVAEConfig) and recipe.network.dynamic_sees_static
    rows = {}
    if recipe.loss.worst_weight:
        rows["weight of what is drawn worst"] = f"{recipe.loss.worst_weight:g}, beside the likelihood"
    if recipe.kept:
        rows["kept as they began"] = " and ".join(name.replace("_", " ") for name in recipe.kept)
    return rows | {
        "weight of the static KL": said(recipe.loss.static_weight, "as in the paper"),
        "weight of the dynamic KL": said(recipe.loss.dynamic_weight, "as in the paper"),
        "static code while training": "of the clip's other frames"
        if recipe.loss.static_from_others
        else "of all frames, as in the paper",
        "dynamic codes while training": f"from {changed} frames, {'given' if given else 'without'} the static code",
    }


def said(weight: Anneal, of_one: str = "") -> str:
    """How a number goes over the run; `of_one` says what a constant 1 is."""
    if len(weight.points) == 1:
        level = weight(0.0)
        return f"{level:g} throughout" + (f", {of_one}" if of_one and level == 1 else "")
    return ", ".join(f"{value:g} at {share:.0%}" for share, value in weight.points) + " of the steps, straight between"


def apart(recipe: Recipe) -> str:
    """Where the frames of an example come from."""
    if recipe.data == "digits_consecutive":
        return "the first ones of a clip, in order"
    if recipe.data == "faces":
        return "moments of different movements of one identity"
    return "from anywhere in a clip" if recipe.reach is None else f"less than so many apart: {said(recipe.reach)}"


def steps_taken(recipe: Recipe, trained: Trained) -> str:
    """How many steps a run took, of how many where it ended before, and whose weights were kept where not the last."""
    most = f" (at most {recipe.steps})" if trained.steps < recipe.steps else ""
    kept = f", the weights after step {trained.kept} kept" if trained.kept < trained.steps else ""
    failed = f", ended as {trained.failed}" if trained.failed else ""
    return f"{trained.steps} steps{most} of {recipe.batch} clips × {recipe.clip_frames} frames{kept}{failed}"


def model_card(
    recipe: Recipe, trained: Trained, model: Disentangler, data: Mapping[str, str], motion: MotionRecipe | None
) -> str:
    """Markdown for the model's README.md; `twofold evaluate` fills the part between the markers.

    `motion` is how its motion was taught on these data, where it has one.
    """
    parameters = sum(value.numel() for value in model.parameters()) / 1e6
    steps = steps_taken(recipe, trained)
    if recipe.cycles > 1:
        steps += f" in {recipe.cycles} cycles of the learning rate"
    if recipe.began_with:
        steps += f", begun with the weights of {recipe.began_with}…"
    rows = "\n".join(f"| {title} | {value} |" for title, value in loss_rows(recipe).items())
    chosen = f"\n{CHOSEN_ON_THEM}\n" if recipe.patience else ""
    card = f"""---
library_name: twofold
license: other
tags: [video, disentanglement, {model.family.replace("_", "-")}]
---

# {recipe.name}

{PAPERS[model.family]}: a clip becomes one static code of
{model.static_dim} numbers (who or what it shows) and {model.dynamic_dim} numbers a frame (what it does).
{parameters:.1f} million parameters, {model.image_size} × {model.image_size} RGB.

| | |
|---|---|
| data | {data["name"]} |
| source | {data["source"]} |
| licence of the data | {data["licence"]} |
| split | {data["split"]} |
| training | {steps}, Adam {recipe.learning_rate:g}, seed {recipe.seed} |
{rows}

## Measured on held-out clips

{METRICS_BEGIN}
Not yet: `twofold evaluate {recipe.name}` writes the numbers here.
{METRICS_END}
{chosen}
## Limits

It knows the kind of picture in the table above and nothing else. Every encode states how typical a clip
is of that (`fit`); codes of clips that are not typical mean little. {LIMITS[model.family]}
"""
    return card if motion is None else with_motion(card, motion)


def with_motion(card: str, recipe: MotionRecipe) -> str:
    """The card with a row that says how the motion was taught, in place of an earlier one."""
    several = f"a mixture of {recipe.components} for what comes next, " if recipe.components > 1 else ""
    alone = "" if recipe.own_weight else "held to the next code alone, "
    strayed = f"shown codes {recipe.jitter:g} deviations off, " if recipe.jitter else ""
    row = (
        f"| motion | LSTM of {recipe.layers} × {recipe.hidden}, {several}{alone}{strayed}"
        f"{recipe.steps} steps of {recipe.batch} out of {recipe.runs} stretches of {recipe.length} frames, "
        f"{recipe.observed} observed |"
    )
    kept = [line for line in card.splitlines() if not line.startswith("| motion |")]
    after = next((number for number, line in enumerate(kept) if line.startswith("| training |")), None)
    if after is None:
        return card
    return "\n".join([*kept[: after + 1], row, *kept[after + 1 :]]) + "\n"
