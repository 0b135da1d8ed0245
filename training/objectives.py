"""What each family minimises: its paper's bound, with the weights of a recipe."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from einops import rearrange, repeat
from jaxtyping import Float
from torch import Tensor
from torch.func import functional_call
from torch.nn import functional

from models.bernoulli import worst_log_likelihood
from models.disentangler import Disentangler, merge_frames
from models.drnet import DrNET
from models.drnet_blocks import SceneDiscriminator
from models.gaussian import Gaussian
from models.unordered_vae import UnorderedVAE
from training.contrast import contrast
from training.loop import Objective, Terms
from training.recipe import AdversarialLoss, Recipe, VariationalLoss
from training.recolour import recolour
from training.stretch import stretch

COMPARED = 16  # steps at most, of this one and those before, whose poses DrNET's discriminator compares at a time
SCENE_STEPS = 4  # of a discriminator of the VAE's dynamic codes, for each of the rest


def objective_of(recipe: Recipe) -> Objective:
    """What the recipe's family minimises."""
    if isinstance(recipe.loss, AdversarialLoss):
        return AdversarialObjective(recipe.loss)
    return BoundObjective(recipe.loss)


@dataclass(frozen=True, slots=True)
class BoundObjective:
    """Minus the unordered VAE's bound, in nats per clip.

    With both weights 1 and the static code of all frames it is the paper's. Any other weight is a β, and
    what is minimised then is no longer a bound.
    """

    weights: VariationalLoss

    def __call__(self, model: Disentangler, frames: Float[Tensor, "b t c h w"], progress: float) -> Iterator[Terms]:
        """The loss of a step after its adversary's, if it has one, and the terms of the bound, per frame where sums."""
        if not isinstance(model, UnorderedVAE):
            raise TypeError(f"this objective trains an unordered VAE, got {type(model).__name__}")
        weights = self.weights
        if weights.scene_weight:
            yield from scene_terms(model, frames)
        bound = model.bound(frames, weights.static_from_others, disguise(frames, weights))
        static_weight, dynamic_weight = weights.static_weight(progress), weights.dynamic_weight(progress)
        # Free bits (Kingma et al. 2016, arXiv:1606.04934, appendix C.8), for the batch as a whole.
        static_kl = bound.static_kl.mean().clamp_min(weights.static_free)
        loss = static_weight * static_kl - (bound.log_likelihood - dynamic_weight * bound.dynamic_kl).mean()
        if weights.worst_weight:
            worst = worst_log_likelihood(bound.logits, merge_frames(frames))
            loss = loss - weights.worst_weight * rearrange(worst, "(b t) -> b t", b=len(frames)).sum(1).mean()
        if weights.scene_weight:
            loss = loss + weights.scene_weight * unsure_of_scenes(model, frames)
        if weights.contrast_weight:
            first, second = (dynamic_codes(model, recolour(frames)) for _ in range(2))
            loss = loss + weights.contrast_weight * contrast(first, second)
        length = frames.shape[1]
        yield Terms(
            loss=loss,
            shown={
                "log_likelihood": bound.log_likelihood.detach().mean() / length,
                "static_kl": bound.static_kl.detach().mean(),
                "dynamic_kl": bound.dynamic_kl.detach().mean() / length,
                "elbo": bound.elbo.detach().mean() / length,
            },
        )


def dynamic_codes(model: UnorderedVAE, frames: Float[Tensor, "b t c h w"]) -> Float[Tensor, "bt z"]:
    """The mean of q(z | x) or q(z | x, f) of each frame, at its clip's mean f, which learns nothing from it."""
    features = model.features(merge_frames(frames))
    per_clip = rearrange(features, "(b t) e h w -> b t e h w", b=len(frames))
    static = model.static_posterior(per_clip.detach()).mean.detach()
    posterior: Gaussian = model.dynamic_posterior(features, repeat(static, "b s -> (b t) s", t=frames.shape[1]))
    return posterior.mean


def scene_terms(model: UnorderedVAE, frames: Float[Tensor, "b t c h w"]) -> Iterator[Terms]:
    """The discriminator's losses on the first two frames of every clip; no gradient reaches the encoders."""
    with torch.no_grad():
        first, second = rearrange(dynamic_codes(model, frames[:, :2]), "(b two) z -> two b z", two=2)
    for _ in range(SCENE_STEPS):
        yield every_pair_terms(discriminator_of(model), first, second)


