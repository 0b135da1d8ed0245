"""Published runs, one function each."""

from collections.abc import Callable
from dataclasses import replace

from models.drnet import DrNETConfig
from models.unordered_config import UnorderedVAEConfig
from training.recipe import AdversarialLoss, MotionRecipe, Recipe, VariationalLoss
from training.schedule import Anneal


def actions_motion() -> MotionRecipe:
    """Of the nine actions by which the field scores Sprites, 8 frames each, to draw from.

    Characters go from one pose to quite another, and several actions have poses in common, so that it is a mixture:
    what lies between two poses is none. A model's own motion is to predict, and stays a Gaussian held to its
    roll-outs; a mixture's likeliest roll-out is one of many, so that this one is held to the next code alone. It is
    taught until it draws the poses themselves: beside them the decoder makes up another skin, or other trousers.
    """
    return MotionRecipe(
        components=12, own_weight=0.0, unsure=1.0, runs=9000, length=8, observed=2, batch=128, steps=4500
    )


def sprites_vae() -> Recipe:
    """For `sprites-vae`: a pyramid of widths, annealed KL terms, f of the other frames and with a shortcut.

    Dynamic codes are read without f and from recoloured frames, so that they mean the same for everybody.

    Both KL terms end below 1. The Bernoulli likelihood is soft on grey levels (near ½ it is a Gaussian of
    deviation ½), so at weight 1 what distinguishes two identities, a few pixels of eyes or a shade of skin, may
    drown in the noise of the codes. The paper does not say what weights it used.
    """
    return Recipe(
        name="sprites-vae",
        data="sprites",
        network=replace(UnorderedVAEConfig.compact(dynamic_dim=8), dynamic_sees_static=False),
        steps=24_000,
        learning_rate=1e-3,
        loss=VariationalLoss(
            static_weight=Anneal(((0.0, 0.001), (0.6, 0.05))),
            dynamic_weight=Anneal(((0.0, 41.0), (0.08, 0.5))),
            static_from_others=True,
            recoloured=True,
        ),
    )


def faces_vae() -> Recipe:
    """For `faces-vae`: as `sprites_vae`, on drawn faces with three dynamic factors and a pinned prior.

    Without the pin the scale of the dynamic code, which nothing in the bound fixes, ran off in one run. At a
    dynamic weight of 0.5 turn and surprise take a dimension each, straight; a smile, worth few nats, gets one
    when the weight falls further.
    """
    recipe = sprites_vae()
    assert isinstance(recipe.loss, VariationalLoss)
    falling = Anneal(((0.0, 41.0), (0.08, 0.5), (0.57, 0.5), (0.62, 0.1)))
    return replace(
        recipe,
        name="faces-vae",
        data="faces",
        network=replace(UnorderedVAEConfig.compact(dynamic_dim=4), dynamic_sees_static=False, pinned_prior=True),
        loss=replace(recipe.loss, dynamic_weight=falling),
    )


def faces_vae_again() -> Recipe:
    """A further round for `faces-vae`, begun with its weights (`--from faces-vae`): its brows are learnt last."""
    return replace(second_round(faces_vae()), steps=12_000)


def faces_vae_stretched() -> Recipe:
    """A third round for `faces-vae` (`--from faces-vae`): dynamic codes come to mean the same on all faces.

    Where a mouth or a brow is depends on how long the face is, so that a pose may be read off one face otherwise than
    off another: stretched frames prevent that.
    """
    recipe = second_round(faces_vae())
    assert isinstance(recipe.loss, VariationalLoss)
    falling = Anneal(((0.0, 0.5), (0.3, 0.5), (0.4, 0.1)))
    return replace(recipe, loss=replace(recipe.loss, dynamic_weight=falling, stretched=True))


def faces_vae_finish() -> Recipe:
    """A fourth round for `faces-vae`, begun with the third's weights: what motion means then stays as it is."""
    recipe = second_round(faces_vae())
    assert isinstance(recipe.loss, VariationalLoss)
    return replace(recipe, steps=6_000, loss=replace(recipe.loss, stretched=True))


def sprites_vae_again() -> Recipe:
    """A second round for `sprites-vae`, begun with its weights (`--from sprites-vae`)."""
    return second_round(sprites_vae())


def sprites_vae_finish() -> Recipe:
    """A third round for `sprites-vae` (`--from sprites-vae`), in which the KL of the static code hardly weighs at all.

    Two pairs of trousers differ by a shade that the second round's model still confuses; the third's does too, but it
    tells skins apart.
    """
    recipe = second_round(sprites_vae())
    assert isinstance(recipe.loss, VariationalLoss)
    faint = Anneal(((0.0, 0.001), (0.6, 0.01)))
    return replace(recipe, seed=2, steps=5_000, loss=replace(recipe.loss, static_weight=faint))


