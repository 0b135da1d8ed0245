"""Who learns from which of DrNET's losses: every gradient stop of the paper, and pairs that truly differ."""

import math
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from models.checkpoint import load_model, save_model
from models.drnet import DrNET, DrNETConfig
from training.data.digits import MovingDigits
from training.data.errors import DataError
from training.data.pool import ClipPool
from training.evaluate import Budget, evaluate
from training.objectives import COMPARED, AdversarialObjective, discriminator_terms, every_pair_terms, remembered_terms
from training.recipe import AdversarialLoss
from training.recipes import RECIPES
from training.run import STATE
from training.schedule import Anneal
from training.sources import Source
from training.train import Listener, Places, run_on, run_recipe, shortened, take_weights

CONFIG = DrNETConfig(content="dcgan", pose="dcgan", static_dim=6, dynamic_dim=3, width=4, discriminator_hidden=64)


NOISE = {"kind": "noise", "name": "noise", "source": "drawn", "licence": "none", "split": "none"}


def lively() -> DrNET:
    """A model whose first weights are large enough for every gradient to be seen."""
    model = DrNET(CONFIG)
    for layer in model.modules():
        if hasattr(layer, "reset_parameters"):
            layer.reset_parameters()
    return model


@pytest.fixture
def model():
    return lively().train()


@pytest.fixture
def frames():
    return torch.rand(6, 4, 3, 64, 64)


def learns(module) -> bool:
    """Whether a gradient other than zero reaches the module."""
    return any(value.grad is not None and bool(value.grad.abs().max() > 0) for value in module.parameters())


def test_the_discriminators_step_teaches_the_discriminator_alone(model, frames):
    next(AdversarialObjective(AdversarialLoss())(model, frames, 0.0)).loss.backward()
    assert learns(model.discriminator)
    assert not any(learns(part) for part in (model.content_encoder, model.pose_encoder, model.decoder))


def test_the_main_step_teaches_all_but_the_discriminator(model, frames):
    losses = AdversarialObjective(AdversarialLoss(adversarial_weight=throughout(1.0)))(model, frames, 0.0)
    next(losses)
    next(losses).loss.backward()
    assert not learns(model.discriminator)
    assert all(learns(part) for part in (model.content_encoder, model.pose_encoder, model.decoder))
    assert next(losses, None) is None


def throughout(weight):
    """A weight that never changes."""
    return Anneal(((0.0, weight),))


def gradient_at_frames(model, frames, weight):
    """What a weight of one term changes in the gradient at the four frames of each clip, of each frame the largest."""
    gradients = []
    for of_term in (0.0, 1.0):
        seen = frames.clone().requires_grad_()
        none = {"similarity_weight": throughout(0.0), "adversarial_weight": throughout(0.0)}
        weights = AdversarialLoss(**none | {weight: throughout(of_term)})
        losses = AdversarialObjective(weights)(model, seen, 0.0)
        next(losses)
        next(losses).loss.backward()
        gradients.append(seen.grad)
    return (gradients[1] - gradients[0]).abs().amax((0, 2, 3, 4))


def test_similarity_pulls_the_first_content_to_the_second_and_not_the_second_to_the_first(frames):
    model = lively().eval()  # a batch's statistics would tie all frames together
    first, second, *poses = gradient_at_frames(model, frames, "similarity_weight")
    assert first > 0
    assert second == 0
    assert all(pose == 0 for pose in poses)


def test_the_adversary_moves_the_first_pose_alone(frames):
    model = lively().eval()
    *contents, first, second = gradient_at_frames(model, frames, "adversarial_weight")
    assert first > 0
    assert second == 0
    assert all(content == 0 for content in contents)


def test_the_discriminator_can_learn_to_be_right_of_poses_that_tell_the_clip(model):
    torch.manual_seed(0)
    clips = torch.randn(64, 3) * 3  # a pose that is nothing but whose it is
    optimizer = torch.optim.Adam(model.discriminator.parameters(), 0.01)
    for _ in range(800):
        order = torch.randperm(64)
        terms = discriminator_terms(model.discriminator, clips[order], clips[order])
        optimizer.zero_grad()
        terms.loss.backward()
        optimizer.step()
    assert terms.shown["discriminator_right"] > 0.9


def test_no_pair_called_different_is_of_one_clip(model):
    clips = torch.arange(8.0)[:, None].expand(8, 3)
    seen = []
    model.discriminator.forward = lambda first, second: (
        seen.append((first[:, 0], second[:, 0])) or model.discriminator.layers(torch.cat([first, second], 1))[:, 0]
    )
    discriminator_terms(model.discriminator, clips, clips)
    first, second = seen[0]
    assert torch.equal(first == second, torch.tensor([True] * 4 + [False] * 4))


