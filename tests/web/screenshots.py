"""Every view as a picture, light and dark, on a desk and on a phone, for people to look at: `make screenshots`.

By its name no part of the suite: what the pictures show only an eye can judge.
"""

import os
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.running import whole_system
from tests.web.views import PHONE, addresses, upload
from tests.web.visits import Visit, wait_until

FOLDER = Path(os.environ.get("TWOFOLD_SCREENSHOTS", "var/screenshots"))
pytestmark = pytest.mark.timeout(900)
ROOMS: dict[str, dict[str, Any]] = {"desk": {"viewport": {"width": 1280, "height": 860}}, "phone": PHONE}
# What is pressed before a view is worth looking at, and what then appears.
PRESSED = {
    "swap": [("text=Swap 3 × 3", ".swaps")],
    "future": [("text=Predict", ".strip"), ("text=Interpolate", ".steps"), ("text=Draw four", ".person")],
}


@pytest.fixture(scope="session")
def system():
    """A running system that learns models too, so that there is all that a page can have."""
    with whole_system(TWOFOLD_TRAINING="true") as running:
        yield running


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("room", ROOMS)
def test_every_view_is_shown(make_visit, encoded, sample_clips, room, scheme):
    FOLDER.mkdir(parents=True, exist_ok=True)
    visit = make_visit(color_scheme=scheme, **ROOMS[room])
    for clip in sample_clips[:3]:
        upload(visit, clip)  # so that this browser knows their names
    for name, address in addresses(encoded).items():
        page = visit.open(address)
        for what, appears in PRESSED.get(name, []):
            page.click(what)
            page.wait_for_selector(appears)
        photograph(visit, f"{name}-{room}-{scheme}")
        if name == "swap":
            page.click(".cell >> nth=1")
            page.wait_for_selector("dialog a")
            photograph(visit, f"cell-{room}-{scheme}", whole=False)
    page.evaluate("document.querySelector('#key').hidden = false")  # as where there is a key
    page.evaluate("import('/web/key_entry.js').then((entry) => { entry.enterKey(); })")
    photograph(visit, f"key-{room}-{scheme}", whole=False)


@pytest.mark.parametrize("room", ROOMS)
def test_a_sprite_and_what_is_no_video_are_shown(make_visit, shared_data, sample_clips, room):
    FOLDER.mkdir(parents=True, exist_ok=True)
    visit = make_visit(**ROOMS[room])
    visit.expected = ("415", "422")
    page = visit.open("#start?model=sprites-vae")
    page.set_input_files(".drop input", shared_data / "videos" / "invalid" / "text.mp4")
    page.wait_for_selector(".job .problem")
    photograph(visit, f"problem-{room}")
    page.click("text=Sprite 1")
    page.wait_for_selector(".view.clip[data-shown]")
    photograph(visit, f"sprite-{room}")
    visit.go("plane")
    photograph(visit, f"sprite-plane-{room}")


@pytest.mark.parametrize("room", ROOMS)
def test_a_training_is_shown_at_its_beginning_on_its_way_and_at_its_end(make_visit, sample_clips, room):
    FOLDER.mkdir(parents=True, exist_ok=True)
    visit = make_visit(**ROOMS[room])
    page = visit.open("#train")
    page.set_input_files(".drop input", sample_clips)
    photograph(visit, f"train-form-{room}")
    page.fill("input[placeholder=mine]", f"shown-{room}")
    page.fill("input[type=number]", "1.5")
    page.click("form button.primary")
    wait_until(page, "document.querySelectorAll('.learning canvas.by-now:not([hidden])').length > 0", patience=240)
    wait_until(page, "!document.querySelector('.learning svg').hasAttribute('hidden')", patience=240)
    photograph(visit, f"train-on-its-way-{room}")
    wait_until(page, "document.querySelector('#made') !== null", pause=500, patience=600)
    photograph(visit, f"train-{room}")


def photograph(visit: Visit, name: str, whole: bool = True) -> None:
    """Keep the page as it looks: the whole of it, in a window as high as that, or what the window shows."""
    page, window = visit.page, visit.page.viewport_size
    page.evaluate("scrollTo(0, 0)")
    page.wait_for_timeout(500)
    if whole:
        page.set_viewport_size({**window, "height": page.evaluate("document.documentElement.scrollHeight")})
    path = FOLDER / f"{name}.png"
    page.screenshot(path=path)
    page.set_viewport_size(window)
    assert path.stat().st_size > 10_000
