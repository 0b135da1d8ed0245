"""Accept, Prefer, If-None-Match and Range, against what RFC 9110 and 7240 say of them."""

import string
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.errors import Malformed, NotAcceptable, RangeNotSatisfiable
from service.negotiation import KINDS, MEDIA_TYPES, check_range, choose, not_modified, parse_prefer

ALL = KINDS["encode"]
names = st.sampled_from(sorted(MEDIA_TYPES))
qualities = st.sampled_from(["0", "0.1", "0.25", "0.5", "0.999", "1", "1.000"])
junk = st.text(alphabet=string.printable, max_size=40)


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (None, "json"),
        ("*/*", "json"),
        ("image/*", "png"),
        ("image/avif,image/webp,image/apng,image/*,*/*;q=0.8", "png"),
        ("image/webp,image/*;q=0.8", "webp"),
        ("video/mp4;q=0.5, image/gif;q=0.4", "mp4"),
        ("image/png;q=0, image/*", "webp"),
        ("*/*, application/json;q=0.1", "png"),
        ("IMAGE/PNG", "png"),
        ("text/html, application/x-npz", "npz"),
    ],
)
def test_accept_by_example(accept, chosen):
    assert choose(ALL, accept) == chosen


@pytest.mark.parametrize(
    "accept", ["application/xml", "text/*", "image/png;q=0", "*/*;q=0", "nonsense", "image", ";;,"]
)
def test_accept_that_leaves_nothing_is_not_acceptable(accept):
    with pytest.raises(NotAcceptable, match="ask with Accept"):
        choose(ALL, accept)


@given(st.dictionaries(names, qualities, min_size=1))
def test_the_highest_quality_wins_and_zero_never_does(asked):
    accept = ", ".join(f"{MEDIA_TYPES[name]};q={quality}" for name, quality in asked.items())
    best = max(float(quality) for quality in asked.values())
    if best == 0:
        with pytest.raises(NotAcceptable):
            choose(ALL, accept)
    else:
        assert float(asked[choose(ALL, accept)]) == best


@given(st.lists(st.tuples(names, qualities), min_size=1, max_size=6), st.randoms())
def test_the_order_of_entries_does_not_matter(asked, random):
    entries = [f"{MEDIA_TYPES[name]};q={quality}" for name, quality in dict(asked).items()] + ["*/*;q=0.3"]
    first = choose(ALL, ", ".join(entries))
    random.shuffle(entries)
    assert choose(ALL, ", ".join(entries)) == first


@given(junk, names)
def test_junk_beside_a_type_never_hides_it_or_breaks_the_reader(text, name):
    cleaned = text.replace(",", " ")
    chosen = choose((name,), f"{MEDIA_TYPES[name]}, {cleaned}/x;q={cleaned}")
    assert chosen == name


@given(junk)
def test_any_header_gives_an_answer_or_406(text):
    with suppress(NotAcceptable):
        assert choose(ALL, text) in ALL


def test_a_named_format_overrides_accept():
    assert choose(ALL, "image/png", named="npz") == "npz"
    with pytest.raises(NotAcceptable):
        choose(KINDS["latent-grid"], "image/png", named="mp4")


@pytest.mark.parametrize(
    ("header", "wait", "respond_async"),
    [
        (None, None, False),
        ("wait=10", 10, False),
        ("WAIT=10, respond-async", 10, True),
        ('wait="7"; foo=bar, handling=lenient', 7, False),
        ("wait=99999", 60, False),
        ("wait=3, wait=9", 3, False),
        ("wait=abc", None, False),
        ("wait=-1", None, False),
        ("wait=1.5", None, False),
        ("wait", None, False),
        (",,;=,", None, False),
    ],
)
def test_prefer_by_example(header, wait, respond_async):
    preference = parse_prefer(header, longest=60)
    assert (preference.wait, preference.respond_async) == (wait, respond_async)


@given(junk)
def test_no_prefer_header_waits_longer_than_is_granted(text):
    wait = parse_prefer(text, longest=60).wait
    assert wait is None or 0 <= wait <= 60


def test_tags_are_compared_weakly_and_star_is_any():
    assert not_modified('W/"a"', '"a"')
    assert not_modified('"b" , "a"', '"a"')
    assert not_modified("*", '"a"')
    assert not not_modified('"b"', '"a"')
    assert not not_modified(None, '"a"')


@given(st.integers(0, 300), st.integers(0, 300), st.integers(1, 200))
def test_a_range_is_refused_exactly_when_it_is_empty_or_outside(first, last, size):
    header = f"bytes={first}-{last}"
    if first > last:
        with pytest.raises(Malformed):
            check_range(header, size)
    elif first >= size:
        with pytest.raises(RangeNotSatisfiable):
            check_range(header, size)
    else:
        check_range(header, size)


@given(junk)
def test_a_range_that_is_let_through_is_one_that_the_file_response_can_answer(text):
    from starlette.responses import FileResponse

    header = f"bytes={text}"
    try:
        check_range(header, 100)
    except (Malformed, RangeNotSatisfiable):
        return
    if header.count(",") < 100:
        assert FileResponse._parse_range_header(header, 100)