def second_round(recipe: Recipe) -> Recipe:
    """9000 steps more, in which the static code is free to hold more once again, and motion stays what it is.

    What moves few pixels enters the static code late, while noise in it is dear to nobody: so the weight of its KL
    begins low again. The weight of the dynamic KL stays at its last value, so that no motion is learnt anew.
    """
    assert isinstance(recipe.loss, VariationalLoss)
    last = recipe.loss.dynamic_weight.points[-1][1]
    return replace(recipe, steps=9_000, loss=replace(recipe.loss, dynamic_weight=Anneal(((0.0, last),))))


def digits_vae() -> Recipe:
    """The unordered VAE on two moving digits, as `sprites_vae`; on the clips of `digits_drnet`, so that both compare.

    Dynamic codes are read from plain frames and given f, as in the paper: in other colours nothing would tell which
    of the two digits is where. Each digit has a place of two numbers, and eight leave room for how they lie bent.
    """
    recipe = sprites_vae()
    assert isinstance(recipe.loss, VariationalLoss)
    return replace(
        recipe,
        name="digits-vae",
        data="digits",
        network=UnorderedVAEConfig.compact(dynamic_dim=8),
        steps=12_000,
        loss=replace(recipe.loss, recoloured=False),
    )


def sprites_vae_paper() -> Recipe:
    """The paper's sizes and bound: 256 filters, f 512, batch 120, 43 000 steps; needs a GPU.

    The paper says that Sprites had "a larger latent" than 2; it does not say how large.
    """
    return Recipe(
        name="sprites-vae-paper",
        data="sprites",
        network=UnorderedVAEConfig.paper(dynamic_dim=8),
        batch=120,
        steps=43_000,
        learning_rate=3e-4,
    )


OWN_MOTION = MotionRecipe(hidden=128, runs=600, steps=600)


def own_clips() -> Recipe:
    """A person's own videos (`twofold train --clips`): few clips, so fewer steps than the shipped models.

    A few clips are soon learnt by heart, so held-out ones are looked at often, and the best weights are kept. What
    moves in them, a mouth or a hand, is worth few nats: the dynamic weight goes as low as the faces' does, and sooner.
    """
    recipe = sprites_vae()
    assert isinstance(recipe.loss, VariationalLoss)
    falling = Anneal(((0.0, 41.0), (0.08, 0.5), (0.2, 0.5), (0.3, 0.1)))
    return replace(
        recipe,
        name="own",
        data="clips",
        loss=replace(recipe.loss, dynamic_weight=falling),
        steps=4_000,
        measure_every=250,
        patience=6,
        motion=OWN_MOTION,
    )


def own_clips_drnet() -> Recipe:
    """As `own_clips`, with a DrNET (`--family drnet`): no densities, and sharper where nothing is uncertain.

    Frames of an example come to be further apart, as the digits' do, but not to be from anywhere in a video: over its
    whole length the light may change or the camera move, and a content that may not tell so leaves it to the pose.
    """
    return replace(
        digits_drnet(),
        name="own",
        data="clips",
        reach=Anneal(((0.0, 4.0), (0.1, 4.0), (0.6, 20.0))),
        network=DrNETConfig(content="dcgan", pose="dcgan", static_dim=64, dynamic_dim=8),
        steps=4_000,
        measure_every=250,
        patience=6,
        motion=OWN_MOTION,
    )


def digits_drnet() -> Recipe:
    """For `digits-drnet`: two coloured digits, with the networks of the authors' code.

    Content 64 is the size of their first code, pose 10 of their later one; neither is scaled to length 1, which is
    off by default there. The similarity comes in late and light: at its full weight from the start contents can
    become one and the same before the decoder has a use for them. The adversary comes in late too: frames of a
    clip show digits in places near each other, so that it is against exact places as long as nothing else is told.
    Frames of one example come to be up to 19 apart (their `max_step`) from 3 on: digits that are nearly where the
    decoder has to draw them teach it what a digit looks like. The content has no skips, as in the paper: a U-Net would
    copy digits from where the content's frame has them. Batch and steps are a CPU's: theirs were 100 clips and
    100 000 steps; Adam's first momentum is 0.9 as everywhere here, theirs 0.5. How fast a digit goes and where it
    turns round can be known exactly, so its motion is worth four times the usual steps, and more movements.
    """
    return Recipe(
        name="digits-drnet",
        data="digits",
        network=DrNETConfig(content="dcgan", pose="dcgan", static_dim=64, dynamic_dim=10),
        loss=AdversarialLoss(
            similarity_weight=Anneal(((0.0, 0.0), (0.2, 0.0), (0.6, 0.005))),
            adversarial_weight=Anneal(((0.0, 1e-4), (0.5, 1e-4), (0.75, 2e-3))),
        ),
        clip_frames=4,
        reach=Anneal(((0.0, 4.0), (0.1, 4.0), (0.6, 20.0))),
        batch=16,
        steps=12_000,
        learning_rate=4e-3,
        motion=MotionRecipe(runs=8000, steps=6000),
    )


