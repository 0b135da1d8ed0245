"""The Grafana dashboard asks for nothing that /metrics does not tell."""

import json
import re
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from jobs.errors import NoVideo
from jobs.measures import Work, add_work
from jobs.workers import WarmWorker, announce

DASHBOARD = Path(__file__).resolve().parents[2] / "docker" / "grafana" / "twofold.json"
ADDED = {"le", "instance"}  # labels that Prometheus itself adds, or that only a histogram's samples have


@pytest.fixture(scope="module")
def panels():
    return json.loads(DASHBOARD.read_text())["panels"]


@pytest.fixture
def told(served):
    """Every sample's name with its labels, of a server that has something to say of everything."""
    announce(served.store.redis, WarmWorker("w1", "batch", "cuda", {"tiny": "sha256:00"}, 2**30, 2**31), 30)
    served.work(served.job(served.encode()))
    failed = served.job(served.encode(stride="2"))
    served.store.begin(failed, "e")
    served.store.fail(failed, "e", NoVideo("no video"))
    served.http.get("/nothing")
    add_work(served.store.redis, "encode", Work({"decode": 1.0}, {"decode": 4}, {"decode": 1.0}))
    return {
        sample.name: set(sample.labels)
        for family in text_string_to_metric_families(served.http.get("/metrics").text)
        for sample in family.samples
    }


def test_every_metric_and_label_that_it_asks_for_is_there(panels, told):
    queries = [target["expr"] for panel in panels for target in panel["targets"]]
    asked = {name for query in queries for name in re.findall(r"\btwofold_\w+", query)}
    assert len(asked) > 20
    assert asked <= told.keys()
    for query in queries:
        names = re.findall(r"\btwofold_\w+", query)
        labels = {one.strip() for group in re.findall(r"by \(([^)]*)\)", query) for one in group.split(",")}
        filters = set(re.findall(r"(\w+)=", query))
        for name in names:
            assert (labels | filters) - ADDED <= told[name], query


def test_what_an_operator_is_promised_is_on_it(panels, told):
    asked = DASHBOARD.read_text()
    families = {re.sub(r"_(bucket|sum|count|total|created)$", "", name) for name in told}
    ours = {name for name in families if name.startswith("twofold_") and not name.startswith("twofold_service_process")}
    assert not {name for name in ours if name not in asked}


def test_no_two_panels_lie_on_one_place(panels):
    places = set()
    for panel in panels:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & places, panel["title"]
        places |= cells
    assert len({panel["id"] for panel in panels}) == len(panels)
