"""Mixtures against closed forms, and against the Gaussian that a mixture of one is."""

import math

import torch

from models.gaussian import Gaussian
from models.mixture import Mixture

TWO = Mixture(
    torch.tensor([0.25, 0.75]).log(),
    torch.tensor([[0.0, 0.0], [4.0, -4.0]]),
    torch.tensor([[0.0, 0.0], [math.log(4.0), 0.0]]),
)


def test_the_density_is_the_weighted_sum_of_the_components_densities() -> None:
    value = torch.tensor([1.0, 2.0])
    first = math.exp(-0.5 * (1 + 4)) / (2 * math.pi)
    second = math.exp(-0.5 * (9 / 4 + 36)) / (2 * math.pi * 2)
    torch.testing.assert_close(TWO.log_prob(value), torch.tensor(math.log(0.25 * first + 0.75 * second)))


def test_a_mixture_of_one_is_that_gaussian() -> None:
    mean, log_var, value = torch.randn(3, 5, 2), torch.randn(3, 5, 2), torch.randn(3, 5, 2)
    one = Mixture(torch.zeros(3, 5, 1), mean[..., None, :], log_var[..., None, :])
    gaussian = Gaussian(mean, log_var)
    torch.testing.assert_close(one.log_prob(value), gaussian.log_prob(value))
    for component in (one.likeliest(), one.drawn(torch.Generator().manual_seed(0))):
        assert torch.equal(component.mean, mean)
        assert torch.equal(component.log_var, log_var)


def test_drawing_one_of_one_takes_no_chance() -> None:
    generator = torch.Generator().manual_seed(0)
    Mixture(torch.zeros(3, 1), torch.zeros(3, 1, 2), torch.zeros(3, 1, 2)).drawn(generator)
    assert torch.equal(generator.get_state(), torch.Generator().manual_seed(0).get_state())


def test_components_are_drawn_as_often_as_their_weights_say() -> None:
    many = Mixture(*(part.expand(4000, *part.shape) for part in (TWO.log_weights, TWO.mean, TWO.log_var)))
    drawn = many.drawn(torch.Generator().manual_seed(1)).mean
    assert {tuple(row) for row in drawn.tolist()} == {(0.0, 0.0), (4.0, -4.0)}, "a pose, and none between the two"
    assert abs(float((drawn[:, 0] == 4).float().mean()) - 0.75) < 0.03
    assert (many.likeliest().mean[:, 0] == 4).all()