def digits_drnet_again() -> Recipe:
    """A second round for `digits-drnet`, begun with its weights (`--from digits-drnet`).

    The first one's contents still hold where digits are, and the decoder has a use for them by now: so they are held
    alike six times as firmly, and the adversary weighs more than twice as much. Not run yet.
    """
    return replace(
        digits_drnet(),
        loss=AdversarialLoss(
            similarity_weight=Anneal(((0.0, 0.005), (0.4, 0.03))),
            adversarial_weight=Anneal(((0.0, 2e-3), (0.4, 5e-3))),
        ),
        reach=Anneal(((0.0, 20.0),)),
        learning_rate=2e-3,
        seed=2,
    )


def digits_drnet_paper() -> Recipe:
    """Two digits with the weights, optimizer and sizes that DrNET's paper and its authors' code state; needs a GPU.

    Similarity 1 and Adam of 0.002 with a first momentum of 0.5 are the paper's; the adversary's weight of 1e-4, 100
    clips and 100 000 steps are the code's, and so are codes of 64 and 10 numbers. Not run.
    """
    return replace(
        digits_drnet(),
        name="digits-drnet-paper",
        loss=AdversarialLoss(similarity_weight=Anneal(((0.0, 1.0),)), adversarial_weight=Anneal(((0.0, 1e-4),))),
        reach=Anneal(((0.0, 20.0),)),
        batch=100,
        steps=100_000,
        learning_rate=2e-3,
        momenta=(0.5, 0.999),
    )


def digits_drnet_reference() -> Recipe:
    """As `digits_drnet`, but trained as the authors' later code does it, to show what that costs.

    Examples are the first four frames of a clip, so that content and pose are at most three frames apart; the
    motion is taught by true poses alone; BatchNorm stays in training mode for it and for predicting.
    """
    recipe = digits_drnet()
    assert isinstance(recipe.network, DrNETConfig)
    return replace(
        recipe,
        name="digits-drnet-reference",
        data="digits_consecutive",
        reach=None,
        network=replace(recipe.network, batch_statistics=True),
        motion=replace(recipe.motion, own_weight=0.0),
    )


def digits_drnet_alone() -> Recipe:
    """As `digits_drnet` without the adversary, to show what it is for.

    It goes where the adversary's weight would begin to grow, halfway; up to there both are one run, step by step.
    """
    recipe = digits_drnet()
    assert isinstance(recipe.loss, AdversarialLoss)
    going = Anneal(((0.0, 1e-4), (0.5, 1e-4), (0.501, 0.0)))
    return replace(recipe, name="digits-drnet-alone", loss=replace(recipe.loss, adversarial_weight=going))


def faces_drnet() -> Recipe:
    """For `faces-drnet`: drawn faces, which move in three ways, so that a pose has few numbers.

    Its four frames are moments of four movements of one identity (`FaceClips`), not of one video as in the paper: no
    pose says then what another one of its clip is, and a probe for scenes is at chance if codes hold poses alone.

    The content is a U-Net, as by default in the authors' code: the decoder sees what somebody looks like past the
    code, so that a pose has no reason to tell it. Half the digits' widths, so that a CPU takes more steps in its time.
    """
    return replace(
        digits_drnet(),
        name="faces-drnet",
        data="faces",
        reach=None,
        network=DrNETConfig(content="dcgan_unet", pose="dcgan", static_dim=64, dynamic_dim=5, width=32),
        motion=MotionRecipe(),
    )


def faces_drnet_again() -> Recipe:
    """A second round for `faces-drnet` (`--from faces-drnet`), with the weights of the loss as they were at its end."""
    recipe = faces_drnet()
    assert isinstance(recipe.loss, AdversarialLoss)
    last = replace(
        recipe.loss,
        similarity_weight=Anneal(((0.0, recipe.loss.similarity_weight.points[-1][1]),)),
        adversarial_weight=Anneal(((0.0, recipe.loss.adversarial_weight.points[-1][1]),)),
    )
    return replace(recipe, loss=last, steps=9_000, learning_rate=2e-3, seed=2)


