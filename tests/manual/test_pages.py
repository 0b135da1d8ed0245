"""What is generated in the manual is what would be generated now, and its table of limits names real problems."""

import re

import pytest

from jobs.errors import Problem
from jobs.settings import Settings, variable_of
from tests.manual import http_page, settings_table


def test_the_http_reference_is_that_of_the_reviewed_contract():
    assert http_page.PAGE.read_text(encoding="utf-8") == http_page.page(), "`make manual` writes it anew"


def test_the_table_of_settings_is_that_of_the_code():
    page = settings_table.PAGE.read_text(encoding="utf-8")
    assert page == settings_table.written(page), "`make manual` writes it anew"


def test_every_setting_is_in_the_table_with_its_meaning():
    rows = dict(re.findall(r"^\| `(TWOFOLD_\w+)` \| .* \| (.*) \|$", settings_table.table(), re.MULTILINE))
    assert set(rows) == {variable_of(name) for name in Settings.model_fields}
    assert all(rows.values())


def test_every_limit_is_a_setting_and_gives_a_problem_with_its_own_status():
    limits = section("Limits")
    rows = re.findall(r"^\| `(TWOFOLD_\w+)` \| (\d{3}) `([\w-]+)` \|", limits, re.MULTILINE)
    assert len(rows) >= 12
    for variable, status, slug in rows:
        assert variable in {variable_of(name) for name in Settings.model_fields}
        assert Problem.known[slug].status == int(status), slug


@pytest.mark.parametrize("words", ["max_", "_max", "limit", "timeout", "min_free", "min_rate", "_ttl"])
def test_no_limit_is_left_out_of_the_limits(words):
    limits = section("Limits")
    for name in Settings.model_fields:
        if words in name:
            assert variable_of(name) in limits, name


def section(title: str) -> str:
    page = settings_table.PAGE.read_text(encoding="utf-8")
    return page.split(f"\n## {title}\n")[1].split("\n## ")[0]
