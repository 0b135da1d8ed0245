"""The page on a server with keys: it asks for one, sends it with everything, and says when it is wrong."""

import itertools

import pytest

from jobs.keys import KeyFile
from tests.end_to_end.running import whole_system
from tests.web.views import upload
from tests.web.visits import wait_until

pytestmark = pytest.mark.timeout(400)
REFUSED = ("401",)  # Chromium writes every refusal to its console
NAMES = (f"person-{number}" for number in itertools.count())


@pytest.fixture(scope="module")
def system():
    """A running system of its own, since its first key closes it to everybody else."""
    with whole_system() as running:
        yield running


@pytest.fixture
def key_file(system):
    return KeyFile(system.data_dir / "keys.json")


@pytest.fixture
def key(key_file):
    return key_file.add(next(NAMES))[1]


@pytest.fixture
def visit(make_visit, key):
    visit = make_visit()
    visit.expected = REFUSED
    return visit


def give(page, key: str, remember: bool = False) -> None:
    page.wait_for_selector(".key-entry input[name=key]")
    page.fill(".key-entry input[name=key]", key)
    if remember:
        page.check("text=Remember it on this device")
    page.click("text=Use this key")


def enter(visit, key: str, **options) -> None:
    visit.page.goto(visit.url)
    give(visit.page, key, **options)
    visit.shown()


def test_the_page_asks_for_a_key_and_says_when_it_is_wrong(visit, key):
    page = visit.page
    page.goto(visit.url)
    give(page, key[:-1])
    wait_until(page, "document.querySelector('.key-entry [role=alert]').textContent.includes('not known here')")
    give(page, "日本")
    wait_until(page, "document.querySelector('.key-entry [role=alert]').textContent.includes('not known here')")
    assert page.locator(".view").count() == 0
    give(page, key)
    visit.shown()
    assert page.locator(".key-entry").count() == 0
    assert page.locator("label.model").count() > 0


def test_the_documentation_is_open_to_whoever_has_no_key(visit):
    page = visit.page
    page.goto(f"{visit.url}/docs")
    page.wait_for_selector("#operations article")
    assert page.locator("dialog[open]").count() == 0


def test_uploads_events_and_files_go_with_the_key(visit, key, sample_clips):
    enter(visit, key)
    page = upload(visit, sample_clips[0])
    assert page.inner_text("h1") == sample_clips[0].name
    for name, magic in (("MP4", b"ftyp"), ("PNG", b"\x89PNG"), ("JSON", b'{"model"')):
        with page.expect_download() as download:
            page.click(f"a.button >> text=/^{name}$/")
        assert magic in download.value.path().read_bytes()[:12]
        assert download.value.suggested_filename == f"{sample_clips[0].stem}.{name.lower()}"
    visit.go("swap")
    page.click("text=Swap 1 × 1")
    page.wait_for_selector(".swaps")
    page.evaluate("localStorage.clear()")  # as in a browser that has not asked for it
    visit.go("jobs")
    page.click(".jobs li:has(.kind:text-is('swap')) a")
    page.wait_for_selector("dialog canvas.result")
    assert page.eval_on_selector("dialog canvas.result", "(canvas) => canvas.width") > 100


def test_a_key_lasts_as_long_as_the_tab_unless_it_is_to_be_remembered(visit, key):
    enter(visit, key)
    visit.page.reload()
    visit.shown()
    other = visit.page.context.new_page()
    other.goto(visit.url)
    give(other, key, remember=True)
    other.wait_for_selector(".view[data-shown]")
    third = visit.page.context.new_page()
    third.goto(visit.url)
    third.wait_for_selector(".view[data-shown]")
    assert third.locator(".key-entry").count() == 0


def test_a_key_can_be_changed_and_forgotten(visit, key, key_file, sample_clips):
    enter(visit, key, remember=True)
    page = upload(visit, sample_clips[1])
    page.click("#key")
    give(page, key_file.add(next(NAMES))[1])
    page.wait_for_selector(".view.clip .problem")
    assert "there is no job" in page.inner_text(".problem p"), "the clip is the other key's"
    visit.expected += ("404",)
    page.click("#key")
    page.click("text=Forget the key")
    page.wait_for_selector(".key-entry input[name=key]")
    page.click("text=Not now")
    page.wait_for_selector("text=Enter a key")
    assert page.evaluate("localStorage.getItem('twofold.key') ?? sessionStorage.getItem('twofold.key')") is None
    page.click("text=Enter a key")
    give(page, key)
    page.wait_for_selector(".view.clip .timeline")


def test_a_key_that_is_taken_away_is_asked_for_again_and_the_upload_goes_on(visit, key_file, sample_clips, key):
    person = next(NAMES)
    enter(visit, key_file.add(person)[1])
    key_file.remove(person)
    visit.page.set_input_files(".drop input", sample_clips[2])
    visit.page.wait_for_selector(".key-entry input[name=key]")
    assert "no longer known" in visit.page.inner_text(".key-entry [role=alert]")
    give(visit.page, key)
    visit.page.wait_for_selector(".view.clip[data-shown]")
    assert visit.page.inner_text("h1") == sample_clips[2].name
