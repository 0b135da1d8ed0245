"""Published runs of DrNET, one function each."""

from dataclasses import replace

from models.drnet import DrNETConfig
from training.recipe import AdversarialLoss, MotionRecipe, Recipe
from training.schedule import Anneal

OWN_MOTION = MotionRecipe(hidden=128, runs=600, steps=600)


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
    100 000 to 120 000 steps; Adam's first momentum is 0.9 as everywhere here, theirs 0.5. How fast a digit goes and
    where it turns round can be known exactly, so its motion is worth four times the usual steps, and more movements.
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

    Similarity 1 and Adam of 0.002 with a first momentum of 0.5 are the paper's. Their later code has the adversary's
    weight of 1e-4 and poses of 10 numbers, and takes 120 000 steps; the earlier one has contents of 64, and takes
    100 000. Both take 100 clips a step. Not run.
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


def faces_motion() -> MotionRecipe:
    """Of drawn faces, whose next target is anybody's guess, in poses between most of which there is no pose.

    A Gaussian's mean future is such a one after ten frames, and the decoder draws a ghost. So it is a mixture, held
    to the next pose alone, whose likeliest future is one that there may be; and it is shown poses that are a little
    off, so that what it predicts leads back to where poses are, and a roll-out stays there.
    """
    return MotionRecipe(components=12, own_weight=0.0, jitter=0.05)


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
        motion=faces_motion(),
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


def faces_drnet_residual() -> Recipe:
    """A third round for `faces-drnet` (`--from faces-drnet`), with residual blocks in the decoder.

    They begin as nothing, so that the round begins where the second ended. A U-Net of the authors' sizes hands the
    finest maps of the content's frame on to the picture by one linear layer, in which no pose has a say; ours look at
    them beside what the decoder made of the pose.
    """
    recipe = faces_drnet_again()
    assert isinstance(recipe.network, DrNETConfig)
    return replace(recipe, network=replace(recipe.network, residual=True), steps=7_000, seed=3)


def faces_drnet_finish() -> Recipe:
    """A fourth round for `faces-drnet` (`--from faces-drnet`), as the third, with half its learning rate."""
    return replace(faces_drnet_residual(), steps=4_000, learning_rate=1e-3, seed=4)


def faces_drnet_roomy() -> Recipe:
    """Drawn faces and poses with more room than faces need: 10 numbers for three ways to move, to show the adversary.

    What is left over can tell who is shown: of the frames of an example nothing but that is the same, so that a probe
    for scenes tells just that. On the 16 clips of a step the discriminator of the authors' code, which sees 8 pairs of
    each kind once, stays behind what it is to find; this one sees pairs of the last 33 steps, in eight steps for each
    of the rest. A sixth of `faces_drnet`'s steps; the adversary comes in at once, with the paper's weight of 0.1.
    """
    recipe = faces_drnet()
    assert isinstance(recipe.loss, AdversarialLoss)
    assert isinstance(recipe.network, DrNETConfig)
    firm = Anneal(((0.0, 0.0), (0.2, 0.1)))
    return replace(
        recipe,
        name="faces-drnet-roomy",
        network=replace(recipe.network, dynamic_dim=10, discriminator_hidden=256, remembered=512),
        loss=replace(recipe.loss, adversarial_weight=firm, discriminator_steps=8),
        steps=2_000,
        motion=MotionRecipe(runs=300, steps=100),
    )


def faces_drnet_roomy_alone() -> Recipe:
    """As `faces_drnet_roomy` without the adversary from the first step on."""
    return without_adversary(faces_drnet_roomy())


def faces_drnet_wide() -> Recipe:
    """Drawn faces and poses with room for a whole face: 64 numbers, as many as the content, which has no skips.

    A pose is read from the very frame that is to be drawn, so that one with such room can draw it alone. The
    discriminator is that of the authors' code; the adversary's weight is a tenth of the paper's.
    """
    recipe = faces_drnet()
    assert isinstance(recipe.loss, AdversarialLoss)
    return replace(
        recipe,
        name="faces-drnet-wide",
        network=DrNETConfig(content="dcgan", pose="dcgan", static_dim=64, dynamic_dim=64, width=32),
        loss=replace(recipe.loss, adversarial_weight=Anneal(((0.0, 0.0), (0.2, 0.01)))),
        steps=3_000,
        motion=MotionRecipe(runs=300, steps=100),
    )


def faces_drnet_wide_alone() -> Recipe:
    """As `faces_drnet_wide` without the adversary from the first step on."""
    return without_adversary(faces_drnet_wide())


def without_adversary(recipe: Recipe) -> Recipe:
    """The same run, named for it, in which poses may tell what they like."""
    assert isinstance(recipe.loss, AdversarialLoss)
    nothing = replace(recipe.loss, adversarial_weight=Anneal(((0.0, 0.0),)))
    return replace(recipe, name=f"{recipe.name}-alone", loss=nothing)


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
