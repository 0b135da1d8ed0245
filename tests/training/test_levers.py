"""Levers change one thing each, and the thing that they say; the numbers are told in docs/results.md."""

from dataclasses import asdict, replace

import pytest
import torch

from models.frames import FrameDecoder, Residual, trunk
from models.unordered_config import UnorderedVAEConfig
from models.unordered_vae import UnorderedVAE
from training.contrast import contrast
from training.levers import BASE, LEVERS, table
from training.objectives import SCENE_STEPS, BoundObjective
from training.recipe import VariationalLoss
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
