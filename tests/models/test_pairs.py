"""The mean over ordered pairs is the plain double loop, at every length."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from models.pairs import SHORT, mean_over_pairs


def double_loop(first: Tensor, second: Tensor) -> Tensor:
    length = first.shape[1]
    pairs = [torch.relu(first[:, i] + second[:, j]) for i in range(length) for j in range(length) if i != j]
    return torch.stack(pairs).mean(0)


@pytest.mark.parametrize("length", [2, 3, SHORT, SHORT + 1, 60])
def test_it_is_the_mean_over_all_ordered_pairs(length: int) -> None:
    first, second = torch.randn(2, 2, length, 5, 2, 2, dtype=torch.float64)
    torch.testing.assert_close(mean_over_pairs(first, second), double_loop(first, second))


def test_ties_and_zeros_are_counted_once() -> None:
    first = torch.zeros(1, 40, 1, 1, 1)
    second = torch.tensor([0.0, 1.0, 1.0, -1.0] * 10).reshape(1, 40, 1, 1, 1)
    torch.testing.assert_close(mean_over_pairs(first, second), double_loop(first, second))


def test_a_single_frame_is_compared_with_itself() -> None:
    first, second = torch.randn(2, 1, 1, 3, 2, 2)
    torch.testing.assert_close(mean_over_pairs(first, second), torch.relu(first + second)[:, 0])


@given(st.permutations(range(6)))
def test_the_order_of_frames_does_not_matter(order: list[int]) -> None:
    first, second = torch.arange(2 * 6 * 3, dtype=torch.float64).sin().reshape(2, 1, 6, 3, 1, 1)
    torch.testing.assert_close(mean_over_pairs(first[:, order], second[:, order]), mean_over_pairs(first, second))
