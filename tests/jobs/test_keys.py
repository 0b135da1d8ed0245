"""The file of keys: what it holds, who may read it, and that two who change it at once lose nothing."""

import hashlib
import os
import threading

import pytest

from jobs.errors import ConfigurationError
from jobs.keys import KeyFile, Keyring


@pytest.fixture
def file(tmp_path):
    return KeyFile(tmp_path / "data" / "keys.json")


def test_a_key_is_kept_as_its_hash_and_only_its_owner_may_read_the_file(file):
    key, secret = file.add("alice", max_jobs=3)
    assert len(secret) > 40
    text = file.path.read_text()
    assert secret not in text
    assert hashlib.sha256(secret.encode()).hexdigest() == key.sha256
    assert key.sha256 in text
    assert file.path.stat().st_mode & 0o777 == 0o600
    assert file.read() == [key]


def test_a_keyring_knows_the_key_and_nothing_near_it(file):
    key, secret = file.add("alice")
    ring = Keyring(file.path)
    assert ring.find(secret) == key
    for near in (secret[:-1], secret.upper(), f" {secret}", key.sha256, ""):
        assert ring.find(near) is None
    assert ring.of(key.id) == key


def test_a_running_keyring_sees_what_is_added_and_removed(file):
    ring = Keyring(file.path)
    assert not ring.closed
    _, first = file.add("alice")
    assert ring.closed
    _, second = file.add("bob")
    assert ring.find(first).name == "alice"
    assert ring.find(second).name == "bob"
    file.remove("alice")
    assert ring.find(first) is None
    assert ring.closed


def test_many_who_add_at_once_lose_no_key(file):
    threads = [threading.Thread(target=file.add, args=(f"key-{number}",)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {key.name for key in file.read()} == {f"key-{number}" for number in range(20)}


@pytest.mark.parametrize("name", ["", "a b", "../x", "-x", "é", "x" * 65])
def test_names_that_would_confuse_are_refused(file, name):
    with pytest.raises(ConfigurationError, match="name"):
        file.add(name)
    assert not file.path.exists()


def test_a_name_is_one_keys_and_a_missing_one_is_told(file):
    file.add("alice")
    with pytest.raises(ConfigurationError, match="already"):
        file.add("alice")
    with pytest.raises(ConfigurationError, match="no key 'bob'"):
        file.remove("bob")
    assert len(file.read()) == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        '{"format": 2, "keys": []}',
        '{"format": 1, "keys": [{"name": "a"}]}',
        '{"format": 1, "keys": [{"id": "0123456789abcdef", "name": "a", "sha256": "x", '
        '"created": "2026-01-01T00:00:00+00:00"}]}',
    ],
)
def test_a_file_that_is_not_ours_is_told_and_lets_nobody_in(file, text):
    _, secret = file.add("alice")
    file.path.write_text(text)
    with pytest.raises(ConfigurationError, match=r"keys\.json cannot be read"):
        file.read()
    ring = Keyring(file.path)
    assert ring.closed
    assert ring.find(secret) is None


def test_keys_that_are_lost_before_anybody_knocks_let_nobody_in(file):
    file.add("alice")
    ring = Keyring(file.path)
    file.path.unlink()
    assert ring.closed


def test_a_file_that_can_be_read_again_is_read_though_it_has_not_changed(file, monkeypatch, caplog):
    _, secret = file.add("alice")

    def denied(self):
        raise ConfigurationError("permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(KeyFile, "read", denied)
        ring = Keyring(file.path)
        assert ring.closed
        assert ring.find(secret) is None
    assert caplog.text.count("nobody is let in") == 1, "told once, however many knock"
    assert ring.find(secret).name == "alice"


def test_a_change_that_leaves_size_and_date_of_modification_is_seen(file):
    _, secret = file.add("alice")
    ring = Keyring(file.path)
    assert ring.find(secret).name == "alice"
    before = file.path.stat()
    file.path.write_text(file.path.read_text().replace("alice", "carol"))
    os.utime(file.path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert ring.find(secret).name == "carol"
