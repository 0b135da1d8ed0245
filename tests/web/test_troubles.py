"""What the page says when something cannot be done, and what it does about what has gone."""

import os
import signal

import numpy as np
import pytest

from tests.end_to_end.clips import drawn_faces, write_h264
from tests.web.visits import PATIENCE, wait_until

pytestmark = pytest.mark.timeout(400)
AT_WORK = "/^(?!sending).*\\d+ %/.test(document.querySelector('.job .stage')?.textContent)"


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory):
    """A clip that keeps a worker busy for some seconds; no other test's, whose job would be answered at once."""
    once = drawn_faces(6, motion=4, frames=40)
    frames = np.concatenate([np.roll(once, shift, axis=0) for shift in range(20)])
    return write_h264(tmp_path_factory.mktemp("clips") / "long.mp4", frames, enlarge=2)


@pytest.mark.parametrize("name", ["corrupted.mp4", "audio_only.mp4", "header_only.gif"])
def test_a_file_that_is_no_clip_fails_with_what_is_wrong(visit, shared_data, name):
    page = visit.open()
    page.set_input_files(".drop input", shared_data / "videos" / "invalid" / name)
    page.wait_for_selector(".job .problem")
    said = page.inner_text(".job .problem p")
    assert len(said) > 20
    assert "Traceback" not in said
    assert page.inner_text(".job h2") == name
    page.click(".job >> text=Dismiss")
    assert page.locator(".job").count() == 0


def test_what_is_no_video_is_refused_at_once(visit, shared_data):
    visit.expected = ("415", "422")  # Chromium writes every refusal to its console
    page = visit.open()
    page.set_input_files(".drop input", shared_data / "videos" / "invalid" / "text.mp4")
    page.wait_for_selector(".job .problem")
    assert "expected" in page.inner_text(".job .problem p") or "video" in page.inner_text(".job .problem p")


def test_a_running_job_shows_its_progress_and_can_be_canceled(visit, long_clip):
    page = visit.open()
    page.set_input_files(".drop input", long_clip)
    wait_until(page, AT_WORK)
    page.click(".job >> text=Cancel")
    page.wait_for_selector(".job .problem")
    assert page.inner_text(".job .problem h2") == "Canceled"


def test_a_job_whose_worker_dies_is_still_seen_to_its_end(visit, system, long_clip):
    page = visit.open()
    page.evaluate("location.hash = '#start?model=faces-vae'")
    page.click("text=Which part of it")
    page.fill("input[placeholder=end]", "33")  # half of it, and another job than the one that was canceled
    page.set_input_files(".drop input", long_clip)
    wait_until(page, AT_WORK)
    for worker in system.processes("batch"):
        os.kill(worker, signal.SIGKILL)
    # The job is taken up once its lease has run out.
    page.wait_for_selector(".view.clip[data-shown]", timeout=max(90, 3 * PATIENCE) * 1000)
    assert page.locator(".timeline .curve").count() > 0


def test_a_foreign_clip_is_said_not_to_be_trusted(visit, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (16, 64, 64, 3), dtype=np.uint8)
    page = visit.open()
    page.set_input_files(".drop input", write_h264(tmp_path / "noise.mp4", noise))
    page.wait_for_selector(".view.clip[data-shown]")
    assert page.inner_text(".fit").startswith("Do not trust these codes: the model")


def test_an_address_of_what_is_gone_says_so(visit, encoded, sample_clips):
    visit.expected = ("404", "410")
    page = visit.open("#clip?job=" + "0" * 32)
    assert "there is no job" in page.inner_text(".problem p")
    page = visit.open()
    page.click("text=Face 4")
    page.wait_for_selector(".view.clip[data-shown]")
    address = page.evaluate("location.hash")
    visit.go("jobs")
    page.click("text=Delete >> nth=0")
    wait_until(page, "!document.querySelector('.jobs').textContent.includes('face_4')")
    visit.open(address)
    assert page.inner_text("h1") == "This has expired"


def test_my_jobs_are_listed_with_their_state(visit, sample_clips):
    page = visit.open()
    page.set_input_files(".drop input", sample_clips[0])
    page.wait_for_selector(".view.clip[data-shown]")
    visit.go("jobs")
    row = page.locator(".jobs li", has_text=sample_clips[0].name).first
    assert "succeeded" in row.inner_text()
    row.locator("a").click()
    page.wait_for_selector(".view.clip[data-shown]")
    assert page.inner_text("h1") == sample_clips[0].name


def test_a_server_that_learns_nothing_does_not_offer_it(visit):
    page = visit.open("#train")
    assert "learns no models" in page.inner_text(".view.train")
    assert page.locator("nav a[data-view=train]").is_hidden()