@pytest.mark.parametrize("clips", [2, 3, 5, 8, 20])
def test_neither_is_one_drawn_from_few_clips(model, clips):
    """However many clips there are to draw a batch of 8 from."""
    frames = torch.arange(clips, dtype=torch.uint8)[:, None, None, None, None].expand(clips, 6, 8, 8, 3).contiguous()
    seen = []
    model.discriminator.forward = lambda first, second: (
        seen.append((first[:, 0], second[:, 0])) or model.discriminator.layers(torch.cat([first, second], 1))[:, 0]
    )
    for seed in range(20):
        drawn = ClipPool.of_equal_clips(frames).draw(8, 4, torch.Generator().manual_seed(seed))
        pose, other_pose = drawn[:, 2, :, 0, 0], drawn[:, 3, :, 0, 0]
        discriminator_terms(model.discriminator, pose, other_pose)
        first, second = seen.pop()
        assert torch.equal(first == second, torch.tensor([True] * 4 + [False] * 4))


@pytest.mark.parametrize("terms", [discriminator_terms, every_pair_terms])
def test_a_batch_without_other_clips_is_refused(model, terms):
    with pytest.raises(ValueError, match="at least 2, got 1"):
        terms(model.discriminator, torch.zeros(1, 3), torch.zeros(1, 3))
    with pytest.raises(ValueError, match="at least 2, got 1"):
        remembered_terms(model.discriminator, torch.zeros(4, 2, 3), batch=1)


def test_every_pair_has_as_much_of_one_clip_as_of_two(model):
    """A discriminator that says the same of all pairs is right of half, whatever it says."""
    clips = torch.arange(5.0)[:, None].expand(5, 3)
    seen = []
    for said in (2.0, -2.0):
        model.discriminator.forward = lambda first, second, said=said: (
            seen.append((first[:, 0], second[:, 0])) or torch.full((len(first),), said)
        )
        terms = every_pair_terms(model.discriminator, clips, clips)
        assert terms.shown["discriminator_right"] == 0.5
        assert float(terms.loss) == pytest.approx(0.5 * (math.log1p(math.exp(2)) + math.log1p(math.exp(-2))))
    first, second = seen[0]
    assert len(set(zip(first.tolist(), second.tolist(), strict=True))) == 25
    model.discriminator.forward = lambda first, second: torch.where(first[:, 0] == second[:, 0], -2.0, 2.0)
    assert every_pair_terms(model.discriminator, clips, clips).shown["discriminator_right"] == 1


def test_the_discriminator_may_take_several_steps_for_each_of_the_rest(model, frames):
    losses = AdversarialObjective(AdversarialLoss(discriminator_steps=3))(model, frames, 0.0)
    assert ["discriminator" in terms.shown for terms in losses] == [True, True, True, False]


def test_earlier_poses_are_remembered_newest_first_and_go_with_the_checkpoint():
    model = DrNET(replace(CONFIG, remembered=5))
    steps = [torch.full((2, 2, 3), float(number)) for number in (1, 2, 3, 4)]
    known = [model.remember(step)[:, 0, 0].tolist() for step in steps]
    assert known == [[1, 1], [2, 2, 1, 1], [3, 3, 2, 2, 1, 1], [4, 4, 3, 3, 2, 2, 1]]
    resumed = DrNET(replace(CONFIG, remembered=5))
    resumed.load_state_dict(model.state_dict())
    assert resumed.remember(steps[0])[:, 0, 0].tolist() == [1, 1, 4, 4, 3, 3, 2]
    assert not any("earlier" in name for name in DrNET(CONFIG).state_dict())
    with pytest.raises(ValueError, match="remembered must be at least 0, got -1"):
        replace(CONFIG, remembered=-1)


def test_what_is_remembered_is_given_to_no_other_run_and_to_nobody_else(tmp_path):
    pool = ClipPool.of_equal_clips(torch.randint(0, 255, (16, 6, 64, 64, 3), dtype=torch.uint8))
    recipe = RECIPES["faces_drnet_roomy"]()
    recipe = shortened(replace(recipe, network=replace(CONFIG, remembered=32)), 2)
    places = Places(runs=tmp_path / "runs", models=tmp_path / "models", device="cpu")
    folder = run_on(Source(pool, pool, NOISE), recipe, places, resume=False, listener=Listener())
    kept = load_file(places.runs / recipe.name / STATE)
    assert kept["model.earlier_count"] == 32, "two steps of 16 clips, for the same run to go on with"
    given = load_model(folder).model
    assert not given.get_buffer("earlier_count")
    assert not given.get_buffer("earlier_poses").any()
    given.remember(torch.ones(2, 2, 3))
    save_model(folder, "again", given, data={}, card="")
    begun = DrNET(replace(CONFIG, remembered=8))
    take_weights(begun, folder)
    assert not begun.get_buffer("earlier_count")

    few = ClipPool.of_equal_clips(torch.zeros(15, 6, 64, 64, 3, dtype=torch.uint8))
    with pytest.raises(DataError, match="at least as many clips as a batch has, 16; got 15"):
        run_on(Source(few, pool, NOISE), recipe, places, resume=False, listener=Listener())


