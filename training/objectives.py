"""What each family minimises: its paper's bound, with the weights of a recipe."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from models.disentangler import Disentangler
from models.unordered_vae import UnorderedVAE
from training.loop import Terms
from training.recipes import Recipe
from training.recolour import recolour


@dataclass(frozen=True, slots=True)
class BoundObjective:
    """Minus the unordered VAE's bound, in nats per clip.

    With both weights 1 and the static code of all frames it is the paper's. Any other weight is a β, and
    what is minimised then is no longer a bound.
    """

    recipe: Recipe

    def __call__(self, model: Disentangler, frames: Float[Tensor, "b t c h w"], progress: float) -> Terms:
        """The loss and the terms of the bound, per frame where a sum over frames."""
        if not isinstance(model, UnorderedVAE):
            raise TypeError(f"this objective trains an unordered VAE, got {type(model).__name__}")
        recipe = self.recipe
        recoloured = recolour(frames) if recipe.recoloured else None
        bound = model.bound(frames, recipe.static_from_others, recoloured)
        dynamic_weight = recipe.dynamic_weight(progress)
        loss = -(
            bound.log_likelihood - recipe.static_weight * bound.static_kl - dynamic_weight * bound.dynamic_kl
        ).mean()
        length = frames.shape[1]
        return Terms(
            loss=loss,
            shown={
                "log_likelihood": bound.log_likelihood.detach().mean() / length,
                "static_kl": bound.static_kl.detach().mean(),
                "dynamic_kl": bound.dynamic_kl.detach().mean() / length,
                "elbo": bound.elbo.detach().mean() / length,
            },
        )
