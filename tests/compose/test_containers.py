"""What the containers may do, which is little, and what of them can be reached, which is one port on loopback."""

import re
import time

import pytest

from tests.compose.stack import Stack, inspect, run

pytestmark = pytest.mark.timeout(3600)

SERVICES = ("service", "worker", "valkey")
CAPABILITIES, PRIVILEGES = re.compile(r"CapEff:\s*0+\n"), re.compile(r"NoNewPrivs:\s*1\n")


def test_the_service_image_holds_no_torch_no_decoder_and_no_weights(stack: Stack):
    heavy = "{'torch', 'av', 'cv2', 'matplotlib'}"
    code = f"import importlib.util as u; print(sorted(n for n in {heavy} if u.find_spec(n)))"
    assert stack.inside("service", "python", "-c", code).strip() == "[]"
    assert "torch" in stack.inside("worker", "python", "-c", code)
    weights = "import pathlib, models; print(len(list(pathlib.Path(models.__path__[0]).rglob('*.safetensors'))))"
    find = "import importlib.util as u, pathlib as p; print(*(p.Path(*u.find_spec('models').submodule_search_locations)"
    assert stack.inside("service", "python", "-c", f"{find}.rglob('*.safetensors')))").strip() == ""
    assert int(stack.inside("worker", "python", "-c", weights)) >= 2


def test_no_image_holds_pip_caches_or_a_compiler(stack: Stack):
    for service in ("service", "worker"):
        found = stack.inside(service, "sh", "-c", "command -v gcc cc make; ls -A /root /src 2>/dev/null", check=False)
        assert not re.search(r"gcc|/cc|make|\.cache", found)
        assert stack.inside(service, "sh", "-c", "ls /opt/twofold/bin").split().count("pip") == 0


@pytest.mark.parametrize("service", SERVICES)
def test_a_container_runs_as_nobody_special_with_nothing_to_write_but_its_volume(stack: Stack, service: str):
    (container,) = stack.containers(service)
    assert run("docker", "exec", container, "id", "-u").strip() == "10001"
    status = run("docker", "exec", container, "cat", "/proc/1/status")
    assert re.search(r"Uid:\s+10001\s", status)
    assert CAPABILITIES.search(status), status
    assert PRIVILEGES.search(status), status
    for place in ("/", "/etc", "/opt", "/run", "/run/twofold", "/var"):
        wrote = run("docker", "exec", container, "sh", "-c", f"touch {place}/here && echo yes", check=False)
        assert wrote == "", f"{service} can write in {place}"
    assert run("docker", "exec", container, "sh", "-c", "touch /data/.here && rm /data/.here && echo yes") == "yes\n"


def test_every_container_is_healthy_once_the_system_is_ready(stack: Stack):
    deadline = time.monotonic() + 90  # the slowest check may just have been missed
    for service in SERVICES:
        (container,) = stack.containers(service)
        while (health := inspect(container)["State"]["Health"])["Status"] != "healthy":
            assert time.monotonic() < deadline, health
            time.sleep(1)
    assert "warm for interactive, batch" in stack.inside("worker", "python", "-m", "worker.health")


def test_nothing_is_published_but_the_api_on_loopback(stack: Stack):
    published = {}
    for service in SERVICES:
        for container in stack.containers(service):
            ports = inspect(container)["NetworkSettings"]["Ports"]
            published |= {(service, port): bound for port, bound in ports.items() if bound}
    assert published == {("service", "8000/tcp"): [{"HostIp": "127.0.0.1", "HostPort": str(stack.port)}]}


@pytest.mark.parametrize("service", ["worker", "valkey"])
def test_what_touches_strangers_files_and_what_keeps_the_queue_have_no_way_out(stack: Stack, service: str):
    networks = inspect(stack.containers(service)[0])["NetworkSettings"]["Networks"]
    assert networks
    for name in networks:
        assert inspect(name)["Internal"] is True


def test_the_queue_wants_its_password_which_no_setting_shows(stack: Stack):
    refused = stack.inside("valkey", "valkey-cli", "ping", check=False)
    assert "NOAUTH" in refused
    password = stack.inside("valkey", "cat", "/run/twofold/password")
    assert re.fullmatch(r"[0-9a-f]{64}", password)
    for service in SERVICES:
        (container,) = stack.containers(service)
        assert password not in run("docker", "inspect", container)
        assert password not in run("docker", "top", container)


def test_the_queue_refuses_rather_than_forgets_and_keeps_a_file(stack: Stack):
    assert stack.valkey("config", "get", "maxmemory-policy").split()[-1] == "noeviction"
    assert int(stack.valkey("config", "get", "maxmemory").split()[-1]) == 256 * 2**20
    assert stack.valkey("config", "get", "appendonly").split()[-1] == "yes"
