"""What must be true of Dockerfile and docker-compose.yml, seen without a container engine.

With one, `make compose-test` builds the images and runs the system; see tests/packaging/images/engine.
"""

import itertools
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hatchling.builders.wheel import WheelBuilder

from dev.compose.cluster import developer
from dev.compose.state import DEVELOPER
from dev.setup.paths import CHECKOUT
from dev.stack.parts.control_plane import Etcd, KubeApiserver
from dev.stack.parts.mongod import REPLICA_SET
from dev.stack.pytest_plugin import TestControlPlane
from tests.support import yamls

COMPOSE: dict[str, Any] = yamls.load((CHECKOUT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (CHECKOUT / "Dockerfile").read_text()
OURS = {"order", "inventory", "payment", "shipping", "notification"}


def flags(command: list[str]) -> dict[str, str]:
    """`--name value` and `--name=value` alike."""
    words = [word for part in command for word in (part.split("=", 1) if part.startswith("--") else [part])]
    return {name.removeprefix("--"): value for name, value in zip(words[::2], words[1::2], strict=True)}


def test_the_api_server_runs_with_the_flags_of_the_local_stack(tmp_path: Path) -> None:
    etcd = Etcd(Path("etcd"), data=tmp_path, port=1, peer_port=2, log=tmp_path / "log")
    local = KubeApiserver(Path("kube-apiserver"), etcd=etcd, folder=tmp_path, port=6443, log=tmp_path / "log")
    mine, theirs = flags(SERVICES["kube-apiserver"]["command"]), flags(local.command[1:])
    assert mine.keys() == theirs.keys()
    elsewhere = {"etcd-servers", "bind-address", "cert-dir"}
    for name in mine.keys() - elsewhere:
        assert Path(mine[name]).name == Path(theirs[name]).name, name


def test_etcd_runs_with_the_flags_of_the_local_stack(tmp_path: Path) -> None:
    local = Etcd(Path("etcd"), data=tmp_path, port=1, peer_port=2, log=tmp_path / "log")
    assert flags(SERVICES["etcd"]["command"]).keys() == flags(local.command[1:]).keys()


def test_mongod_is_a_member_of_the_replica_set_that_the_clients_name() -> None:
    assert f"--replSet {REPLICA_SET} " in SERVICES["mongodb"]["command"]
    assert SERVICES["mongodb"]["container_name"] == "saga-mongodb"
    for name in OURS:
        url = SERVICES[f"{name}-service"]["environment"]["ORDERSAGA_MONGODB_URL"]
        assert url.endswith(f"replicaSet={REPLICA_SET}")


@pytest.mark.parametrize("name", SERVICES)
def test_every_container_may_do_as_little_as_possible(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "mem_limit" in service
    assert not {"privileged", "cap_add", "ulimits", "pid", "ipc"} & service.keys()
    if "build" not in service:  # our own images say it themselves
        assert re.fullmatch(r"[1-9]\d*:\d+", service["user"])
    if not name.startswith("setup-") and "profiles" not in service:
        assert service["restart"] == "unless-stopped"


def test_nothing_listens_beyond_this_machine() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)
    always = {name for name in published if "profiles" not in SERVICES[name]}
    assert always == {"gateway", "kube-apiserver", "page"}
    assert [port.rpartition(":")[2] for port in published["gateway"]] == ["8000", "8001", "8002", "8003", "8004"]


def test_the_page_says_the_port_at_which_it_is_published() -> None:
    page = SERVICES["page"]
    port = page["environment"]["ORDERSAGA_PAGE_PORT"]
    assert page["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert f"--port={port}" in page["command"]


def test_the_page_looks_as_somebody_who_sees_orders_and_steers_them_and_nothing_else(
    control_plane: TestControlPlane,
) -> None:
    namespace = "compose"
    control_plane.administrator.install(namespace)
    for document in developer(namespace):
        control_plane.kubectl("apply", "-n", namespace, "-f", "-", input=json.dumps(document))

    def may(*words: str) -> bool:
        account = f"system:serviceaccount:{namespace}:{DEVELOPER}"
        return control_plane.kubectl("auth", "can-i", "--as", account, *words, check=False).returncode == 0

    for verb in ("list", "watch", "patch"):
        assert may(verb, "ordersagas.ordersaga.io", "-n", namespace)
        assert not may(verb, "ordersagas.ordersaga.io", "-n", "shop")
    assert not may("patch", "ordersagas.ordersaga.io", "--subresource", "status", "-n", namespace)
    assert not may("get", "secrets", "-n", namespace)


@pytest.mark.parametrize("name", sorted(OURS))
def test_a_service_can_be_scaled(name: str) -> None:
    service = SERVICES[f"{name}-service"]
    assert not {"ports", "container_name", "hostname"} & service.keys()
    assert service["build"]["args"] == {"SERVICE_DIR": name}


def test_databases_are_seen_by_those_who_need_them_only() -> None:
    def members(network: str) -> set[str]:
        return {name for name, service in SERVICES.items() if network in service.get("networks", [])}

    assert members("etcd") == {"etcd", "kube-apiserver"}
    assert members("database") == {"mongodb", "setup-database", "ordersaga", *(f"{name}-service" for name in OURS)}
    assert all(COMPOSE["networks"][name]["internal"] for name in ("etcd", "database"))


def test_the_file_is_read_by_old_and_new_compose_alike() -> None:
    assert "version" not in COMPOSE, "the current specification warns"
    assert "name" not in COMPOSE, "1.29 doesn't know it"


def test_the_gateway_leads_to_the_public_port_of_every_service() -> None:
    gateway = (CHECKOUT / "dev/compose/gateway.conf").read_text()
    for name in OURS:
        environment = SERVICES[f"{name}-service"]["environment"]
        port, public = environment["UVICORN_PORT"], environment["ORDERSAGA_PUBLIC_PORT"]
        assert f"{port} http://{name}-service:{public};" in gateway
        assert f"http://{name}-service:{port}" not in gateway


def test_the_images_build_with_any_builder() -> None:
    assert not re.search(r"^RUN --mount|<<-?['\"]?[A-Z]+|^# *syntax *=", DOCKERFILE, re.MULTILINE)


def test_the_images_carry_the_version_of_the_project() -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    assert f"ARG VERSION={project['version']}\n" in DOCKERFILE


def test_the_images_run_as_a_number() -> None:
    users = re.findall(r"^USER (.+)$", DOCKERFILE, re.MULTILINE)
    assert set(users) == {"10001:0", "0"}
    assert users[-1] == "10001:0"
    assert all(after == "10001:0" for before, after in itertools.pairwise(users) if before == "0")


def test_the_wheel_holds_the_product_and_no_tests() -> None:
    files = {Path(each.distribution_path) for each in WheelBuilder(str(CHECKOUT)).recurse_included_files()}
    assert {each.parts[0] for each in files} == {"saga_operator", "ordersaga", "services", "common"}
    assert Path("services/order/main.py") in files
    assert not [each for each in files if "tests" in each.parts or each.name == "conftest.py"]
