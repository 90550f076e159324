"""The whole system under docker-compose: what the documentation promises of it."""

import json
import time

import pytest

from dev.stack.demo.shop import finished
from tests.packaging.images.engine.system import Compose, docker

# Bringing the system down and up again takes a minute on two cores.
pytestmark = pytest.mark.timeout(600)
SLOW = {"method_ref": "test-processing"}
"""Two seconds between inventory and shipping: time enough to do something terrible."""


def started(order: dict[str, object]) -> bool:
    saga = order.get("saga") or {}
    return any(step["state"] == "Succeeded" for step in saga.get("steps") or [])  # type: ignore[attr-defined]


def test_an_order_completes_and_another_one_is_compensated(compose: Compose) -> None:
    paid = compose.place("paid")
    declined = compose.place("declined", payment={"method_ref": "test-declined"})
    phases = compose.until_finished(paid, declined)
    assert phases == {paid: "Completed", declined: "Compensated"}
    compose.assert_books()


def test_the_demonstration_ends_well(compose: Compose) -> None:
    shown = compose("run", "--rm", "-T", "demo").stdout
    assert "saga Completed" in shown
    assert "saga Compensated" in shown


def test_kubectl_on_this_machine_sees_the_orders_and_places_some(compose: Compose) -> None:
    order_id = compose.place("kubectl")
    compose.kubectl("wait", f"osaga/{order_id}", "--for=condition=Succeeded", "--timeout=60s")
    compose.kubectl("apply", "-f", "manifests/samples/o-sample-mug.yaml")
    compose.kubectl("wait", "osaga/o-sample-mug", "--for=condition=Ready", "--timeout=60s")


def test_the_operator_has_no_more_rights_than_its_role(compose: Compose) -> None:
    account = "--as=system:serviceaccount:shop:ordersaga-operator"
    assert compose.kubectl("auth", "can-i", "update", "ordersagas", "--subresource=status", account).strip() == "yes"
    token = docker("exec", *compose.containers("operator"), "cat", "/state/operator/kubeconfig").stdout
    assert "client-key-data" not in token


def test_a_deleted_namespace_goes(compose: Compose) -> None:
    compose.kubectl("create", "namespace", "passing")
    compose.kubectl("delete", "namespace", "passing", "--timeout=60s")


def test_three_replicas_share_the_work(compose: Compose) -> None:
    compose("up", "-d", "--scale", "inventory-service=3")
    replicas = compose.containers("inventory-service")
    assert len(replicas) == 3
    deadline = time.monotonic() + 60
    while not all(asked := ["/api/inventory" in docker("logs", replica).stderr for replica in replicas]):
        assert time.monotonic() < deadline, asked
        for _ in range(10):
            assert compose.shop.request("GET", "inventory", "/api/inventory").status_code == 200
        time.sleep(1)
    phases = compose.until_finished(*(compose.place("scaled") for _ in range(5)))
    assert set(phases.values()) == {"Completed"}
    assert "/api/inventory" in compose("logs", "inventory-service").stdout


def test_a_restarted_service_is_found_again(compose: Compose) -> None:
    order_id = compose.place("restart", payment=SLOW)
    compose.watch(order_id, started)
    compose("restart", "inventory-service", "shipping-service")
    phases = compose.until_finished(order_id, compose.place("afterwards"))
    assert set(phases.values()) == {"Completed"}
    compose.assert_books()


def test_killed_containers_change_nothing(compose: Compose) -> None:
    orders = [compose.place("killed", payment=SLOW) for _ in range(5)]
    compose.watch(orders[0], started)
    compose("kill", "-s", "SIGKILL", "operator", "payment-service", "mongodb")
    time.sleep(1)
    compose("start", "operator", "payment-service", "mongodb")
    phases = compose.until_finished(*orders)
    assert set(phases.values()) == {"Completed"}
    compose.assert_books()


def test_down_and_up_again_resumes_open_sagas(compose: Compose) -> None:
    done = compose.place("before")
    compose.until_finished(done)
    orders = [compose.place("resumed", payment=SLOW) for _ in range(5)]
    declined = compose.place("declined", payment={"method_ref": "test-declined"})
    compose.watch(orders[0], started)
    compose("down")
    compose("up", "-d")
    assert compose.watch(done, finished), "what was there before is still there"
    phases = compose.until_finished(*orders, declined)
    assert {phases[order_id] for order_id in orders} == {"Completed"}
    assert phases[declined] == "Compensated"
    compose.assert_books()


def test_the_containers_are_as_locked_in_as_the_file_says(compose: Compose) -> None:
    ours = ("order-service", "payment-service", "operator")
    look = (
        "import os; status = open('/proc/self/status').read(); print(os.getuid(), "
        "'CapEff:\\t0000000000000000' in status, 'NoNewPrivs:\\t1' in status, os.access('/', os.W_OK))"
    )
    for service in ours:
        found = docker("exec", *compose.containers(service), "python", "-c", look).stdout
        assert found.strip() == "10001 True True False", service
    for name in ("etcd", "kube-apiserver", "kube-controller-manager", "mongodb", "gateway"):
        config = json.loads(docker("inspect", *compose.containers(name), "--format", "{{json .HostConfig}}").stdout)
        assert config["ReadonlyRootfs"] is True, name
