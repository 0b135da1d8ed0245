"""Settings: what is read at a process's edge, and what a child process gets of it."""

import pytest
from pydantic import ValidationError

from jobs.settings import Settings


@pytest.fixture
def password_file(tmp_path):
    file = tmp_path / "password"
    file.write_text("p@ss/word\n")
    return file


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("redis://valkey:6379/0", "redis://:p%40ss%2Fword@valkey:6379/0"),
        ("rediss://twofold@valkey:6379", "rediss://twofold:p%40ss%2Fword@valkey:6379"),
        ("redis://:own@valkey:6379", "redis://:own@valkey:6379"),
    ],
)
def test_a_password_may_stand_in_a_file(password_file, given, expected):
    assert Settings(redis_url=given, redis_password_file=password_file).redis_url == expected


def test_a_child_process_gets_the_same_settings(password_file, monkeypatch):
    settings = Settings(redis_url="redis://valkey", redis_password_file=password_file)
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    assert Settings() == settings


def test_a_password_that_cannot_be_read_is_told_by_its_file(tmp_path, password_file):
    with pytest.raises(ValidationError, match=r"cannot be read from .*nowhere: No such file"):
        Settings(redis_url="redis://valkey", redis_password_file=tmp_path / "nowhere")
    password_file.write_text("\n")
    with pytest.raises(ValidationError, match=r"password, which is empty"):
        Settings(redis_url="redis://valkey", redis_password_file=password_file)


def test_a_password_file_alone_names_no_server(password_file):
    assert Settings(redis_password_file=password_file).redis_url is None
