"""The plane goes where its axes say, and shows what its coordinates decode to."""

import numpy as np
import pytest
import torch

from models.compose import as_pictures
from models.drnet import DrNET, DrNETConfig
from models.plane import Plane, active_dims, axis, latent_grid, principal_axes
from models.unordered_config import UnorderedVAEConfig
from models.unordered_vae import UnorderedVAE


@pytest.fixture
def model() -> UnorderedVAE:
    return UnorderedVAE(UnorderedVAEConfig.tiny(dynamic_dim=3)).eval()


def test_the_middle_of_the_grid_is_the_mean_of_the_prior_and_its_sides_are_extents_away(model: UnorderedVAE) -> None:
    static = model.sample_static(1, torch.Generator().manual_seed(0))
    _, coordinates = latent_grid(model, static, Plane.of_dims(model, static, (2, 0)), size=5, extent=1.5)
    prior = model.prior(static)
    np.testing.assert_allclose(coordinates[2, 2], prior.mean[0].detach(), rtol=1e-5)
    span = coordinates[0, 4] - coordinates[4, 0]  # top right minus bottom left
    expected = 3.0 * prior.std[0].detach().numpy() * np.array([1, 0, 1])
    np.testing.assert_allclose(span, expected, rtol=1e-4, atol=1e-6)
    across = coordinates[2, 4] - coordinates[2, 0]
    assert across[2] > 0
    np.testing.assert_allclose(across[:2], 0, atol=1e-6)


@torch.inference_mode()
def test_a_cell_of_the_grid_is_its_coordinates_decoded(model: UnorderedVAE) -> None:
    static = model.sample_static(1, torch.Generator().manual_seed(0))
    frames, coordinates = latent_grid(model, static, Plane.of_dims(model, static, (0, 1)), size=3, chunk=4)
    alone = as_pictures(model.decode(static, torch.from_numpy(coordinates[0, 2])[None, None]))[0, 0]
    assert np.abs(frames[0, 2].astype(int) - alone).max() <= 1


def test_quantile_spacing_cuts_the_normal_into_equal_shares() -> None:
    positions = axis(9, 2.0, "quantile").double()
    shares = torch.distributions.Normal(0, 1).cdf(positions).diff()
    torch.testing.assert_close(shares, shares.mean().expand(8), atol=1e-6, rtol=0)
    assert positions[-1] == pytest.approx(2.0, abs=1e-4)


def test_the_plane_takes_the_two_most_active_dimensions() -> None:
    assert active_dims({"dynamic": {"order": [3, 1, 0, 2]}}, 4) == (3, 1)
    assert active_dims({}, 4) == (0, 1)
    with pytest.raises(ValueError, match="needs 2 dynamic dimensions"):
        active_dims({}, 1)


def test_principal_axes_are_those_of_an_ellipse() -> None:
    """Against closed form: deviations 3 and 1, turned by 30 degrees."""
    angle = torch.tensor(torch.pi / 6)
    turn = torch.stack([torch.stack([angle.cos(), angle.sin()]), torch.stack([-angle.sin(), angle.cos()])])
    ellipse = torch.randn(20_000, 2, generator=torch.Generator().manual_seed(0)) * torch.tensor([3.0, 1.0]) @ turn
    axes = principal_axes(ellipse)
    torch.testing.assert_close(axes, torch.stack([3 * turn[0], turn[1]]), atol=0.05, rtol=0)


def test_principal_axes_of_one_dimension_are_its_deviation() -> None:
    codes = torch.tensor([[-1.0], [1.0]])
    torch.testing.assert_close(principal_axes(codes), codes.std(0, keepdim=True))


def test_a_plane_along_principal_axes_names_no_dimensions() -> None:
    plane = Plane.of_principal_axes({"dynamic": {"axes": [[1.0, 2.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.1]]}})
    assert plane.dims == ()
    assert plane.axes.tolist() == [[1.0, 2.0, 0.0], [0.0, 1.0, 0.0]]
    with pytest.raises(ValueError, match="does not tell its principal axes"):
        Plane.of_principal_axes({})


def test_codes_of_length_1_stay_so_over_the_plane() -> None:
    sizes = {"static_dim": 6, "dynamic_dim": 3, "width": 4, "discriminator_hidden": 4}
    model = DrNET(DrNETConfig(content="dcgan", pose="dcgan", unit_pose=True, **sizes)).eval()  # type: ignore[arg-type]
    static = model.sample_static(1, torch.Generator().manual_seed(0))
    plane = Plane(torch.tensor([[0.5, 0.0, 0.0], [0.0, 0.3, 0.0]]), ())
    model.get_buffer("pose_mean").copy_(torch.tensor([0.0, 0.0, 0.9]))
    _, coordinates = latent_grid(model, static, plane, size=3)
    np.testing.assert_allclose(np.linalg.norm(coordinates, axis=-1), 1.0, rtol=1e-5)
    np.testing.assert_allclose(coordinates[1, 1], [0, 0, 1], atol=1e-6)
