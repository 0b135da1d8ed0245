"""Stretched frames show the same things in other sizes and at other places."""

import torch

from training.objectives import disguise
from training.recipe import VariationalLoss
from training.stretch import LARGEST_SCALE, LARGEST_SHIFT, stretch


def boxes(frames: torch.Tensor) -> torch.Tensor:
    """The first and last row and column of what is brighter than ½ in each frame."""
    bright = frames.mean(-3).flatten(0, 1) > 0.5
    return torch.tensor(
        [
            [rows.nonzero().min(), rows.nonzero().max(), columns.nonzero().min(), columns.nonzero().max()]
            for rows, columns in zip(bright.any(2), bright.any(1), strict=True)
        ]
    ).float()


def test_every_frame_is_stretched_in_its_own_way_within_bounds() -> None:
    frames = torch.zeros(20, 5, 3, 64, 64)
    frames[..., 16:48, 22:42] = 1
    top, bottom, left, right = boxes(stretch(frames)).T
    for first, last, size in ((top, bottom, 32), (left, right, 20)):
        sides = last - first + 1
        assert float(sides.max()) <= size * LARGEST_SCALE + 1
        assert float(sides.min()) >= size / LARGEST_SCALE - 1
        assert float(sides.max() - sides.min()) > 0.2 * size, "sizes differ"
        # A frame's middle is 31.5, and what is in the middle is moved by the shift, times its own scale.
        middles = (first + last) / 2 - 31.5
        assert float(middles.abs().max()) <= LARGEST_SHIFT * 32 * LARGEST_SCALE + 1
        assert float(middles.max() - middles.min()) > LARGEST_SHIFT * 32, "places differ"
    tall = (bottom - top) / (right - left)
    assert float(tall.max() / tall.min()) > 1.2, "height and width are drawn apart"


def test_values_and_the_ground_stay() -> None:
    frames = torch.full((2, 3, 3, 64, 64), 0.25)
    frames[..., 20:40, 20:40] = 0.75
    seen = stretch(frames)
    assert seen.shape == frames.shape
    assert float(seen.min()) >= 0.25 - 1e-6
    assert float(seen.max()) <= 0.75 + 1e-6
    assert torch.allclose(seen[..., 0, :], torch.tensor(0.25)), "the border's colours go on outside"


def test_dynamic_codes_are_read_from_what_a_recipe_asks_for() -> None:
    frames = torch.zeros(4, 3, 3, 64, 64)
    frames[..., 16:48, 22:42] = torch.tensor([0.9, 0.7, 0.6]).view(3, 1, 1)
    assert disguise(frames, VariationalLoss()) is None, "the frames as they are"
    stretched, recoloured, both = (
        disguise(frames, VariationalLoss(stretched=size, recoloured=colour))
        for size, colour in ((True, False), (False, True), (True, True))
    )
    assert stretched is not None
    assert recoloured is not None
    assert both is not None
    shown = (frames > 0).any(2)
    assert not torch.equal((stretched > 0.1).any(2), shown)
    assert torch.equal((recoloured > 0.1).any(2), shown), "the same place and size"
    assert not torch.equal((both > 0.1).any(2), shown)
    assert float((stretched.amax((-1, -2)) - torch.tensor([0.9, 0.7, 0.6])).abs().max()) < 0.01, "the same colours"
    assert float((both.amax((-1, -2)) - torch.tensor([0.9, 0.7, 0.6])).abs().max()) > 0.05
