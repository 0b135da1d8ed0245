"""The files that give containers a way out give it to those they name, and to no others."""

import os

import pytest

from tests.compose.stack import Stack, free_port, inspect


@pytest.mark.parametrize(
    ("override", "leads_out"),
    [("docker/compose.callbacks.yml", {"service"}), ("docker/compose.bucket.yml", {"service", "worker"})],
)
def test_a_way_out_is_for_those_who_need_it(override: str, leads_out: set[str]):
    port = free_port()
    made = Stack(f"twofoldout{os.getpid()}", port, {"TWOFOLD_PORT": str(port)}, (override,))
    try:
        made.compose("up", "--no-start")
        found = set()
        for service in ("service", "worker", "valkey"):
            (container,) = made.compose("ps", "-aq", service).split()
            for name in inspect(container)["NetworkSettings"]["Networks"]:
                network = inspect(name)
                masked = network["Options"].get("com.docker.network.bridge.enable_ip_masquerade") == "false"
                if not network["Internal"] and not masked:
                    found.add(service)
        assert found == leads_out
    finally:
        made.compose("down", "-v", "--remove-orphans", check=False)
