"""The files that give containers a way out give it to those they name, and to no others."""

import json

import pytest
import yaml

from tests.compose.stack import Stack, free_port

MASQUERADE = "com.docker.network.bridge.enable_ip_masquerade"


@pytest.mark.parametrize(
    ("overrides", "lead_out"),
    [
        ((), set()),
        (("docker/compose.callbacks.yml",), {"service"}),
        (("docker/compose.bucket.yml",), {"service", "worker"}),
        (("docker/compose.training.yml", "docker/compose.callbacks.yml"), {"service"}),
    ],
)
def test_a_way_out_is_for_those_who_need_it(overrides: tuple[str, ...], lead_out: set[str]):
    port = free_port()
    merged = yaml.safe_load(Stack("twofoldout", port, {"TWOFOLD_PORT": str(port)}, overrides).compose("config"))
    networks = {name: said or {} for name, said in merged["networks"].items()}
    open_ones = {
        name
        for name, said in networks.items()
        if not said.get("internal") and said.get("driver_opts", {}).get(MASQUERADE) != "false"
    }
    assert {"service", "worker", "valkey"} <= set(merged["services"]), json.dumps(merged)
    found = {name for name, said in merged["services"].items() if open_ones & set(said.get("networks", ()))}
    assert found == lead_out
