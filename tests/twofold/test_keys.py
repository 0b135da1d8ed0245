"""`twofold keys`: what an operator types, and what a client then needs."""

import json

import pytest

from jobs.keys import KeyFile


@pytest.fixture
def keys(shell, tmp_path):
    def typed(*arguments):
        return shell.type("keys", *arguments, COLUMNS="100", TWOFOLD_DATA_DIR=str(tmp_path))

    return typed


def test_a_key_is_shown_once_listed_without_its_secret_and_removed(keys, tmp_path):
    made = keys("add", "alice", "--max-jobs", "3")
    assert made.returncode == 0, made.stderr
    secret = made.stdout.strip()
    assert secret.startswith("twofold_")
    assert "shown this once" in made.stderr
    [key] = KeyFile(tmp_path / "keys.json").read()
    assert (key.name, key.max_jobs) == ("alice", 3)

    listed = keys("list", "--json")
    assert [(one["name"], one["max_jobs"]) for one in json.loads(listed.stdout)] == [("alice", 3)]
    assert secret not in listed.stdout
    assert key.sha256 not in listed.stdout

    signed_with = keys("webhook-secret", "alice").stdout.strip()
    assert signed_with.startswith("whsec_")
    told = json.loads(keys("webhook-secret", "alice", "--json").stdout)
    assert told == {"name": "alice", "webhook_secret": signed_with}
    removed = keys("remove", "alice")
    assert removed.returncode == 0
    assert "nobody is let in" in removed.stderr
    keys("add", "bob")
    assert json.loads(keys("remove", "bob", "--json").stdout) == {"name": "bob", "keys_left": 0}


def test_what_cannot_be_is_one_line_with_code_1(keys):
    for arguments in [("remove", "nobody"), ("add", "a b"), ("webhook-secret", "nobody")]:
        done = keys(*arguments)
        assert done.returncode == 1
        assert len(done.stderr.strip().splitlines()) == 1
