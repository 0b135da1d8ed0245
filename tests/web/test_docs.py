"""What /docs shows can be tried there: each example is sent as it stands, and its result is shown."""

import pytest

from twofold import Client

pytestmark = pytest.mark.timeout(400)
ANY_JOB = "0123456789abcdef0123456789abcdef"


def opened(visit):
    visit.page.goto(f"{visit.url}/docs")
    visit.page.wait_for_selector("article h2 >> text=/sample")
    return visit.page


def card_of(page, path):
    card = page.locator("article.card", has=page.locator("h2", has_text=path))
    card.locator("summary", has_text="Example").click()
    return card


def wait_for_picture(page, card):
    card.get_by_role("button", name="Send").click()
    canvas = card.locator("canvas")
    canvas.wait_for()
    assert canvas.evaluate("(one) => one.width") > 64


@pytest.mark.parametrize("path", ["/sample", "/decode", "/latent-grid"])
def test_an_example_is_sent_as_it_stands_and_its_picture_shown(visit, path):
    page = opened(visit)
    wait_for_picture(page, card_of(page, path))


def test_an_example_that_needs_an_encode_takes_the_newest_one(visit, system, encoded):
    with Client(system.url) as client:  # other tests of this system have encoded clips, too
        newest = next(iter(client.jobs(kind="encode", status="succeeded")))
    page = opened(visit)
    card = card_of(page, "/interpolate")
    said = card.locator("textarea").input_value()
    assert newest.id in said
    assert ANY_JOB not in said
    wait_for_picture(page, card)


def test_a_form_is_sent_with_a_file_of_ones_own(visit, sample_clips):
    page = opened(visit)
    card = card_of(page, "/encode")
    assert card.locator("pre").first.inner_text().startswith("curl -F video=@clip.mp4")
    card.locator("input[name=video]").set_input_files(sample_clips[0])
    wait_for_picture(page, card)
