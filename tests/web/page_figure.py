"""The README's picture of the page, from the page and the models as they are: `make page-figure`.

By its name no part of the suite: a picture that is kept is made when somebody means to.
"""

from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from tests.web.views import upload

FIGURE = Path(__file__).parents[2] / "docs" / "figures" / "page.webp"
pytestmark = pytest.mark.timeout(400)


def test_the_picture_of_the_page_is_made(make_visit, sample_clips):
    visit = make_visit(viewport={"width": 1200, "height": 1400}, color_scheme="light")
    page = upload(visit, sample_clips[2])
    visit.open(f"{page.evaluate('location.hash')}&frame=38&span=24-44")
    page.wait_for_timeout(500)
    below = page.locator("[aria-labelledby=onwards]").bounding_box()["y"]
    picture = Image.open(BytesIO(page.screenshot(clip={"x": 0, "y": 0, "width": 1200, "height": below})))
    picture.convert("RGB").save(FIGURE, quality=88, method=6)
    assert FIGURE.stat().st_size > 20_000
