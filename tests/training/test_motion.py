"""A motion model learns what moves: it predicts better than standing still, and better alone for having been alone."""

import math
from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from jaxtyping import Float
from torch import Tensor

from models.unordered_config import UnorderedVAEConfig
from models.unordered_vae import UnorderedVAE
from training.card import with_motion
from training.data.digits import MovingDigits
from training.data.errors import DataError
from training.data.pool import ClipPool, Clips
from training.data.sheets import Pose
from training.data.sprite_clips import movements
from training.drnet_recipes import faces_drnet, own_clips_drnet
from training.motion import (
    WIDENINGS,
    CodedRuns,
    calibrated,
    code_runs,
    kept_apart,
    longest_run,
    motion_loss,
    new_motion,
    train_motion,
    within_central,
)
from training.recipe import MotionRecipe
from training.recipes import motion_of, own_clips
from training.train import shortened

SMALL = MotionRecipe(hidden=24, runs=24, length=16, observed=6, batch=24, steps=300, learning_rate=1e-2)


def circles(count: int, length: int) -> Float[Tensor, "n t 2"]:
    """Codes that go around at a speed of their own each."""
    generator = torch.Generator().manual_seed(3)
    phase, speed = (
        6.28 * torch.rand(count, 1, generator=generator),
        0.2 + 0.4 * torch.rand(count, 1, generator=generator),
    )
    angle = phase + speed * torch.arange(length)
    return torch.stack([angle.cos(), angle.sin()], dim=-1)


class Turning(UnorderedVAE):
    """A model whose dynamic codes are what the middle pixels of a frame say."""

    def encode(self, frames):  # type: ignore[no-untyped-def]
        codes = super().encode(frames)
        codes.dynamic.mean.copy_(4 * frames[..., :2, 32, 32] - 2)
        codes.dynamic.std.fill_(0.01)
        return codes


def pool(count: int = 12, length: int = 40) -> ClipPool:
    frames = torch.zeros(count, length, 64, 64, 3, dtype=torch.uint8)
    frames[:, :, 32, 32, :2] = (255 * (circles(count, length) + 2) / 4).round().to(torch.uint8)
    return ClipPool.of_equal_clips(frames)


def test_roll_outs_follow_the_true_motion_where_standing_still_does_not() -> None:
    model = Turning(UnorderedVAEConfig.tiny())
    motion = train_motion(model, pool(), SMALL)
    runs = code_runs(model, pool(), 10, 16, 6, seed=9)
    future = motion.roll_out(runs.dynamic[:, :6], runs.static, 8)
    truth = runs.dynamic[:, 6:14]
    error, still = (future - truth).square().mean(), (runs.dynamic[:, 5:6] - truth).square().mean()
    assert error < 0.2 * still


