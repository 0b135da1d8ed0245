"""Who is let in, what every answer carries, and what a path or method that does not exist gets."""

import json
import subprocess
import sys

import pytest

from jobs.errors import ConfigurationError, Problem
from jobs.settings import Settings
from jobs.workers import WarmWorker, announce, withdraw
from service.app import WEB, create_app
from tests.service.conftest import DIGEST

MP4 = b"\x00\x00\x00\x18ftypisom" + bytes(3000)


def test_the_service_is_alive_without_workers_and_ready_with_one_a_queue(warm):
    assert warm.http.get("/livez").json() == {"status": "alive"}
    assert warm.http.get("/readyz").json() == {"status": "ready", "workers": {"interactive": 1, "batch": 1}}
    for name, missing in (("w1", "for batch jobs"), ("w2", "for interactive and batch jobs")):
        withdraw(warm.store.redis, name)
        answer = warm.http.get("/readyz")
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
        assert missing in answer.json()["detail"]
        assert warm.http.get("/livez").status_code == 200


def test_a_worker_for_training_alone_makes_nothing_ready(make_served):
    served = make_served(training=True)
    announce(served.store.redis, WarmWorker("learner", "training", "cpu", {"tiny": DIGEST}), 30)
    try:
        assert served.http.get("/readyz").status_code == 503
        for name, queue in (("w1", "batch"), ("w2", "interactive")):
            announce(served.store.redis, WarmWorker(name, queue, "cpu", {"tiny": DIGEST}), 30)
        assert served.http.get("/readyz").json()["workers"] == {"interactive": 1, "batch": 1, "training": 1}
        withdraw(served.store.redis, "learner")
        assert served.http.get("/readyz").json()["workers"] == {"interactive": 1, "batch": 1, "training": 0}
    finally:
        for name in ("learner", "w1", "w2"):
            withdraw(served.store.redis, name)


def test_without_redis_it_lives_is_not_ready_and_deletes_what_is_sent(make_served):
    served = make_served(redis_url="redis://127.0.0.1:1/0")
    assert served.http.get("/livez").status_code == 200
    for answer in [served.http.get("/readyz"), served.encode(), served.http.get("/latent-grid")]:
        assert answer.status_code == 503
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.headers["Retry-After"] == "5"
        assert "6379" not in answer.text
        assert "127.0.0.1" not in answer.json()["detail"]
    assert not served.unfinished()
    assert not list(served.artifacts.all())


def test_redis_that_fails_after_the_upload_was_read_keeps_nothing(served):
    served.store.redis.config_set("maxmemory", "1")
    try:
        answer = served.encode()
    finally:
        served.store.redis.config_set("maxmemory", "0")
    assert answer.status_code == 503
    assert "full" in answer.json()["detail"]
    assert not served.unfinished()
    assert not list(served.artifacts.all())


def test_models_are_told_with_what_a_user_needs_to_know(warm):
    models = warm.http.get("/models").json()["models"]
    names = [model["name"] for model in models]
    assert names[0] == "tiny", "the default comes first"
    assert "other" in names
    tiny = warm.http.get("/models/tiny").json()
    assert tiny == models[0]
    assert (tiny["static_dim"], tiny["dynamic_dim"], tiny["licence"], tiny["loaded"]) == (256, 8, "CC0-1.0", True)
    assert warm.http.get("/models/other").json()["loaded"] is False
    assert warm.http.get("/models/nobody").status_code == 404
    assert warm.http.get("/models/..%2F..%2Fx").status_code == 404


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics", "/models", "/models/tiny", "/jobs", "/openapi.json"])
def test_what_can_be_read_has_a_head(warm, path):
    head = warm.http.head(path)
    assert (head.status_code, head.content) == (200, b"")
    assert int(head.headers["Content-Length"]) > 0
    assert head.headers["Content-Type"] == warm.http.get(path).headers["Content-Type"]


def test_a_path_has_one_spelling(served):
    for path in ["/jobs/", "/encode/", "/livez/"]:
        answer = served.http.get(path)
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/not-found")


def test_unknown_paths_are_404_and_wrong_methods_405_with_allow(served):
    answer = served.http.get("/nowhere")
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/not-found")
    for method, path, allow in [
        ("PUT", "/encode", {"POST"}),
        ("GET", "/encode", {"POST"}),
        ("POST", "/latent-grid", {"GET", "HEAD"}),
        ("POST", "/jobs/" + "0" * 32, {"GET", "HEAD", "DELETE"}),
        ("PATCH", "/clips", {"POST"}),
        ("POST", "/web/app.js", {"GET", "HEAD"}),
        ("DELETE", "/web/encode", {"GET", "HEAD"}),
    ]:
        answer = served.http.request(method, path)
        assert answer.status_code == 405, path
        assert {one.strip() for one in answer.headers["Allow"].split(",")} == allow
        assert answer.json()["detail"].endswith(f"possible are {answer.headers['Allow']}")
        assert answer.json()["type"] == "/problems/method-not-allowed"


