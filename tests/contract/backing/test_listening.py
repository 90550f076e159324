"""Where a program listens and what it reaches, on hosts with IPv4, IPv6 or both."""

import os
import socket
import subprocess
import sys
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiohttp import web
from kubernetes.config import incluster_config
from pymongo import MongoClient

from common import listening, replicaset
from common.exchange import Exchanges
from common.kube import KubeClient, Leases
from common.kube.config import load_access
from common.listening import listen
from dev.setup.paths import CHECKOUT
from dev.stack.parts.kubeconfig import write_kubeconfig
from dev.stack.parts.mongod import Mongod
from dev.stack.ports import free_ports
from dev.stack.waiting import wait_until
from saga_operator.health import Health
from saga_operator.heartbeats import Heartbeats
from saga_operator.settings import Settings
from tests.packaging.chart.charts import rendered

FAMILIES = ("127.0.0.1", "::1") if socket.has_dualstack_ipv6() else ("127.0.0.1",)


def reaches(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), timeout=2).close()
    except OSError:
        return False
    return True


def test_everywhere_is_ipv4_as_well() -> None:
    with listen("::", 0) as listener:
        assert [address for address in FAMILIES if not reaches(address, listener.getsockname()[1])] == []


def test_everywhere_is_ipv4_alone_where_there_is_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening.socket, "has_dualstack_ipv6", lambda: False)
    with listen("::", 0) as listener:
        assert listener.family == socket.AF_INET
        assert reaches("127.0.0.1", listener.getsockname()[1])


def test_one_address_is_that_one() -> None:
    with listen("127.0.0.1", 0) as listener:
        assert reaches("127.0.0.1", listener.getsockname()[1])
        assert not reaches("127.0.0.2", listener.getsockname()[1])


def test_a_port_that_is_taken_is_an_error() -> None:
    with listen("127.0.0.1", 0) as listener, pytest.raises(OSError, match=r"in use"):
        listen("127.0.0.1", listener.getsockname()[1])


async def answers() -> bool:
    return True


async def test_the_operator_is_probed_at_addresses_of_both_families() -> None:
    (port,) = free_ports(1)
    health = Health(Settings(health_host="::", health_port=port), Heartbeats(), answers)
    await health.start()
    assert [address for address in FAMILIES if not reaches(address, port)] == []
    await health.stop()


def test_the_replica_set_is_probed_at_addresses_of_both_families() -> None:
    with replicaset.Health("::", 0) as health:
        assert [address for address in FAMILIES if not reaches(address, health.socket.getsockname()[1])] == []


def test_a_service_listens_to_both_families_at_both_ports() -> None:
    main, public = free_ports(2)
    environment = {
        **os.environ,
        **{"UVICORN_HOST": "::", "UVICORN_PORT": str(main), "UVICORN_LOOP": "uvloop"},
        **{"ORDERSAGA_PUBLIC_PORT": str(public), "ORDERSAGA_MONGODB_URL": "mongodb://127.0.0.1:1/"},
    }
    program = (sys.executable, "-m", "uvicorn", "services.payment.main:app")
    with subprocess.Popen(program, cwd=CHECKOUT, env=environment, stderr=subprocess.DEVNULL) as service:
        try:
            wait_until("the service listens", lambda: reaches("127.0.0.1", main), seconds=60)
            missing = [(each, port) for each in FAMILIES for port in (main, public) if not reaches(each, port)]
            assert missing == []
        finally:
            service.kill()


def test_the_charts_database_listens_to_both_families(tmp_path: Path) -> None:
    (container,) = rendered()("Deployment", "mongodb")["spec"]["template"]["spec"]["containers"]
    network = [each for each in container["args"] if each in ("--bind_ip_all", "--ipv6")]
    (port,) = free_ports(1)
    mongod = Mongod(data=tmp_path / "data", port=port, log=tmp_path / "log")
    at = mongod.command.index("--bind_ip")
    mongod.command[at : at + 2] = network
    mongod.start()
    try:
        for address in FAMILIES:
            host = f"[{address}]" if ":" in address else address
            wait_until(f"mongod listens at {host}", partial(reaches, address, port), seconds=60)
            with MongoClient[dict[str, Any]](
                f"mongodb://{host}:{port}/?directConnection=true", serverSelectionTimeoutMS=5000
            ) as client:
                assert client.admin.command("ping")["ok"] == 1
    finally:
        mongod.kill()


def test_a_pod_finds_its_api_server_at_an_address_with_brackets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token").write_text("t")
    authority = tmp_path / "ca.crt"
    trustme.CA().cert_pem.write_to_path(str(authority))
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(tmp_path / "token"))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(authority))
    pod = {"KUBERNETES_SERVICE_HOST": "fd00:10:96::1", "KUBERNETES_SERVICE_PORT": "443"}
    for name, value in pod.items():
        monkeypatch.setenv(name, value)
    assert load_access(environ=pod).server == "https://[fd00:10:96::1]:443"


@pytest.mark.skipif(len(FAMILIES) == 1, reason="this host has no IPv6")
async def test_participants_and_the_api_server_are_called_at_addresses_with_brackets(tmp_path: Path) -> None:
    async def lease(_: web.Request) -> web.Response:
        return web.json_response({"metadata": {"name": "ordersaga-operator", "uid": "u", "resourceVersion": "1"}})

    app = web.Application()
    app.router.add_get("/apis/coordination.k8s.io/v1/namespaces/shop/leases/ordersaga-operator", lease)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    with listen("::1", 0) as listener:
        await web.SockSite(runner, listener).start()
        url = f"http://[::1]:{listener.getsockname()[1]}"
        (tmp_path / "none").touch()
        write_kubeconfig(
            tmp_path / "kubeconfig", url=url, authority=tmp_path / "none", user={"token": "t"}, namespace="shop"
        )
        async with KubeClient.from_config(tmp_path / "kubeconfig", user_agent="ordersaga-test/1") as client:
            found = await Leases(client, "shop", seconds=5).get("ordersaga-operator")
        assert found["metadata"]["name"] == "ordersaga-operator"
        async with aclosing(Exchanges(url, timeout=5)) as exchanges:
            assert (await exchanges.exchange("GET", "/nothing", headers={})).status == 404
        await runner.cleanup()
