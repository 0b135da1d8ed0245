"""Every view as a picture, light and dark, on a desk and on a phone, for people to look at: `make screenshots`.

By its name no part of the suite: what the pictures show only an eye can judge.
"""

import os
from pathlib import Path

import pytest

from tests.web.views import PHONE, addresses, upload

FOLDER = Path(os.environ.get("TWOFOLD_SCREENSHOTS", "var/screenshots"))
pytestmark = pytest.mark.timeout(400)
ROOMS = {"desk": {"viewport": {"width": 1280, "height": 860}}, "phone": PHONE}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("room", ROOMS)
def test_every_view_is_shown(make_visit, encoded, sample_clips, room, scheme):
    FOLDER.mkdir(parents=True, exist_ok=True)
    visit = make_visit(color_scheme=scheme, **ROOMS[room])
    for clip in sample_clips[:3]:
        upload(visit, clip)  # so that this browser knows their names
    for name, address in addresses(encoded).items():
        page = visit.open(address)
        if name == "swap":
            page.click("text=Swap 3 × 3")
            page.wait_for_selector(".swaps")
        if name == "future":
            page.click("text=Predict")
            page.wait_for_selector(".strip")
            page.click("text=Interpolate")
            page.wait_for_selector(".steps")
            page.click("text=Draw four")
            page.wait_for_selector(".person")
        if name == "jobs":
            page.evaluate("import('/web/key_entry.js').then((entry) => { entry.enterKey(); })")
            page.screenshot(path=FOLDER / f"key-{room}-{scheme}.png")
            page.keyboard.press("Escape")
        page.evaluate("scrollTo(0, 0)")
        page.wait_for_timeout(500)
        path = FOLDER / f"{name}-{room}-{scheme}.png"
        page.screenshot(path=path, full_page=True)
        assert path.stat().st_size > 10_000