def unsure_of_scenes(model: UnorderedVAE, frames: Float[Tensor, "b t c h w"]) -> Float[Tensor, ""]:
    """DrNET's L_adv on the VAE's dynamic codes; the discriminator learns nothing from it."""
    discriminator = discriminator_of(model)
    first, second = rearrange(dynamic_codes(model, frames[:, :2]), "(b two) z -> two b z", two=2)
    fixed = {name: value.detach() for name, value in discriminator.named_parameters()}
    logits = functional_call(discriminator, fixed, (first, second.detach()))
    return functional.binary_cross_entropy_with_logits(logits, torch.full_like(logits, 0.5))


def discriminator_of(model: UnorderedVAE) -> SceneDiscriminator:
    """The model's.

    Raises:
        ValueError: it has none.

    """
    if model.discriminator is None:
        raise ValueError("a scene weight needs a network with scene_hidden above 0")
    return model.discriminator


def disguise(frames: Float[Tensor, "b t c h w"], weights: VariationalLoss) -> Float[Tensor, "b t c h w"] | None:
    """What dynamic codes are read from, where that is not the frames as they are."""
    if not (weights.recoloured or weights.stretched):
        return None
    seen = recolour(frames) if weights.recoloured else frames
    return stretch(seen) if weights.stretched else seen


@dataclass(frozen=True, slots=True)
class AdversarialObjective:
    """DrNET's two losses of a step: the discriminator's, then that of encoders and decoder.

    Of each clip come four frames: contents c₁, c₂ and poses p₁, p₂, all drawn alike (the authors' later code
    takes the first four frames of every clip, so that content and pose are never far apart). With C's label 1
    for "different videos":

        L_C    = BCE(C(h(p₁), h(p₂)), 0 or 1)             half of the pairs from one clip, half from two
        L_rec  = ‖D(E_c(cᵢ), E_p(pᵢ)) − pᵢ‖²              mean over pixels, and over i = 1, 2
        L_sim  = ‖E_c(c₁) − sg E_c(c₂)‖²                  mean over the code; sg stops the gradient
        L_adv  = BCE(C(E_p(p₁), sg E_p(p₂)), ½)           C cannot tell, and learns nothing from it
        L      = L_rec + α L_sim + β L_adv

    Source: Denton & Birodkar 2017 (arXiv:1705.10915), §3, eq. 1 to 4; the order of the steps and the means as in
    the authors' code. That redraws p₁ alone; all four frames are encoded anyway, and the second redrawing, of equal
    expectation, costs a fifth of a step.

    On small batches C has little to learn from, and an adversary that is behind leaves poses free to tell: so it may
    remember poses of clips before (`DrNETConfig.remembered`), and take several steps for each of the rest
    (`discriminator_steps`).
    """

    weights: AdversarialLoss

    def __call__(self, model: Disentangler, frames: Float[Tensor, "b 4 c h w"], progress: float) -> Iterator[Terms]:
        """First L_C, whose gradient reaches C alone; then L, whose gradient reaches all but C."""
        if not isinstance(model, DrNET):
            raise TypeError(f"this objective trains a DrNET, got {type(model).__name__}")
        contents, poses = frames[:, :2], frames[:, 2:]
        moves = model.pose(merge_frames(poses))
        pose, other_pose = rearrange(moves, "(b two) z -> two b z", two=2)
        pairs = rearrange(moves.detach(), "(b two) z -> b two z", two=2)
        known = model.remember(pairs)
        for _ in range(self.weights.discriminator_steps):
            if len(known) > len(pairs):
                yield remembered_terms(model.discriminator, known, len(pairs))
            else:
                yield discriminator_terms(model.discriminator, pairs[:, 0], pairs[:, 1])

        codes, maps = model.content(merge_frames(contents))
        content, other_content = rearrange(codes, "(b two) s -> two b s", two=2)
        redrawn = model.decoder(codes, moves, maps)
        reconstruction = functional.mse_loss(redrawn, merge_frames(poses))
        similarity = functional.mse_loss(content, other_content.detach())
        fixed = {name: value.detach() for name, value in model.discriminator.named_parameters()}
        logits = functional_call(model.discriminator, fixed, (pose, other_pose.detach()))
        adversarial = functional.binary_cross_entropy_with_logits(logits, torch.full_like(logits, 0.5))
        yield Terms(
            loss=reconstruction
            + self.weights.similarity_weight(progress) * similarity
            + self.weights.adversarial_weight(progress) * adversarial,
            shown={
                "reconstruction": reconstruction.detach(),
                "similarity": similarity.detach(),
                "adversarial": adversarial.detach(),
            },
        )


