"""/metrics: what an operator watches, in the form that Prometheus reads."""

from prometheus_client.parser import text_string_to_metric_families

from jobs.errors import NoVideo


def samples(served):
    answer = served.http.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_the_queue_is_told_by_its_depth_and_age(warm):
    before = samples(warm)
    assert before["twofold_queue_jobs", "batch"] == 0
    assert before["twofold_queue_oldest_seconds", "batch"] == 0
    running = warm.job(warm.encode())
    warm.job(warm.encode(stride="2"))
    warm.store.begin(running, "e")
    now = samples(warm)
    assert (now["twofold_queue_jobs", "batch"], now["twofold_queue_jobs", "interactive"]) == (1, 0)
    assert 0 < now["twofold_queue_oldest_seconds", "batch"] < 60
    assert now["twofold_running_jobs",] == 1
    assert now["twofold_workers", "cpu", "batch"] == now["twofold_workers", "cpu", "interactive"] == 1
    assert now["twofold_models_loaded", "tiny"] == 2


def test_jobs_that_ended_are_counted_by_kind_status_and_problem(served):
    served.work(served.job(served.encode()))
    failed = served.job(served.encode(stride="2"))
    served.store.begin(failed, "e")
    served.store.fail(failed, "e", NoVideo("no video"))
    served.http.delete(f"/jobs/{served.job(served.encode(stride='3'))}")
    now = samples(served)
    assert now["twofold_jobs_ended_total", "encode", "", "succeeded"] == 1
    assert now["twofold_jobs_ended_total", "encode", "no-video", "failed"] == 1
    assert now["twofold_jobs_ended_total", "encode", "", "canceled"] == 1
    # The canceled one never ran, so it took no time.
    assert now["twofold_job_seconds_count", "encode"] == 2
    assert now["twofold_job_seconds_bucket", "encode", "900"] == 2
    assert 0 < now["twofold_job_seconds_sum", "encode"] < 60


def test_answers_are_counted_by_route_and_never_by_what_an_asker_sent(served):
    job = served.job(served.encode())
    for _ in range(3):
        served.http.get(f"/jobs/{job}")
    served.http.get("/secret-of-mine")
    served.http.request("BREW", "/encode")
    text = served.http.get("/metrics").text
    assert 'twofold_http_answers_total{method="GET",path="/jobs/{job_id}",status="200"} ' in text
    assert 'method="other"' in text
    assert job not in text
    assert "secret-of-mine" not in text
    assert "BREW" not in text


def test_a_failure_of_ours_is_counted_as_one(served, monkeypatch):
    monkeypatch.setattr("service.routes.models.announced", lambda redis: 1 / 0)
    assert served.http.get("/models").status_code == 500
    assert 'path="/models",status="500"} 1.0' in served.http.get("/metrics").text


def test_without_redis_metrics_are_503(make_served):
    assert make_served(redis_url="redis://127.0.0.1:1/0").http.get("/metrics").status_code == 503