def test_one_seed_is_one_motion() -> None:
    model, recipe = Turning(UnorderedVAEConfig.tiny()), replace(SMALL, steps=3, runs=4)
    first, second = (train_motion(model, pool(), recipe).state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_movement_that_may_go_either_way_goes_one_way() -> None:
    """Steps of a fair coin: of two components each takes a side, where one component can only stand still."""
    sides = torch.randint(0, 2, (200, 16, 1), generator=torch.Generator().manual_seed(1)).float() * 2 - 1
    walk = CodedRuns(
        torch.zeros(200, 16), sides.cumsum(1).expand(-1, -1, 2), torch.zeros(200, 16), torch.zeros(16), torch.zeros(2)
    )
    steps = {}
    for components in (1, 2):
        recipe = replace(SMALL, components=components, own_weight=0.0)
        motion = new_motion(Turning(UnorderedVAEConfig.tiny()), walk, recipe)
        optimizer = torch.optim.Adam(motion.parameters(), 1e-2)
        for _ in range(150):
            loss, _ = motion_loss(motion, walk.static, walk.dynamic, walk.dynamic, 4, 3, 0.0)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        future = motion.roll_out(walk.dynamic[:, :8], walk.static, 1)
        steps[components] = (future[:, 0] - walk.dynamic[:, 7]).abs().mean()
    assert steps[1] < 0.3
    assert 0.9 < steps[2] < 1.1


def test_noise_on_what_is_seen_teaches_a_motion_that_trusts_it_less() -> None:
    """Of codes under noise as wide as they are, how far the next one lies from the last tells less."""
    sure, unsure = (
        train_motion(
            Turning(UnorderedVAEConfig.tiny()), pool(), replace(SMALL, own_weight=0.0, steps=150, unsure=noise)
        )
        for noise in (0.0, 100.0)  # deviations of posteriors of 0.01, on a circle of radius 1
    )
    runs = code_runs(Turning(UnorderedVAEConfig.tiny()), pool(), 10, 16, 6, seed=9)
    widths = [motion.observe(runs.dynamic, runs.static)[0].likeliest().std.mean() for motion in (sure, unsure)]
    assert widths[1] > 2 * widths[0]


def test_codes_that_were_seen_a_little_off_teach_a_motion_the_way_back() -> None:
    """All codes lie on a circle of radius 1; what has left it is led back."""
    model = Turning(UnorderedVAEConfig.tiny())
    runs = code_runs(model, pool(), 10, 16, 6, seed=9)
    strayed = []
    for jitter in (0.0, 0.2):
        motion = train_motion(model, pool(), replace(SMALL, own_weight=0.0, jitter=jitter))
        future = motion.roll_out(1.2 * runs.dynamic[:, :6], runs.static, 20)
        strayed.append(float((future[:, -5:].norm(dim=-1) - 1).abs().mean()))
    assert strayed[1] < 0.5 * strayed[0]


def test_a_motion_is_taught_anew_as_the_recipe_of_its_model_says() -> None:
    assert motion_of("digits_drnet_reference", "digits").own_weight == 0
    assert motion_of("a recipe that is gone", "faces") == motion_of(None, "faces") == MotionRecipe()
    assert motion_of(None, "clips") == own_clips().motion == own_clips_drnet().motion


def test_a_card_says_how_a_motion_was_taught_and_no_longer_how_the_one_before_was() -> None:
    card = with_motion("| training | 9 steps |\n| size | small |\n", faces_drnet().motion)
    told = (
        "a mixture of 12 for what comes next, held to the next code alone, shown codes 0.05 deviations off, 1500 steps"
    )
    assert [line.split(" |")[0] for line in card.splitlines()] == ["| training", "| motion", "| size"]
    assert told in card
    again = with_motion(card, replace(SMALL, steps=7))
    assert again.count("| motion |") == 1
    assert "LSTM of 2 × 24, 7 steps of 24 out of 24 stretches of 16 frames, 6 observed |" in again


def test_a_motion_keeps_codes_with_which_movements_began() -> None:
    motion = train_motion(Turning(UnorderedVAEConfig.tiny()), pool(), replace(SMALL, steps=2, runs=24, starts=10))
    starts = motion.get_buffer("starts")
    assert starts.shape[0] == 10
    torch.testing.assert_close(starts.norm(dim=1), torch.ones(10), rtol=0, atol=0.03)
    assert len(torch.unique(starts, dim=0)) > 3


def test_the_encoders_learn_nothing_and_stay_in_evaluation_mode() -> None:
    model = Turning(replace(UnorderedVAEConfig.tiny(), static_shortcut=True)).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    train_motion(model, pool(), replace(SMALL, steps=2, runs=4))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert model.training, "what was in training mode is so again"


def test_gradients_go_through_the_whole_roll_out() -> None:
    """Against closed form: with nothing but a bias, the tenth code has had it added ten times."""
    motion = new_motion(Turning(UnorderedVAEConfig.tiny()), coded(), SMALL)
    torch.nn.init.zeros_(motion.change.weight)
    torch.nn.init.constant_(motion.change.bias, 0.01)
    future = motion.roll_out(coded().dynamic[:, :6], coded().static, 10)
    (gradient,) = torch.autograd.grad(future[:, -1].sum(), [motion.change.bias])
    torch.testing.assert_close(gradient, 10 * len(future) * motion.get_buffer("dynamic_std"))


def coded() -> CodedRuns:
    return CodedRuns(
        torch.randn(5, 16, generator=torch.Generator().manual_seed(0)),
        circles(5, 20),
        torch.zeros(5, 16),
        torch.zeros(16),
        torch.zeros(2),
    )


def test_surprise_is_the_entropy_of_what_is_known_exactly_but_for_noise() -> None:
    """Against closed form: a motion that says N(this code, σ²) of codes that stand still."""
    motion = new_motion(Turning(UnorderedVAEConfig.tiny()), coded(), SMALL)
    for value in (motion.change.weight, motion.change.bias, motion.log_var.weight):
        torch.nn.init.zeros_(value)
    torch.nn.init.constant_(motion.log_var.bias, -4.0)
    still = torch.zeros(3, 9, 2)
    _, terms = motion_loss(motion, torch.zeros(3, 16), still, still, 4, 3, 0.0)
    assert terms["surprise"] == pytest.approx(0.5 * (torch.log(torch.tensor(2 * torch.pi)) - 4.0).item(), abs=1e-5)
    assert set(terms) == {"surprise"}, "with no weight of its own nothing is rolled out: teacher forcing"


def test_samples_are_widened_until_they_hold_what_came() -> None:
    """Against closed form: steps that say N(this code, 0.1²) of a walk whose steps are twice as wide."""
    motion = new_motion(Turning(UnorderedVAEConfig.tiny()), coded(), SMALL)
    for value in (motion.change.weight, motion.change.bias, motion.log_var.weight, motion.log_var.bias):
        torch.nn.init.zeros_(value)
    motion.get_buffer("dynamic_std").fill_(1.0)
    torch.nn.init.constant_(motion.log_var.bias, 2 * math.log(0.1))
    walk = 0.2 * torch.randn(200, 16, 2, generator=torch.Generator().manual_seed(5)).cumsum(1)
    assert calibrated(motion, torch.zeros(200, 16), walk, 6) == pytest.approx(2.0, abs=0.21)
    walk *= 100
    assert calibrated(motion, torch.zeros(200, 16), walk, 6) == WIDENINGS[-1] == 5, "or more"


@pytest.mark.parametrize("count", [20, 40, 100])
def test_the_central_share_of_few_samples_holds_as_much_of_what_they_are_drawn_from(count: int) -> None:
    generator = torch.Generator().manual_seed(6)
    samples, truth = torch.randn(count, 40, 50, 10, generator=generator), torch.randn(40, 50, 10, generator=generator)
    assert float(within_central(samples, truth).float().mean()) == pytest.approx(0.9, abs=0.01)


def test_samples_too_few_to_hold_so_much_hold_what_lies_between_the_outermost() -> None:
    generator = torch.Generator().manual_seed(6)
    samples, truth = torch.randn(3, 40, 50, 10, generator=generator), torch.randn(40, 50, 10, generator=generator)
    assert torch.equal(within_central(samples, truth), (truth >= samples.amin(0)) & (truth <= samples.amax(0)))


class Watched:
    """Clips that note which runs were taken of them, in turn."""

    aligned = False

    def __init__(self, clips: Clips) -> None:
        self.clips, self.runs, self.numbers = clips, list[Tensor](), list[int]()
        self.clip, self.draw = clips.clip, clips.draw

    def __len__(self) -> int:
        return len(self.clips)

    def with_runs(self, length: int) -> Sequence[int]:
        return self.clips.with_runs(length)

    def run(self, index: int, length: int, generator: torch.Generator) -> Float[Tensor, "length c h w"]:
        self.numbers.append(index)
        self.runs.append(self.clips.run(index, length, generator))
        return self.runs[-1]


@pytest.mark.parametrize(("count", "kept"), [(2, 1), (12, 1), (40, 2)])
def test_samples_are_calibrated_on_clips_that_no_motion_was_learnt_from(
    count: int, kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = list[Tensor]()
    monkeypatch.setattr("training.motion.calibrated", lambda *given: asked.append(given[2]) or 2.0)
    clips = Watched(pool(count))
    motion = train_motion(Turning(UnorderedVAEConfig.tiny()), clips, replace(SMALL, steps=1, runs=400))
    assert len(clips.numbers) == 400
    learnt, apart = set(clips.numbers[:380]), set(clips.numbers[380:])
    assert not learnt & apart
    assert len(apart) == kept
    assert learnt | apart == set(range(count)), "no other is left out"
    assert len(asked[0]) == 20
    assert motion.get_buffer("widening") == 2


def test_of_one_clip_nothing_is_kept_apart_and_samples_are_as_they_were_learnt() -> None:
    clips = Watched(pool(1))
    motion = train_motion(Turning(UnorderedVAEConfig.tiny()), clips, replace(SMALL, steps=1))
    assert clips.numbers == [0] * SMALL.runs
    assert motion.get_buffer("widening") == 1


def test_clips_without_end_move_in_other_ways_where_they_calibrate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two runs each, which would be the same two if they had one seed."""
    monkeypatch.setattr("training.motion.KEPT_APART", 2)
    squares = MovingDigits(torch.full((1, 32, 32), 255, dtype=torch.uint8), torch.zeros(1, dtype=torch.int64))
    clips = Watched(squares)
    train_motion(Turning(UnorderedVAEConfig.tiny()), clips, replace(SMALL, steps=1, runs=4))
    learnt, apart = clips.runs[:2], clips.runs[2:]
    assert len(apart) == 2
    assert not any(torch.equal(one, other) for one in learnt for other in apart)


def test_an_unused_dimension_is_measured_by_its_posteriors_spread() -> None:
    runs = CodedRuns(
        1e-3 * torch.randn(5, 16),
        torch.stack([torch.randn(5, 20), 1e-3 * torch.randn(5, 20)], -1),
        torch.ones(5, 16),
        torch.ones(16),
        torch.tensor([0.01, 1.0]),
    )
    std = new_motion(Turning(UnorderedVAEConfig.tiny()), runs, SMALL).get_buffer("dynamic_std")
    assert std[0] == pytest.approx(1.0, abs=0.2)
    assert std[1] == pytest.approx(1.0, abs=0.01)


def test_clips_that_are_too_short_make_shorter_runs_and_none_at_all_are_refused() -> None:
    assert longest_run(pool(length=40), 30) == 30
    assert longest_run(pool(length=12), 30) == 12
    with pytest.raises(DataError, match="less than 6 frames"):
        longest_run(pool(length=5), 30)


def test_a_run_is_a_stretch_of_its_clip_in_order() -> None:
    frames = torch.arange(2 * 20, dtype=torch.uint8).reshape(2, 20, 1, 1, 1).expand(-1, -1, 4, 4, 3)
    run = ClipPool.of_equal_clips(frames).run(1, 7, torch.Generator().manual_seed(0))
    numbers = (run[:, 0, 0, 0] * 255).round()
    assert torch.equal(numbers.diff(), torch.ones(6))
    assert 20 <= numbers[0] <= 33


def test_a_run_of_a_sheet_repeats_one_movement_in_the_order_of_its_frames() -> None:
    poses = tuple(
        Pose(row, 0, action, direction, frame)
        for row, (action, direction, frame) in enumerate(
            [("walk", "n", 1), ("walk", "n", 0), ("walk", "n", 2), ("slash", "w", 0), ("slash", "w", 1)]
        )
    )
    assert [part.tolist() for part in movements(poses)] == [[3, 4], [1, 0, 2]]
    frames = torch.arange(5, dtype=torch.uint8).reshape(1, 5, 1, 1, 1).expand(-1, -1, 4, 4, 3)
    sheet = ClipPool.of_equal_clips(frames, movements=movements(poses))
    seen = set()
    for seed in range(20):
        run = (sheet.run(0, 6, torch.Generator().manual_seed(seed))[:, 0, 0, 0] * 255).round().int().tolist()
        assert run[:3] == run[3:] or run[:2] == run[2:4] == run[4:]
        seen.add(tuple(sorted(set(run))))
    assert seen == {(0, 1, 2), (3, 4)}


@pytest.mark.parametrize("steps", [1, 2, 3, 100])
def test_of_the_shortest_run_there_are_two_movements_to_learn_from_or_their_spread_is_no_number(steps: int):
    motion = shortened(own_clips(), steps).motion
    assert motion.runs - kept_apart(motion) >= 2
