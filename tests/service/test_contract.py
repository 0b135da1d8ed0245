"""The API's description against the running service: what it says is taken is taken, and nothing answers otherwise."""

import json
import os
import re
import threading
from collections.abc import Iterator
from contextlib import suppress

import hypothesis
import pytest
import requests
import schemathesis
from hypothesis import strategies as st

from jobs.workers import WarmWorker, announce
from service.negotiation import KINDS, MEDIA_TYPES
from tests.service.conftest import DIGEST, MP4, PNG, Served, serving
from tests.service.test_openapi import GOLDEN
from tests.service.told import TOLD

EXAMPLES = int(
    os.environ.get("CONTRACT_EXAMPLES", "5")
)  # of each operation, above those that every value's bounds make
# What a schema cannot say, since it is about two values together, or about what this server has.
BEYOND_SCHEMAS = (
    r"video: expected one( clip)?: ",
    r"(static|dynamic): expected 1 to 8 sources",
    r"end \(.* s\) must lie after start",
    r"these say which part of a clip is meant; a job has cut its own",
    r"pictures; at most \d+ are made at once",
    r"has no motion model",
    r"expected \d+ numbers, as \w+ has",
    r"expected either a static code \(static\) or the encode",
    r"expected either the codes of an encode \(static_job\) or a seed",
    r"expected auto, principal, or two different dimensions",
    r"only a succeeded encode has codes|expected an encode",
    r"callback: .*(is not in public|expected https://HOST|expected an https address)",
    r"Range: .*ends before it begins",
    r"the result has \d+ bytes",
    # And what schemathesis's cases of bounds send although these headers' patterns do not match it.
    r"^(Range: expected bytes=FIRST-LAST|Last-Event-ID: expected the id of an event), got '(bytes=\d?|0-|)'$",
)

schemathesis.openapi.media_type("video/mp4", st.just(MP4))
schemathesis.openapi.media_type("image/png", st.just(PNG))
config = schemathesis.Config()
config.projects.default.phases.coverage.unexpected_methods = {"patch"}  # one of those that no path has
# Its cases are made when the test runs, by the one process that runs it, and not whenever tests are collected.
api = schemathesis.pytest.from_fixture("description")
pytestmark = pytest.mark.timeout(900)  # all operations are one test


@pytest.fixture(scope="module")
def description() -> schemathesis.BaseSchema:
    return schemathesis.openapi.from_path(GOLDEN, config=config)


@pytest.fixture(scope="module")
def worked(_redis_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server whose jobs are done as they come."""
    folder = tmp_path_factory.mktemp("contract")
    with serving(folder, redis_url=_redis_server, wait_max=0.5, queue_limit=10**6) as served:
        served.store.redis.flushall()
        for name, queue in (("w1", "batch"), ("w2", "interactive")):
            announce(served.store.redis, WarmWorker(name, queue, "cpu", {"tiny": DIGEST}), 3600)
        ended = threading.Event()

        def work() -> None:
            while not ended.wait(0.005):
                for job_id in [*served.store.queued("interactive"), *served.store.queued("batch")]:
                    with suppress(AssertionError):  # canceled meanwhile
                        served.work(job_id, results_of(served, job_id))

        worker = threading.Thread(target=work)
        worker.start()
        yield served
        ended.set()
        worker.join()


def results_of(served: Served, job_id: str) -> dict[str, bytes]:
    record = served.store.get(job_id)
    assert record is not None
    said = {"model": record.model, "digest": record.digest, **TOLD[record.kind]}
    contents = {MEDIA_TYPES[name]: name.encode() * 50 for name in KINDS[record.kind]}
    return {**contents, "application/json": json.dumps(said).encode()}


@pytest.fixture(autouse=True)
def _named(request: pytest.FixtureRequest) -> None:
    """Give the test the attribute that schemathesis 4.32 names it by, and pytest 9.2 no longer has."""
    request.node._nodeid = request.node.nodeid


@pytest.fixture(scope="module")
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


@hypothesis.settings(max_examples=EXAMPLES, phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate])
@api.parametrize()
def test_the_service_answers_as_described(case, worked: Served, session: requests.Session):
    meant = case.meta.generation.mode.is_positive
    if meant and case.headers:
        # The same key with another request is refused, and what a fuzzer calls a key it says again and again.
        case.headers.pop("idempotency-key", None)
    response = case.call(base_url=worked.url, session=session, timeout=60)
    beyond = meant and response.status_code in (400, 416, 422) and explained(response.json()["detail"])
    unless = [schemathesis.checks.positive_data_acceptance] if beyond else []
    case.validate_response(response, excluded_checks=unless)


def explained(detail: str) -> bool:
    return any(re.search(reason, detail) for reason in BEYOND_SCHEMAS)
