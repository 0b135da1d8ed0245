import os
import socket
import subprocess
import sys

import pytest

from jobs.errors import ConfigurationError
from jobs.keys import KeyFile
from jobs.settings import Settings
from twofold.listening import address_of, is_loopback, listening, refuse_open_address
from twofold.serving import serve_api


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.10", "::1", "localhost"])
def test_loopback_addresses_need_no_keys(host):
    assert is_loopback(host)
    refuse_open_address(Settings(host=host))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "no-such-host.invalid"])
def test_other_addresses_are_refused_unless_somebody_insists(host):
    assert not is_loopback(host)
    with pytest.raises(ConfigurationError, match="--insecure"):
        refuse_open_address(Settings(host=host))
    refuse_open_address(Settings(host=host, insecure=True))
    refuse_open_address(Settings(host=host, published_on_loopback=True))


def test_with_a_key_any_address_may_be_listened_on_and_with_none_left_no_more(tmp_path):
    settings = Settings(host="0.0.0.0", data_dir=tmp_path)
    keys = KeyFile(settings.own_keys_file)
    keys.add("alice")
    refuse_open_address(settings)
    keys.remove("alice")
    with pytest.raises(ConfigurationError, match="twofold keys add"):
        refuse_open_address(settings)


@pytest.fixture
def serve_held(tmp_path):
    """What `twofold serve` says that is given a socket held by another process, and no Redis to go on with."""

    def said(host):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            done = subprocess.run(
                [sys.executable, "-m", "twofold", "serve", "--fd", str(listener.fileno())],
                capture_output=True,
                text=True,
                check=False,
                pass_fds=[listener.fileno()],
                env={
                    **{name: value for name, value in os.environ.items() if not name.startswith("TWOFOLD_")},
                    "TWOFOLD_HOST": host,
                    "TWOFOLD_DATA_DIR": str(tmp_path),
                },
            )
        assert done.returncode != 0
        return done.stderr

    return said


def test_an_api_on_a_held_socket_does_not_start_open_when_the_keys_are_lost(serve_held, tmp_path):
    keys = KeyFile(Settings(data_dir=tmp_path).own_keys_file)
    keys.add("alice")
    assert "TWOFOLD_REDIS_URL" in serve_held("0.0.0.0"), "with a key it gets as far as Redis"
    keys.path.unlink()
    assert "twofold keys add" in serve_held("0.0.0.0")
    assert "TWOFOLD_REDIS_URL" in serve_held("127.0.0.1"), "loopback needs no keys"


def test_keys_that_are_lost_while_the_api_loads_leave_it_closed(tmp_path, monkeypatch):
    settings = Settings(host="0.0.0.0", data_dir=tmp_path)
    keys = KeyFile(settings.own_keys_file)
    keys.add("alice")
    monkeypatch.setattr("twofold.serving.configure_logs", lambda settings: None)
    monkeypatch.setattr("service.app.create_app", lambda settings: keys.path.unlink())
    with socket.create_server(("127.0.0.1", 0)) as listener, pytest.raises(ConfigurationError, match="keys add"):
        serve_api(settings, listener.detach())


def test_a_taken_port_is_told_with_the_remedy():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with (
            pytest.raises(ConfigurationError, match=rf"127\.0\.0\.1:{port}.*in use.*--port"),
            listening(Settings(port=port)),
        ):
            pass


def test_port_zero_takes_a_free_one_and_says_which():
    with listening(Settings(port=0)) as listener:
        address = address_of(listener)
        assert address == f"http://127.0.0.1:{listener.getsockname()[1]}"
        with socket.create_connection(listener.getsockname(), timeout=5):
            pass


def test_what_listens_everywhere_is_opened_here():
    with listening(Settings(host="0.0.0.0", port=0)) as listener:
        assert address_of(listener).startswith("http://127.0.0.1:")