def test_remembered_pairs_are_of_one_step_each_and_as_many_of_one_clip_as_of_two(model):
    """A pose here is the number of its step and that of its clip."""
    steps = [torch.tensor([[[step, clip, 0.0]] * 2 for clip in range(4)]) for step in range(3)]
    seen = []
    model.discriminator.forward = lambda first, second: (
        seen.append((first, second)) or torch.where(first[:, 1] == second[:, 1], -2.0, 2.0)
    )
    shifts = set()
    for _ in range(20):
        terms = remembered_terms(model.discriminator, torch.cat([*steps, steps[0][:1]]), batch=4)
        assert terms.shown["discriminator_right"] == 1
        first, second = seen.pop()
        assert torch.equal(first[:, 0], second[:, 0]), "both of a pair are of one step"
        assert sorted(first[:12, 0].tolist()) == [0.0] * 4 + [1.0] * 4 + [2.0] * 4, "a broken step is left out"
        assert torch.equal(first[:12], second[:12])
        shifts.add(int((second[12, 1] - first[12, 1]) % 4))
    assert shifts == {1, 2, 3}
    remembered_terms(model.discriminator, torch.zeros(4 * (COMPARED + 9), 2, 3), batch=4)
    assert len(seen.pop()[0]) == 2 * 4 * COMPARED, "of many steps some"


def test_a_discriminator_that_remembers_sees_earlier_clips_and_teaches_encoders_as_before(frames):
    model = DrNET(replace(CONFIG, remembered=12)).train()
    compared = []
    model.discriminator.register_forward_hook(lambda module, given, logits: compared.append(len(logits)))
    for _ in range(3):
        losses = AdversarialObjective(AdversarialLoss(adversarial_weight=throughout(1.0)))(model, frames, 0.0)
        next(losses).loss.backward()
        assert learns(model.discriminator)
        assert not any(learns(part) for part in (model.content_encoder, model.pose_encoder, model.decoder))
        model.zero_grad()
    assert compared == [6, 24, 36], "the first step's own pairs alone, then each clip's twice"
    next(losses).loss.backward()
    assert learns(model.pose_encoder)


@pytest.fixture
def mnist(tmp_path, monkeypatch):
    """Four digits of noise a split, in MNIST's format, and let pass as if they were MNIST's."""
    monkeypatch.setattr("training.data.digits.DIGESTS", {})
    for name in ("train", "t10k"):
        pixels = torch.randint(0, 256, (4 * 28 * 28,), generator=torch.Generator().manual_seed(0)).tolist()
        header = bytes((0, 0, 8, 3)) + b"".join(size.to_bytes(4, "big") for size in (4, 28, 28))
        (tmp_path / f"{name}-images-idx3-ubyte").write_bytes(header + bytes(pixels))
        (tmp_path / f"{name}-labels-idx1-ubyte").write_bytes(bytes((0, 0, 8, 1, 0, 0, 0, 4, 1, 2, 3, 4)))
    return tmp_path


def test_a_run_ends_with_a_model_that_knows_how_its_codes_are_spread(mnist, tmp_path, few_cuts):
    recipe = replace(shortened(RECIPES["digits_drnet"](), 2), network=CONFIG, batch=4)
    places = Places(runs=tmp_path / "runs", models=tmp_path / "models", data=mnist, device="cpu")
    folder = run_recipe(recipe, places)
    loaded = load_model(folder)
    assert "DrNET" in (folder / "README.md").read_text()
    assert sorted(loaded.statistics["fit"]) == ["psnr_db"]
    poses = loaded.model.encode(MovingDigits.load(mnist, "train").clip(0)[None]).dynamic.mean[0]
    prior = loaded.model.prior(loaded.model.sample_static(1, torch.Generator().manual_seed(0)))
    assert bool(((poses - prior.mean).abs() < 6 * prior.std).all())
    assert loaded.model.motion is not None
    results = evaluate(folder, data=mnist, cache=tmp_path, device="cpu", budget=Budget.quick())
    assert results["data"] == "digits"
    assert set(results["judge"]["swaps_raw"]["static"]) == {"red digit", "green digit", "front"}
    assert results["prediction"]["observed"] == 10
    assert results["drift"]["ahead"][-1] == 500
    assert 0 < results["drift"]["others"] < 1
    page = (folder / "README.md").read_text()
    assert "quite other digits" in page
    assert page.count("one constant picture for all") == 7, "swaps: PSNR, SSIM; futures: errors, their mean, edges too"
    assert 0 <= results["scene"]["right"]["value"] <= 1
    assert "chance is 50 %" in (folder / "README.md").read_text()
