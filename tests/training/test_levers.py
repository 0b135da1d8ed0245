"""Levers change one thing each, and the thing that they say; the numbers are told in docs/results.md."""

import json
import math
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch

from models.bernoulli import WORST, worst_log_likelihood
from models.frames import FrameDecoder, Residual, trunk
from models.unordered_config import UnorderedVAEConfig
from models.unordered_vae import UnorderedVAE
from training.contrast import contrast
from training.levers import BASE, LEVERS, measured_before, table
from training.objectives import SCENE_STEPS, BoundObjective
from training.recipe import VariationalLoss
from training.run import as_json
from training.schedule import Anneal

WATCHED = replace(UnorderedVAEConfig.tiny(), scene_hidden=8)


def steps_of(config: UnorderedVAEConfig, weights: VariationalLoss) -> tuple[UnorderedVAE, list[dict[str, bool]]]:
    """Which parts of a network get a gradient from each loss of one step."""
    torch.manual_seed(0)
    model = UnorderedVAE(config)
    heard = []
    for terms in BoundObjective(weights)(model, torch.rand(8, 3, 3, 64, 64), 0.5):
        model.zero_grad()
        terms.loss.backward()
        heard.append({name: parameter.grad is not None for name, parameter in model.named_parameters()})
    return model, heard


@pytest.mark.parametrize("name", [name for name, recipe in LEVERS.items() if recipe is not BASE])
def test_a_lever_changes_the_loss_or_the_network_of_the_base_and_nothing_else(name):
    changed = {key for key, value in asdict(LEVERS[name]).items() if value != asdict(BASE)[key]}
    assert changed
    assert changed <= {"loss", "network"}
    if changed == {"loss", "network"}:
        assert LEVERS[name].network == replace(BASE.network, scene_hidden=100), "a loss that needs its network"


def test_a_residual_block_begins_as_nothing_and_learns():
    maps = torch.randn(2, 8, 4, 4)
    block = Residual(8)
    assert torch.equal(block(maps), maps)
    block(maps).square().sum().backward()
    assert block.second.weight.grad.abs().sum() > 0
    plain, deep = (
        sum(p.numel() for p in trunk(3, (8, 8, 16, 16), residual).parameters()) for residual in (False, True)
    )
    assert deep - plain == sum(2 * (9 * width * width + width) for width in (8, 8, 16, 16))
    decoder = FrameDecoder(code_dim=5, style_dim=0, widths=(16, 16, 8, 8), channels=3, residual=True)
    assert decoder(torch.randn(2, 3), torch.randn(2, 2)).shape == (2, 3, 64, 64)


def test_of_what_is_drawn_worst_each_value_counts_by_what_it_lacks():
    frames = torch.tensor([0.0, 1.0, 0.5, 0.5]).view(1, 1, 2, 2)
    logits = torch.tensor([-2.0, 1.0, 0.0, 3.0]).view(1, 1, 2, 2).requires_grad_()
    lacking = [math.log1p(math.exp(-2)), math.log1p(math.exp(-1)), 0.0, math.log1p(math.exp(3)) - 1.5 - math.log(2)]
    losses = [lacking[0], lacking[1], math.log(2), lacking[3] + math.log(2)]
    mean = sum(lacking) / 4
    worst = worst_log_likelihood(logits, frames)
    assert worst.item() == pytest.approx(-sum(a / mean * b for a, b in zip(lacking, losses, strict=True)), rel=1e-5)
    worst.sum().backward()
    slopes = torch.sigmoid(logits.detach()) - frames
    assert torch.allclose(logits.grad, -slopes * torch.tensor(lacking).view(1, 1, 2, 2) / mean, rtol=1e-5)


def test_no_value_counts_for_more_than_the_most():
    frames, logits = torch.zeros(1, 1, 64, 64), torch.full((1, 1, 64, 64), -9.0)
    logits[..., 0, 0] = 9.0
    loss = -worst_log_likelihood(logits, frames).item()
    assert loss == pytest.approx(WORST * math.log1p(math.exp(9)), rel=1e-3)