def discriminator_terms(
    discriminator: SceneDiscriminator, pose: Float[Tensor, "b z"], other_pose: Float[Tensor, "b z"]
) -> Terms:
    """L_C: in the second half of the pairs, the second pose is of the clip before theirs in the batch.

    So all of these truly differ where neighbours are of different clips, as `different_clips` draws them.

    Raises:
        ValueError: a single clip, so that there is no other.

    """
    same = len(pose) // 2
    if same < 1:
        raise ValueError(f"the discriminator compares clips: a batch has at least 2, got {len(pose)}")
    second = torch.cat([other_pose[:same], other_pose[same - 1 : -1]])
    return told_apart(discriminator, pose, second, same)


def remembered_terms(discriminator: SceneDiscriminator, poses: Float[Tensor, "kb 2 z"], batch: int) -> Terms:
    """L_C on poses of several steps, `batch` clips each: of every clip a pair of its own and one with another's.

    Both poses of a pair are of one step. Encoders change between two, and that would tell steps apart and not clips.
    Steps are drawn at random from all that are known, so that most updates are about encoders of a little before. The
    clips of a step have to be different ones, as they are where there are as many as a batch has.

    Raises:
        ValueError: a single clip a step, so that there is no other.

    """
    if batch < 2:
        raise ValueError(f"the discriminator compares clips: a batch has at least 2, got {batch}")
    steps = rearrange(poses[: len(poses) // batch * batch], "(k b) two z -> two k b z", b=batch)
    first, second = steps[:, torch.randperm(steps.shape[1])[:COMPARED]]
    shift = int(torch.randint(1, batch, ()))
    pairs = torch.cat([torch.stack([first, second]), torch.stack([first, second.roll(shift, dims=1)])], dim=1)
    first, second = rearrange(pairs, "two k b z -> two (k b) z")
    return told_apart(discriminator, first, second, len(first) // 2)


def told_apart(
    discriminator: SceneDiscriminator, first: Float[Tensor, "n z"], second: Float[Tensor, "n z"], same: int
) -> Terms:
    """L_C of pairs, the first `same` of which are of one clip each, the others of two."""
    labels = (torch.arange(len(first), device=first.device) >= same).float()
    logits = discriminator(first, second)
    loss = functional.binary_cross_entropy_with_logits(logits, labels)
    right = ((logits > 0).float() == labels).float().mean()
    return Terms(loss=loss, shown={"discriminator": loss.detach(), "discriminator_right": right.detach()})


def every_pair_terms(
    discriminator: SceneDiscriminator, pose: Float[Tensor, "b z"], other_pose: Float[Tensor, "b z"]
) -> Terms:
    """L_C of each pose beside each other pose: b pairs of one clip and b (b − 1) of two, which weigh as much together.

    Raises:
        ValueError: a single clip, so that there is no other.

    """
    count = len(pose)
    if count < 2:
        raise ValueError(f"the discriminator compares clips: a batch has at least 2, got {count}")
    first = repeat(pose, "b z -> (b other) z", other=count)
    logits = discriminator(first, repeat(other_pose, "other z -> (b other) z", b=count))
    labels = 1 - torch.eye(count, device=pose.device).flatten()
    of_each = functional.binary_cross_entropy_with_logits(logits, labels, reduction="none")
    right = ((logits > 0).float() == labels).float()
    same, apart = labels == 0, labels == 1
    loss = 0.5 * (of_each[same].mean() + of_each[apart].mean())
    right = 0.5 * (right[same].mean() + right[apart].mean())
    return Terms(loss=loss, shown={"discriminator": loss.detach(), "discriminator_right": right.detach()})