def faces_drnet_roomy() -> Recipe:
    """Drawn faces and poses with room for a whole face: 64 numbers, as many as the content, which has no skips.

    To show what the adversary is for. A pose is read from the very frame that is to be drawn, so that one with such
    room can draw it alone; of the frames of an example nothing but whose they are is the same, so that a probe for
    scenes tells just that. It takes a quarter of `faces_drnet`'s steps, and its adversary comes in at once.
    """
    recipe = faces_drnet()
    assert isinstance(recipe.loss, AdversarialLoss)
    return replace(
        recipe,
        name="faces-drnet-roomy",
        network=DrNETConfig(content="dcgan", pose="dcgan", static_dim=64, dynamic_dim=64, width=32),
        loss=replace(recipe.loss, adversarial_weight=Anneal(((0.0, 0.0), (0.2, 0.01)))),
        steps=3_000,
        motion=MotionRecipe(runs=300, steps=100),
    )


def faces_drnet_roomy_firm() -> Recipe:
    """As `faces_drnet_roomy` with the adversary's weight of the paper, ten times that one's; not run yet."""
    recipe = faces_drnet_roomy()
    assert isinstance(recipe.loss, AdversarialLoss)
    firm = Anneal(((0.0, 0.0), (0.2, 0.1)))
    return replace(recipe, name="faces-drnet-roomy-firm", loss=replace(recipe.loss, adversarial_weight=firm))


def faces_drnet_roomy_alone() -> Recipe:
    """As `faces_drnet_roomy` without the adversary from the first step on."""
    recipe = faces_drnet_roomy()
    assert isinstance(recipe.loss, AdversarialLoss)
    return replace(
        recipe, name="faces-drnet-roomy-alone", loss=replace(recipe.loss, adversarial_weight=Anneal(((0.0, 0.0),)))
    )


def norb_drnet() -> Recipe:
    """Toys on a turntable, with the azimuth as pose: DCGAN content without skips and DCGAN pose of 10 numbers.

    The similarity comes in late and light, as that of `digits_drnet`; the paper's has a weight of 1 throughout.
    The four frames of an example are from anywhere in a turn, so that any two azimuths meet. The paper's weight of
    the adversary for NORB was not at hand: it is that of the digits. Batch and steps are a CPU's. The authors tell
    that a pose of 2 numbers needs no adversary here, one of 10 does.
    """
    network = DrNETConfig(content="dcgan", pose="dcgan", static_dim=128, dynamic_dim=10)
    return replace(digits_drnet(), name="norb-drnet", data="norb", reach=None, network=network, motion=MotionRecipe())


def kth_drnet() -> Recipe:
    """People in motion at 64 pixels: VGG U-Net content, whose skips carry the background, ResNet pose of 24 numbers.

    The similarity comes in late and light, as that of `digits_drnet`; the paper's has a weight of 1 throughout.
    The four frames of an example are from anywhere in a stretch that shows somebody, as in the authors' code. The
    paper's sizes for this set were not all at hand: the content's 128 numbers are those of the authors' code, 64 pixels
    and the weight of the adversary those of the digits. A frame costs about nine times the digits' multiplications, so
    it takes two thirds of their steps, 8000 of 16 clips; take a GPU where there is one.
    """
    return replace(
        digits_drnet(),
        name="kth-drnet",
        data="kth",
        reach=None,
        network=DrNETConfig(content="vgg_unet", pose="resnet", static_dim=128, dynamic_dim=24),
        batch=16,
        steps=8_000,
        motion=MotionRecipe(),
    )


def motion_of(recipe: str | None) -> MotionRecipe:
    """How the motion of a published recipe's model is taught; of any other model, as by default."""
    return RECIPES[recipe]().motion if recipe in RECIPES else MotionRecipe()


RECIPES: dict[str, Callable[[], Recipe]] = {
    recipe.__name__: recipe
    for recipe in (
        faces_vae,
        faces_vae_again,
        faces_vae_stretched,
        faces_vae_finish,
        sprites_vae,
        sprites_vae_again,
        sprites_vae_finish,
        sprites_vae_paper,
        digits_vae,
        digits_drnet,
        digits_drnet_again,
        digits_drnet_paper,
        digits_drnet_reference,
        digits_drnet_alone,
        faces_drnet,
        faces_drnet_again,
        faces_drnet_roomy,
        faces_drnet_roomy_firm,
        faces_drnet_roomy_alone,
        norb_drnet,
        kth_drnet,
    )
}
