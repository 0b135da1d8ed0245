"""Batches are different random frames of random clips, the same for the same seed."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from training.data.errors import DataError
from training.data.pool import ClipPool, different_integers


def labelled_pool(lengths: list[int]) -> ClipPool:
    """Frames whose value says which frame of all they are."""
    total = sum(lengths)
    frames = torch.arange(total, dtype=torch.uint8).reshape(total, 1, 1, 1).expand(total, 2, 2, 3)
    sizes = torch.tensor(lengths)
    return ClipPool(frames, sizes.cumsum(0) - sizes, sizes)


@given(st.lists(st.integers(3, 9), min_size=1, max_size=5), st.integers(0, 2**31))
def test_a_drawn_clip_is_different_frames_of_one_clip(lengths: list[int], seed: int) -> None:
    pool = labelled_pool(lengths)
    frames = pool.draw(8, 3, torch.Generator().manual_seed(seed))
    labels = (frames[:, :, 0, 0, 0] * 255).round().long()
    bounds = torch.tensor(lengths).cumsum(0)
    for row in labels:
        assert len(set(row.tolist())) == 3
        assert len(set(torch.bucketize(row, bounds, right=True).tolist())) == 1


@given(st.lists(st.integers(3, 12), min_size=1, max_size=5), st.integers(1, 14), st.integers(0, 2**31))
def test_frames_drawn_within_a_stretch_are_different_ones_of_it(lengths: list[int], within: int, seed: int) -> None:
    frames = labelled_pool(lengths).draw(8, 3, torch.Generator().manual_seed(seed), within)
    labels = (frames[:, :, 0, 0, 0] * 255).round().long()
    bounds = torch.tensor(lengths).cumsum(0)
    for row in labels:
        assert len(set(row.tolist())) == 3
        assert int(row.max() - row.min()) < max(within, 3)
        assert len(set(torch.bucketize(row, bounds, right=True).tolist())) == 1


def test_a_stretch_begins_anywhere_in_its_clip() -> None:
    frames = labelled_pool([10]).draw(2000, 3, torch.Generator().manual_seed(0), within=4)
    first = (frames[:, :, 0, 0, 0] * 255).round().long().min(1).values
    assert sorted(set(first.tolist())) == list(range(8)), "a stretch of 4 of 10, and its last 3"


def test_every_ordered_choice_is_as_likely_as_any_other() -> None:
    picks = different_integers(torch.full((60_000,), 4), 2, torch.Generator().manual_seed(0))
    counts = torch.bincount(picks[:, 0] * 4 + picks[:, 1], minlength=16).reshape(4, 4)
    assert (counts.diagonal() == 0).all()
    off_diagonal = counts[~torch.eye(4, dtype=torch.bool)]
    # 12 choices of 5000 expected draws each; 6 standard deviations are 420.
    assert (off_diagonal - 5000).abs().max() < 420


def test_one_seed_gives_one_batch() -> None:
    pool = labelled_pool([5, 7])
    one, two, other = (pool.draw(4, 3, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(one, two)
    assert not torch.equal(one, other)


def test_a_clip_with_too_few_frames_is_refused_with_both_numbers() -> None:
    with pytest.raises(DataError, match="has 2 frames; 3 different"):
        labelled_pool([5, 2]).draw(1, 3, torch.Generator())


def test_a_clip_is_its_frames_in_order_between_zero_and_one() -> None:
    pool = labelled_pool([2, 3])
    assert (pool.clip(1)[:, 0, 0, 0] * 255).round().tolist() == [2, 3, 4]
