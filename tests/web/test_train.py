"""The page learns a model of a person's own clips, shows how, and uses it: on a system that learns models."""

import pytest

from tests.web.visits import wait_until

pytestmark = pytest.mark.timeout(900)
LEARN = "form button.primary"


@pytest.fixture
def system(school):
    return school


def begin(visit, clips, name, minutes="0.1"):
    page = visit.open()
    page.wait_for_selector("nav a[data-view=train]:not([hidden])")
    visit.go("train")
    page.set_input_files(".drop input", clips)
    page.fill("input[placeholder=mine]", name)
    page.fill("input[type=number]", minutes)
    page.click(LEARN)
    page.wait_for_selector(".view.train .learning")
    return page


def test_clips_become_a_model_that_is_chosen_and_used(visit, sample_clips):
    page = begin(visit, sample_clips, "my-faces")
    # A training of a few seconds takes minutes where the machine is busy.
    wait_until(page, "document.querySelector('#made') !== null", pause=500, patience=600)
    assert "Held-out clips are redrawn at" in page.inner_text(".learning figcaption")
    assert page.locator(".learning .curve").get_attribute("points")
    assert page.locator(".learning canvas.by-now").get_attribute("width") == "384", "six frames of 64 pixels"
    assert "4 videos, 4 clips" in page.inner_text(".outcome")
    assert page.locator("canvas.result").bounding_box()["width"] > 300
    page.click("text=Use my-faces")
    visit.shown()
    page.wait_for_selector("label.model input[value=my-faces]:checked")
    page.set_input_files(".drop input", sample_clips[0])
    page.wait_for_selector(".view.clip[data-shown]")
    assert "model=my-faces" in page.url


def test_a_training_is_stopped_from_its_page_which_a_reload_restores(visit, sample_clips):
    page = begin(visit, sample_clips, "short-lived", minutes="60")
    visit.open(page.url.split("/", 3)[3])
    page.wait_for_selector("text=/training/")
    page.click("text=Stop here")
    wait_until(page, "document.querySelector('.outcome').textContent.includes('Canceled')", pause=500, patience=300)
    visit.go("jobs")
    assert page.locator(".jobs .name", has_text="short-lived").get_attribute("href").startswith("#train?job=")


def test_one_clip_must_be_long_and_a_taken_name_is_said(visit, sample_clips):
    page = visit.open("#train")
    assert page.locator(LEARN).is_disabled()
    page.set_input_files(".drop input", sample_clips[0])
    page.wait_for_selector("text=one clip: it needs 120 frames or more")
    page.set_input_files(".drop input", sample_clips[1])
    page.fill("input[placeholder=mine]", "faces-vae")
    visit.expected = ("409",)
    page.click(LEARN)
    page.wait_for_selector(".note.problem")
    assert "there is a model called faces-vae already" in page.inner_text(".note.problem")
