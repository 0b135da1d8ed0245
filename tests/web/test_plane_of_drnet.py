"""The plane of a DrNET whose poses have length 1: along principal axes, with the clip's path drawn in them."""

import shutil
from io import BytesIO

import numpy as np
import pytest
import torch

from models.checkpoint import save_model
from models.drnet import DrNET, DrNETConfig
from models.plane import principal_axes
from tests.web.views import pixels, query
from tests.web.visits import wait_until
from twofold.client import Client

pytestmark = pytest.mark.timeout(400)
SIZE, COLUMN, ROW = 13, 11, 1  # the page's grid, and one point of it
PATH = "(line) => line.getAttribute('points').split(' ').map((point) => point.split(',').map(Number))"


@pytest.fixture
def system(school, sphere):
    return school


@pytest.fixture(scope="module")
def sphere(school):
    """An untrained DrNET among the served models, whose axes are those of points on a sphere."""
    torch.manual_seed(0)
    config = DrNETConfig(content="dcgan", pose="dcgan", static_dim=6, dynamic_dim=4, width=4, unit_pose=True)
    poses = torch.nn.functional.normalize(torch.randn(500, 4) * torch.tensor([0.2, 1.0, 0.5, 0.1]), dim=-1)
    statistics = {"dynamic": {"axes": principal_axes(poses).tolist(), "order": [1, 2, 0, 3]}}
    folder = school.data_dir / "models" / "sphere"
    save_model(folder, "sphere", lively(DrNET(config)), data={}, card="An untrained model.", statistics=statistics)
    yield
    shutil.rmtree(folder)


@torch.no_grad()
def lively(model: DrNET) -> DrNET:
    """Make an untrained decoder's pictures differ: by running statistics, and contrast."""
    model.train()
    for seed in range(60):
        poses = torch.nn.functional.normalize(torch.randn(64, 1, 4), dim=-1)
        model.decode(model.sample_static(64, torch.Generator().manual_seed(seed)), poses)
    last = [one for one in model.decoder.modules() if isinstance(one, torch.nn.ConvTranspose2d)][-1]
    last.weight *= 20
    return model.eval()


@pytest.fixture
def job(system, sample_clips):
    with Client(system.url) as client:
        return client.encode(sample_clips[0], model="sphere").job


def grid(visit, job: str, kind: str):
    asked = {"model": "sphere", "static_job": job, "size": SIZE, "extent": query(visit.page).get("extent", "2.5")}
    return visit.page.request.get(f"{visit.url}/latent-grid", params={**asked, "dims": "principal", "format": kind})


def test_codes_of_length_one_are_shown_along_the_principal_axes(visit, job):
    page = visit.open(f"#plane?job={job}&extent=2.5&at={COLUMN / 12},{1 - ROW / 12}")
    assert query(page)["dims"] == "principal"
    assert page.inner_text(".when").startswith("axis 1 2.08 σ · axis 2 2.08 σ")
    said = grid(visit, job, "json").json()
    axes, middle = np.array(said["axes"]), np.array(said["middle"])
    codes = np.array(page.request.get(f"{visit.url}/jobs/{job}/result?format=json").json()["dynamic"])
    steps = (codes - middle) @ axes.T / (axes**2).sum(1)  # of each axis, in deviations
    drawn = np.array(page.eval_on_selector(".path.under", PATH))
    np.testing.assert_allclose(drawn[:, 0], 50 + steps[:, 0] / 2.5 * 50, atol=0.02)
    np.testing.assert_allclose(drawn[:, 1], 50 - steps[:, 1] / 2.5 * 50, atol=0.02)


def test_the_exact_picture_of_a_point_is_that_of_the_grid(visit, job):
    page = visit.open(f"#plane?job={job}&extent=2.5&dims=principal&at={COLUMN / 12},{1 - ROW / 12}")
    page.wait_for_selector("[data-exact]")
    exact = np.reshape(pixels(page, ".face"), (64, 64, 4))[:, :, :3]
    with np.load(BytesIO(grid(visit, job, "npz").body())) as arrays:
        # The point itself lies off the sphere, and what is decoded on it.
        assert np.linalg.norm(arrays["coordinates"][ROW, COLUMN]) == pytest.approx(1, abs=1e-5)
        assert np.abs(exact - arrays["frames"][ROW, COLUMN].astype(int)).max() <= 1
        assert np.ptp(arrays["frames"][:, :, 32, 32].astype(int)) > 30, (
            "pictures that are all alike would prove nothing"
        )


def test_two_of_its_dimensions_can_be_chosen_all_the_same(visit, job):
    page = visit.open(f"#plane?job={job}")
    page.get_by_label("Along").select_option("dims")
    wait_until(page, "document.querySelector('.when')?.textContent.startsWith('z')")
    assert len(set(query(page)["dims"].split(","))) == 2
    assert page.locator(".surface .path").count() == 2