def test_what_is_drawn_worst_is_added_to_the_bound_by_its_weight():
    torch.manual_seed(0)
    model, frames = UnorderedVAE(UnorderedVAEConfig.tiny()), torch.rand(2, 3, 3, 64, 64)

    def loss(weight: float) -> float:
        torch.manual_seed(1)
        (terms,) = BoundObjective(VariationalLoss(worst_weight=weight))(model, frames, 0.0)
        return float(terms.loss.detach())

    torch.manual_seed(1)
    worst = worst_log_likelihood(model.bound(frames).logits.detach(), frames.flatten(0, 1)).sum() / len(frames)
    assert loss(2.0) - loss(0.0) == pytest.approx(-2 * float(worst), rel=1e-3)


def test_static_kl_below_its_free_bits_costs_nothing_and_has_no_gradient():
    torch.manual_seed(0)
    model, frames = UnorderedVAE(UnorderedVAEConfig.tiny()), torch.rand(2, 3, 3, 64, 64)

    def gradient(free: float, weight: float) -> float:
        torch.manual_seed(1)
        model.zero_grad()
        weights = VariationalLoss(static_free=free, static_weight=Anneal(((0.0, weight),)))
        (terms,) = BoundObjective(weights)(model, frames, 0.0)
        terms.loss.backward()
        return float(model.static_posterior.head.bias.grad.norm())

    assert gradient(free=1e6, weight=1.0) == pytest.approx(gradient(free=0.0, weight=0.0))
    assert gradient(free=0.0, weight=1.0) != pytest.approx(gradient(free=0.0, weight=0.0))


def test_the_discriminator_of_dynamic_codes_and_the_rest_learn_from_a_loss_of_their_own():
    _, (*its, rest) = steps_of(WATCHED, VariationalLoss(scene_weight=1.0))
    assert len(its) == SCENE_STEPS
    for step in its:
        assert {name for name, got in step.items() if got} == {
            name for name in step if name.startswith("discriminator.")
        }
    assert not any(got for name, got in rest.items() if name.startswith("discriminator."))
    assert rest["trunk.0.weight"]
    with pytest.raises(ValueError, match="scene_hidden"):
        steps_of(UnorderedVAEConfig.tiny(), VariationalLoss(scene_weight=1.0))


def test_contrast_is_least_where_views_agree_and_about_log_n_where_they_have_nothing_in_common():
    codes = torch.randn(200, 6)
    agreeing, strange = contrast(codes, 3 * codes), contrast(codes, torch.randn(200, 6))
    assert agreeing < strange - 1
    assert strange == pytest.approx(5.3, abs=1.0)


def test_the_contrast_does_not_teach_the_static_code():
    _, (plain,) = steps_of(UnorderedVAEConfig.tiny(), VariationalLoss())
    _, (contrasted,) = steps_of(UnorderedVAEConfig.tiny(), VariationalLoss(contrast_weight=1.0))
    assert plain == contrasted


def test_the_table_has_a_row_for_each_measured_lever():
    row = {"reconstruction": 24.5, "swap": 22.25, "gap": 2.25, "static": 80.0, "dynamic": 70.0, "leak": 4.25}
    text = table({"base": row, "other": row | {"gap": 0.5}})
    assert "| other | 24.50 dB | 22.25 dB | 0.50 dB | 80.0 % | 70.0 % | +4.2 |" in text


def test_a_lever_measured_before_there_was_another_option_is_not_measured_again(tmp_path: Path):
    kept, noted = tmp_path / "lever-0.json", as_json(BASE)
    assert measured_before(kept, BASE) is None
    del noted["kept"], noted["loss"]["worst_weight"]
    kept.write_text(json.dumps({"recipe": noted, "measured": {"swap": 20.0}}))
    assert measured_before(kept, BASE) == {"swap": 20.0}
    assert measured_before(kept, replace(BASE, loss=VariationalLoss(worst_weight=1.0))) is None
