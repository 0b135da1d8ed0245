"""`twofold config`, and the refusal of variables that mean nothing."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from jobs.errors import ConfigurationError
from jobs.settings import Settings, read_settings, refuse_unknown_variables, variable_of
from twofold.configuration import without_password

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def run(shell):
    def typed(*command, **environment):
        said = {"COLUMNS": "120", **environment}
        if command[0] == "twofold":
            return shell.type(*command[1:], **said)
        command = [sys.executable, "-m", *command]
        return subprocess.run(command, capture_output=True, text=True, check=False, env=said)

    return typed


def test_every_setting_is_told_with_its_value_and_where_it_came_from(run, tmp_path):
    done = run("twofold", "config", "--json", TWOFOLD_DATA_DIR=str(tmp_path), twofold_port="8123")
    assert done.returncode == 0, done.stderr
    found = {setting["name"]: setting for setting in json.loads(done.stdout)}
    assert found.keys() == {*Settings.model_fields, "url", "key"}
    assert (found["port"]["value"], found["port"]["source"]) == (8123, "TWOFOLD_PORT")
    assert (found["lease_seconds"]["value"], found["lease_seconds"]["source"]) == (45.0, "default")
    assert (found["keys_file"]["value"], found["keys_file"]["source"]) == (str(tmp_path / "keys.json"), "default")
    assert found["data_dir"]["source"] == "TWOFOLD_DATA_DIR"


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_no_secret_is_shown(run, tmp_path, form):
    (tmp_path / "password").write_text("hidden-in-a-file")
    files = {"TWOFOLD_REDIS_URL": "redis://valkey:6379", "TWOFOLD_REDIS_PASSWORD_FILE": str(tmp_path / "password")}
    done = run("twofold", "config", *form, TWOFOLD_KEY="hidden-key", **files)
    assert "redis://:***@valkey:6379" in done.stdout
    assert "hidden" not in done.stdout
    done = run("twofold", "--key", "hidden-key", "config", *form, TWOFOLD_REDIS_URL="unix://me:hidden@/socket?db=1")
    assert "unix://me:***@/socket?db=1" in done.stdout
    assert "--key" in done.stdout
    assert "hidden" not in done.stdout


def test_a_wrong_value_is_told_without_a_secret(monkeypatch, tmp_path):
    monkeypatch.setenv("TWOFOLD_REDIS_URL", "redis://:hidden@host")
    monkeypatch.setenv("TWOFOLD_REDIS_PASSWORD_FILE", str(tmp_path / "nowhere"))
    monkeypatch.setenv("TWOFOLD_PORT", "many")
    with pytest.raises(
        ConfigurationError, match=r"TWOFOLD_REDIS_URL: its password.*TWOFOLD_PORT: .*, got 'many'"
    ) as caught:
        read_settings()
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    ("variable", "said"),
    [
        ("TWOFOLD_REDISURL", "did you mean TWOFOLD_REDIS_URL?"),
        ("TWOFOLD_RESULTS_TTL", "did you mean TWOFOLD_RESULT_TTL?"),
        ("twofold_datadir", "TWOFOLD_DATADIR (did you mean TWOFOLD_DATA_DIR?)"),
        ("TWOFOLD_ZZZZ", "unknown environment variable: TWOFOLD_ZZZZ. "),
    ],
)
def test_a_variable_that_means_nothing_is_refused_with_the_nearest(monkeypatch, variable, said):
    monkeypatch.setenv(variable, "1")
    with pytest.raises(ConfigurationError, match=re.escape(said)):
        read_settings()


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (("twofold", "models", "--url", "http://127.0.0.1:9"), 1),
        (("twofold", "up"), 1),
        (("twofold", "serve"), 1),
        (("twofold", "worker"), 1),
        (("twofold", "train", "faces_vae"), 1),
        (("worker", "--queue", "batch"), 78),
        (("worker.supervisor",), 78),
        (("worker.health",), 1),
    ],
)
def test_every_process_refuses_it_in_one_line(run, command, code):
    done = run(*command, TWOFOLD_LEASE="5")
    assert done.returncode == code
    assert "TWOFOLD_LEASE" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not done.stdout


def test_every_variable_that_the_tree_names_is_known(monkeypatch):
    """Those of compose, the images, the tests and the pages: none of them is refused where it is set."""
    places = [
        "docker-compose.yml",
        "Makefile",
        "README.md",
        *(str(path) for path in ROOT.glob("docker/**/*") if path.is_file()),
        *map(str, ROOT.glob("docs/*.md")),
    ]
    places += [str(path) for path in ROOT.glob("tests/**/*.py") if path != Path(__file__)]
    named = {
        name for place in places for name in re.findall(r"\bTWOFOLD_[A-Z0-9_]*[A-Z0-9]\b", (ROOT / place).read_text())
    }
    assert {"TWOFOLD_QUEUE_MEMORY", "TWOFOLD_TEST_DATA", "TWOFOLD_REDIS_URL"} <= named
    for name in named:
        monkeypatch.setenv(name, "1")
    refuse_unknown_variables()


# Where things lie in the images, who may come in to a container, and what else is the same in all of them.
NOT_FOR_CONTAINERS = {"data_dir", "models_dir", "keys_file", "webhook_secret_file", "insecure"}
ELSEWHERE_NAMED = {"otlp_endpoint": "OTEL_EXPORTER_OTLP_ENDPOINT"}


def test_compose_passes_every_setting_on_that_means_something_in_containers():
    files = [
        yaml.safe_load((ROOT / name).read_text()) for name in ("docker-compose.yml", "docker/compose.training.yml")
    ]
    passed = {
        service: {name for file in files for name in file["services"][service].get("environment", {})}
        for service in ("service", "worker")
    }
    wanted = {ELSEWHERE_NAMED.get(name, variable_of(name)) for name in set(Settings.model_fields) - NOT_FOR_CONTAINERS}
    assert wanted - (passed["service"] | passed["worker"]) == set()
    listens = {"TWOFOLD_HOST", "TWOFOLD_PORT", "TWOFOLD_PUBLISHED_ON_LOOPBACK"}
    computes = {"TWOFOLD_DEVICE", "TWOFOLD_WORKER_THREADS"}
    assert passed["service"] - passed["worker"] == listens, "all else concerns both, or does no harm"
    assert passed["worker"] - passed["service"] == computes


def test_a_setting_and_its_variable_have_one_name():
    assert variable_of("redis_url") == "TWOFOLD_REDIS_URL"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://h:1/0", "redis://h:1/0"),
        ("redis://:p%40ss@h:1/0", "redis://:***@h:1/0"),
        ("rediss://me:pass@h", "rediss://me:***@h"),
        ("redis://h/0?password=pass", "redis://h/0?password=***"),
    ],
)
def test_an_address_is_shown_without_its_password(url, shown):
    assert without_password(url) == shown
