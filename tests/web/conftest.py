"""A headless Chromium on the whole running system; a page that complains, or asks another host, fails its test."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.end_to_end.running import System
from tests.web.visits import PATIENCE, Visit

# The one without windows, which Playwright itself would take, needs less of the CPU than the whole browser.
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
CHROMIUM = os.environ.get("TWOFOLD_TEST_CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
FAKE_CAMERA = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
REQUIRED = os.environ.get("TWOFOLD_REQUIRE_DATA") == "1"


def missing(reason: str) -> None:
    pytest.fail(reason) if REQUIRED else pytest.skip(reason)


@pytest.fixture(scope="module")  # Playwright's event loop runs while it is open, and other tests want their own
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        missing(
            "there is no Chromium on PATH (Debian: apt-get install chromium-headless-shell, or chromium; or name "
            "it as TWOFOLD_TEST_CHROMIUM)"
        )
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as driver:
        # Containers run as root, where Chromium's own sandbox does not start.
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", *FAKE_CAMERA])
        yield chromium
        chromium.close()


@pytest.fixture
def make_visit(browser: Any, system: System) -> Iterator[Callable[..., Visit]]:
    visits: list[Visit] = []

    def make(**options: Any) -> Visit:
        context = browser.new_context(
            **{"viewport": {"width": 1280, "height": 900}, "reduced_motion": "reduce", **options}
        )
        page = context.new_page()
        page.set_default_timeout(PATIENCE * 1000)
        visit = Visit(page, system.url)
        page.on("console", lambda said: said.type == "error" and visit.complaints.append(said.text))
        page.on("pageerror", lambda error: visit.complaints.append(str(error)))
        page.on("request", lambda asked: visit.hosts.add(urlsplit(asked.url).netloc))
        visits.append(visit)
        return visit

    yield make
    for visit in visits:
        complaints = [said for said in visit.complaints if not any(known in said for known in visit.expected)]
        hosts = visit.hosts - {"", urlsplit(system.url).netloc}
        visit.page.context.close()
        assert not complaints
        assert not hosts


@pytest.fixture
def visit(make_visit: Callable[..., Visit]) -> Visit:
    return make_visit()


@pytest.fixture(scope="session")
def sample_clips() -> list[Path]:
    """The clips that the page itself offers."""
    return sorted((Path(__file__).parents[2] / "service" / "web" / "samples").glob("face_*.mp4"))


@pytest.fixture(scope="session")
def encoded(system: System, sample_clips: list[Path]) -> list[str]:
    """Jobs of three sample clips, for tests that begin with codes."""
    from twofold.client import Client

    with Client(system.url) as client:
        return [client.encode(clip).job for clip in sample_clips[:3]]
