"""The page without a mouse, to a screen reader, and on a phone."""

import pytest

from tests.web.views import PHONE, addresses, pixels, query
from tests.web.visits import wait_until

pytestmark = pytest.mark.timeout(400)

# What the page is given of the camera, once the test allows it; and whether a recording has come to its end.
WATCH_THE_CAMERA = """() => {
  const { mediaDevices } = navigator, ask = mediaDevices.getUserMedia.bind(mediaDevices);
  const { start } = MediaRecorder.prototype;
  const allowed = new Promise((resolve) => { window.allow = resolve; });
  window.tracks = [];
  mediaDevices.getUserMedia = async (wanted) => {
    const stream = await ask(wanted);
    window.tracks.push(...stream.getTracks());
    await allowed;
    return stream;
  };
  MediaRecorder.prototype.start = function () {
    this.addEventListener("stop", () => { window.recorded = true; });
    start.call(this);
  };
}"""
LIVE = "window.tracks.filter((track) => track.readyState === 'live').length"


def focus_by_tab(page, wanted: str, most: int = 60) -> None:
    for _ in range(most):
        if page.evaluate("(wanted) => document.activeElement.matches(wanted)", wanted):
            return
        page.keyboard.press("Tab")
    pytest.fail(f"the Tab key does not reach {wanted}")


def test_the_keyboard_alone_goes_from_a_sample_to_the_plane(visit):
    page = visit.open()
    focus_by_tab(page, "button.sample")
    page.keyboard.press("Enter")
    page.wait_for_selector(".view.clip[data-shown]")
    page.keyboard.press("Escape")
    focus_by_tab(page, ".timeline")
    frame = int(page.get_attribute(".view", "data-frame"))
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    assert int(page.get_attribute(".view", "data-frame")) == frame + 3
    page.keyboard.press("Shift+ArrowRight")
    assert "2 frames chosen" in page.inner_text(".transport .told")
    page.keyboard.press("Escape")
    assert page.inner_text(".transport .told") == ""
    focus_by_tab(page, ".buttons a[href^='#plane']")
    page.keyboard.press("Enter")
    page.wait_for_selector(".view.plane[data-shown]")
    focus_by_tab(page, ".surface")
    before = pixels(page, ".face")
    page.keyboard.press("Shift+ArrowRight")
    assert pixels(page, ".face") != before


def test_a_screen_reader_is_told_where_the_sliders_are(visit, encoded):
    page = visit.open(f"#clip?job={encoded[0]}&frame=7&dims=2")
    said = page.get_attribute(".timeline", "aria-valuetext")
    assert said.startswith("frame 8 of 48, 0.58 seconds, dimension 2: ")
    page = visit.open(f"#plane?job={encoded[0]}&dims=2,3&at=0.5,0.5")
    assert page.get_attribute(".surface", "aria-valuetext").startswith("dimension 2: ")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_in_any_view(make_visit, encoded, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    visit = make_visit(color_scheme=scheme, bypass_csp=True)
    found = []
    for name, address in addresses(encoded).items():
        page = visit.open(address)
        violations = axe.Axe().run(page).response["violations"]
        found += [
            (name, one["id"], [node["html"][:160] for node in one["nodes"][:3]])
            for one in violations
            if one["impact"] in ("serious", "critical")
        ]
    assert not found


def test_no_view_is_wider_than_a_phone(make_visit, encoded):
    visit = make_visit(**PHONE)
    for name, address in addresses(encoded).items():
        page = visit.open(address)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, name


def test_a_finger_drags_over_the_plane(make_visit, encoded):
    visit = make_visit(**PHONE)
    page = visit.open(f"#plane?job={encoded[0]}&at=0.5,0.5")
    before = pixels(page, ".face")
    box = page.locator(".surface").bounding_box()
    page.touchscreen.tap(box["x"] + box["width"] * 0.9, box["y"] + box["height"] * 0.5)
    assert pixels(page, ".face") != before
    wait_until(page, "location.hash.includes('at=0.9')")
    assert query(page)["job"] == encoded[0]


def test_the_camera_gives_a_clip(visit):
    page = visit.open()
    page.context.grant_permissions(["camera"])
    page.click("text=Use the webcam")
    page.click("text=Record 4 seconds")
    page.wait_for_selector(".view.clip[data-shown]")
    assert page.inner_text("h1").startswith("webcam.")


@pytest.fixture
def camera(visit):
    """The page with a camera that it is given once the test says so; it must send nothing."""
    page = visit.open()
    page.context.grant_permissions(["camera"])
    page.evaluate(WATCH_THE_CAMERA)
    sent = []
    page.on("request", lambda asked: asked.method == "POST" and sent.append(asked.url))
    yield page
    assert not sent


def test_closing_the_camera_while_it_records_sends_nothing_and_leaves_no_track_on(camera):
    use = camera.locator("text=Use the webcam")
    use.click()
    use.click()
    wait_until(camera, "window.tracks.length === 2")
    camera.evaluate("window.allow()")
    camera.click("text=Record 4 seconds")
    assert camera.evaluate(LIVE) == 1, "of the two that it was given one is in use"
    camera.click("text=Close the camera")
    wait_until(camera, "window.recorded")
    assert camera.evaluate(LIVE) == 0
    assert camera.locator(".job").count() == 0


def test_a_camera_that_is_allowed_after_one_has_left_is_not_kept_on(camera, visit):
    camera.click("text=Use the webcam")
    wait_until(camera, "window.tracks.length === 1")
    visit.go("jobs")
    camera.evaluate("window.allow()")
    wait_until(camera, f"{LIVE} === 0")