def test_without_keys_only_this_machine_by_its_own_name_is_served(served):
    assert served.http.get("/livez", headers={"Host": "evil.example"}).status_code == 403
    assert served.http.get("/livez", headers={"Host": "localhost:8000"}).status_code == 200
    upload = {"files": {"video": ("a.mp4", MP4)}}
    assert served.http.post("/encode", headers={"Origin": "https://evil.example"}, **upload).status_code == 403
    assert served.http.post("/encode", headers={"Origin": "null"}, **upload).status_code == 403
    assert served.http.post("/encode", headers={"Origin": served.url}, **upload).status_code == 202


def test_behind_a_port_published_on_loopback_callers_are_refused_as_on_loopback(make_served):
    served = make_served(published_on_loopback=True)
    assert served.http.get("/livez", headers={"Host": "evil.example"}).status_code == 403
    assert served.http.get("/livez", headers={"Host": "localhost:9000"}).status_code == 200


def test_insecure_leaves_names_and_origins_to_who_stands_in_front(make_served):
    served = make_served(insecure=True)
    assert served.http.get("/livez", headers={"Host": "twofold.example"}).status_code == 200


def test_every_answer_forbids_sniffing_and_foreign_scripts(served):
    for path in ["/", "/docs", "/livez", "/nowhere", "/web/main.js"]:
        headers = served.http.get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Content-Security-Policy"].startswith("default-src 'self'")


def test_the_page_asks_nothing_of_other_hosts(served):
    page = served.http.get("/").text
    assert 'src="/web/main.js"' in page
    names = [path.name for path in WEB.iterdir() if path.is_file()]
    assert {"main.js", "api.js", "docs.js", "style.css", "icon.svg", "index.html"} <= set(names)
    for name in names:
        answer = served.http.get(f"/web/{name}")
        assert answer.status_code == 200
        assert "http://" not in answer.text.replace("http://www.w3.org", "")
        assert "https://" not in answer.text
        assert " style=" not in answer.text, "the policy would drop it"


def test_a_failure_of_ours_shows_no_traceback(served, monkeypatch):
    monkeypatch.setattr("service.routes.models.announced", lambda redis: 1 / 0)
    answer = served.http.get("/models")
    assert answer.status_code == 500
    assert answer.json()["type"] == "/problems/internal-error"
    assert "ZeroDivision" not in answer.text
    assert answer.headers["X-Request-ID"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_every_problem_has_a_page_of_its_own(served):
    assert {"too-many-frames", "wrong-value", "queue-full", "not-json", "refused"} <= set(Problem.known)
    for slug in Problem.known:
        answer = served.http.get(f"/problems/{slug}")
        assert answer.status_code == 200
        assert answer.headers["Content-Type"].startswith("text/html")
    assert served.http.get("/problems/none-such").status_code == 404


def test_openapi_declares_binary_results_problems_and_forms(served):
    schema = served.http.get("/openapi.json").json()
    assert schema["openapi"].startswith("3.1")
    encode = schema["paths"]["/encode"]["post"]
    fields = encode["requestBody"]["content"]["multipart/form-data"]["schema"]["properties"]
    assert fields["video"]["format"] == "binary"
    assert encode["responses"]["202"]["headers"]["Location"]
    assert set(encode["responses"]["200"]["content"]) >= {"image/png", "video/mp4", "application/x-npz"}
    grid = schema["paths"]["/latent-grid"]["get"]["responses"]
    assert set(grid["200"]["content"]) == {"image/png", "application/json", "application/x-npz"}
    problem = {"$ref": "#/components/schemas/ProblemView"}
    for path in schema["paths"].values():
        for operation in path.values():
            for status, said in operation["responses"].items():
                if int(status) >= 400:
                    assert said["content"]["application/problem+json"]["schema"] == problem
    assert "HTTPValidationError" not in json.dumps(schema)


def test_without_an_address_of_redis_there_is_a_clear_error(tmp_path):
    with pytest.raises(ConfigurationError, match="TWOFOLD_REDIS_URL"):
        create_app(Settings(data_dir=tmp_path))


def test_the_service_loads_no_torch_and_no_model_code():
    code = "import sys, service.app; print([m for m in ('torch', 'models', 'worker', 'av') if m in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert loaded.strip() == "[]"
