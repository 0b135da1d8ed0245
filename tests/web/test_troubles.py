"""What the page says when something cannot be done, and what it does about what has gone."""

import os
import re
import signal
from functools import partial

import numpy as np
import pytest

from tests.end_to_end.clips import drawn_faces, write_h264
from tests.web.views import pixels
from tests.web.visits import PATIENCE, wait_until

pytestmark = pytest.mark.timeout(400)
AT_WORK = "/^(?!sending).*\\d+ %/.test(document.querySelector('.job .stage')?.textContent)"
RUNNING = {
    **{"id": "1" * 32, "kind": "encode", "model": "faces-vae", "created": "2026-01-01T00:00:00Z", "expires": None},
    **{"status": "running", "progress": 0.5, "stage": "encoding", "started": None, "results": {}, "error": None},
}
AWAY, CHANGED = {"status": 503}, {"content_type": "text/event-stream", "body": "event: status\ndata: {}\n\n"}


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


@pytest.fixture
def one_runs(visit):
    """A visit whose only job is one that runs; what more is said of it is the test's own."""
    for query, jobs in (("", []), ("kind=encode", [RUNNING])):  # the last that fits is asked first
        answer = {"json": {"jobs": jobs, "cursor": None}}
        visit.page.route(re.compile(rf"/jobs\?{query}"), partial(fulfilled, [answer]))
    return visit


def fulfilled(answers, route):
    """Give the answers in turn, and the last one again and again."""
    route.fulfill(**(answers.pop(0) if len(answers) > 1 else answers[0]))


def test_whoever_leaves_the_jobs_ends_their_streams(one_runs):
    page = one_runs.page
    page.route("**/events", lambda route: None)  # it stays open
    with page.expect_request("**/events"):
        one_runs.open("#jobs")
    with page.expect_event("requestfailed", lambda asked: asked.url.endswith("/events")) as ended:
        one_runs.go("start")
    assert ended.value.failure == "net::ERR_ABORTED"


def test_a_server_that_is_away_for_a_moment_is_asked_again(one_runs):
    one_runs.expected = ("503",)
    page, done = one_runs.page, {"json": {**RUNNING, "status": "succeeded"}}
    page.route("**/events", partial(fulfilled, [AWAY, CHANGED]))
    page.route(f"**/jobs/{RUNNING['id']}", partial(fulfilled, [AWAY, done]))
    one_runs.open("#jobs")
    page.wait_for_selector(".jobs .state.succeeded")
    assert page.locator(".problem").count() == 0


def test_a_job_that_cannot_be_followed_any_more_says_why(one_runs):
    one_runs.expected = ("410",)
    one_runs.page.route("**/events", partial(fulfilled, [{"status": 410}]))
    one_runs.open("#jobs")
    one_runs.page.wait_for_selector(".jobs li .problem:has-text('410')")


def test_an_end_of_a_path_stays_what_it_was_where_another_clip_cannot_be_read(visit, encoded):
    visit.expected = ("404",)
    page, held = visit.page, []
    page.route(f"**/jobs/{encoded[1]}", lambda route: held.append(route))
    visit.open(f"#future?job={encoded[0]}")
    end = page.locator(".end").first
    chooser, before = end.locator("select"), pixels(page, ".end canvas >> nth=0")

    def asked():
        while not held:
            page.wait_for_timeout(20)
        return held.pop()

    chooser.select_option(encoded[1])
    late = asked()
    chooser.select_option(encoded[2])
    while pixels(page, ".end canvas >> nth=0") == before:
        page.wait_for_timeout(20)
    late.fulfill(status=404)
    page.wait_for_timeout(100)
    assert end.locator(".problem").count() == 0, "nobody waits for it any more"
    chooser.select_option(encoded[1])
    asked().fulfill(status=404)
    end.locator(".problem").wait_for()
    assert chooser.input_value() == encoded[2]
    page.unroute(f"**/jobs/{encoded[1]}")
    chooser.select_option(encoded[1])
    end.locator(".problem").wait_for(state="detached")
