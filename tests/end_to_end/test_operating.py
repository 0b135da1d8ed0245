"""What an operator sees of a job that went through every process: its logs, its metrics, its trace."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.end_to_end.asking import post_clip
from tests.end_to_end.collector import Collector, Span, collecting
from tests.end_to_end.running import start, stop, wait_until_ready

pytestmark = pytest.mark.timeout(400)
TRACE, ABOVE = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@dataclass
class Seen:
    """What was left when the system had stopped."""

    job: str
    lines: list[str]
    metrics: dict[tuple[str, ...], float]
    collector: Collector

    @property
    def logged(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines if line.startswith("{")]

    @property
    def trace(self) -> dict[str, Span]:
        return {span.name: span for span in self.collector.spans if span.trace == TRACE}


@pytest.fixture(scope="module")
def seen(face_clip: Path) -> Iterator[Seen]:
    with TemporaryDirectory(prefix="twofold-") as folder, collecting() as collector:
        running = start(
            Path(folder) / "data",
            Path(folder) / "log",
            TWOFOLD_LOG_FORMAT="json",
            OTEL_EXPORTER_OTLP_ENDPOINT=collector.endpoint,
        )
        try:
            wait_until_ready(running)
            about = {"X-Request-ID": "asked-by-me", "traceparent": f"00-{TRACE}-{ABOVE}-01"}
            with httpx.Client(base_url=running.url, timeout=180, headers=about) as http:
                answer = post_clip(http, face_clip)
                assert answer.status_code == 200, answer.text
                assert answer.headers["X-Request-ID"] == "asked-by-me"
                assert http.delete("/clips/nothing").status_code == 422
                time.sleep(5)  # workers tell of themselves every few seconds
                said = http.get("/metrics").text
            assert stop(running) == 0, running.said()
        finally:
            running.process.kill()
        metrics = {
            (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(said)
            for sample in family.samples
        }
        job = answer.headers["Location"].rpartition("/")[2]
        yield Seen(job, running.said().splitlines(), metrics, collector)


def test_every_line_of_a_log_but_those_for_the_terminal_is_one_json_object(seen):
    others = [line for line in seen.lines if not line.startswith("{")]
    assert all(line.startswith(("Starting Twofold", "Twofold is ready", "Stopping", "Stopped")) for line in others)
    assert {"timestamp", "level", "logger", "event"} <= set.intersection(*map(set, seen.logged))


def test_one_request_is_found_in_the_logs_of_every_process_by_its_id_and_its_jobs(seen):
    mine = [line for line in seen.logged if line.get("request") == "asked-by-me"]
    assert [line["logger"] for line in mine if line.get("job") == seen.job] == ["service.submission", "worker.tasks"]
    (answered,) = [line for line in mine if line["event"] == "answered" and line["path"] == "/encode"]
    assert answered["status"] == 200
    (refused,) = [line for line in mine if line["event"] == "answered" and line["path"] == "/clips/nothing"]
    assert (refused["status"], refused["problem"]) == (422, "wrong-value")


def test_the_work_of_workers_is_told_by_the_api(seen):
    told = seen.metrics
    assert told["twofold_decode_frames_total",] == 16
    # The features of each frame, and each frame again from its codes.
    assert told["twofold_forward_frames_total",] == 32
    assert told["twofold_batch_frames_count",] == 2
    assert told["twofold_batch_frames_sum",] == 32
    assert told["twofold_batch_frames_bucket", "8"] == 0
    assert told["twofold_batch_frames_bucket", "16"] == 2
    assert 0 < told["twofold_decode_seconds_total",] < 60
    assert 0 < told["twofold_forward_seconds_total",] < 60
    for stage in ("load", "fetch", "decode", "forward", "render", "result"):
        assert told["twofold_stage_seconds_count", "encode", stage] == 1, stage
    staged = sum(value for name, value in told.items() if name[0] == "twofold_stage_seconds_sum")
    assert staged <= told["twofold_job_seconds_sum", "encode"] + 0.1
    assert staged > 0.5 * told["twofold_job_seconds_sum", "encode"], "most of a job's time is in some stage"
    memory = {name[1:]: value for name, value in told.items() if name[0] == "twofold_worker_memory_bytes"}
    assert sorted(queue for queue, _ in memory) == ["batch", "interactive"]
    assert all(2**27 < value < 2**33 for value in memory.values()), "torch and a model, and no more"
    assert told["twofold_http_problems_total", "wrong-value"] == 1
    assert told["twofold_service_process_resident_memory_bytes",] > 2**25


def test_a_trace_goes_from_the_upload_to_the_result_through_both_processes(seen):
    trace = seen.trace
    assert {name: span.process for name, span in trace.items()} == {
        "POST /encode": "twofold-service",
        "DELETE /clips/{clip_id}": "twofold-service",
        "upload": "twofold-service",
        **dict.fromkeys(
            ("queue wait", "encode", "load", "fetch", "decode", "forward", "render", "result"), "twofold-worker"
        ),
    }
    request, job = trace["POST /encode"], trace["encode"]
    assert request.parent == ABOVE
    assert {trace[name].parent for name in ("upload", "queue wait", "encode")} == {request.id}
    assert {trace[name].parent for name in ("load", "fetch", "decode", "forward", "render", "result")} == {job.id}
    assert job.attributes["twofold.job"] == seen.job
    assert request.attributes["twofold.request"] == "asked-by-me"
    assert trace["upload"].attributes["twofold.bytes"] > 1000
    assert trace["forward"].attributes["twofold.frames"] == 32
    order = ["upload", "queue wait", "fetch", "decode", "forward", "render", "result"]
    began = [trace[name].began for name in order]
    assert began == sorted(began)
    assert all(span.began <= span.ended for span in trace.values())
    slack = 50_000_000  # ns; the queue's clock is Redis's
    assert request.began <= trace["queue wait"].began + slack
    assert trace["queue wait"].ended <= trace["fetch"].began + slack
    assert trace["result"].ended <= request.ended, "the request waited for it"


def test_what_asks_all_day_is_not_traced(seen):
    assert not [span for span in seen.collector.spans if "ready" in span.name or "metrics" in span.name]
