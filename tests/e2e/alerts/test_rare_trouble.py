"""What hardly ever happens is made to happen, and a real Prometheus says so until it is over."""

import asyncio
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import trustme

from common.kube import KubeClient, OrderSagas
from dev.stack.parts.applications import Service
from dev.stack.processes import free_port, wait_ready
from dev.stack.pytest_plugin import TestControlPlane
from tests.e2e.alerts.people import changed, saga
from tests.e2e.alerts.prometheus import Prometheus
from tests.e2e.system import NAMESPACE, Stack, step_states
from tests.e2e.test_strangers import content, stranger
from tests.operator.faulty import POISONED, REPAIRED
from tests.support.samples import order
from tests.support.secrets import MountedSecret, pair
from tests.support.wrong_clock import wrong_clock

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

PATIENT = {"maxAttempts": 100, "initialBackoffSeconds": 2, "maxBackoffSeconds": 2}
UNPAID = {"payment": {"methodRef": "test-unavailable-9999"}, "retry": PATIENT}
"""An order that waits for its payment without an end, and costs the participant its good name with nobody."""


def test_an_order_that_a_stranger_made_has_no_saga_until_it_is_cancelled(seen: Prometheus, stack: Stack) -> None:
    strange = stack.new_id("strange")
    made = stranger(stack, "/api/orders/create", strange, "order", "do", json=content(strange))
    assert made["http_status"] == 200
    fired = seen.until_fires("OrdersWithoutSaga", severity="warning")
    assert "nobody goes on with them" in fired["annotations"]["description"]
    assert strange in stack.services["order"].log.read_text()
    assert stack.shop.cancel(strange).status_code == 202
    seen.until_ends("OrdersWithoutSaga")
    assert stack.until_finished(strange) == {strange: "Compensated"}


def test_a_person_who_wants_the_same_step_called_again_and_again(seen: Prometheus, stack: Stack) -> None:
    hasty = stack.new_id("hasty")
    stack.kubectl("apply", "-f", "-", manifest=order(hasty, **UNPAID))
    stack.until(hasty, lambda shown: step_states(shown).get("inventory") == "Succeeded")

    async def insist() -> None:
        client = KubeClient.from_config(stack.kubeconfig, user_agent="a-person")
        sagas = OrderSagas(client, NAMESPACE)
        try:
            for number in range(400):
                wish = {"id": f"again-{number}", "action": "RetryNow", "step": "payment", "reason": "now"}
                await sagas.patch(hasty, {"spec": {"intervention": wish}})
                await asyncio.sleep(0.05)
                if await asyncio.to_thread(seen.firing, "SagaCallsThrottled", step="payment"):
                    return
        finally:
            await client.aclose()

    asyncio.run(insist())
    seen.until_fires("SagaCallsThrottled", step="payment", severity="warning")
    assert stack.operator.log.read_text().count(hasty) > 20, "the log names it again and again"
    saga(stack, "cancel", hasty, "--yes")
    seen.until_ends("SagaCallsThrottled")
    assert stack.until_finished(hasty) == {hasty: "Compensated"}


def test_more_orders_than_the_operator_takes_in(seen: Prometheus, stack: Stack) -> None:
    waiting = [stack.new_id(f"many-{number}") for number in range(4)]
    with changed(stack, stack.operator, ORDERSAGA_MAX_SAGAS="2"):
        for order_id in waiting:
            stack.kubectl("apply", "-f", "-", manifest=order(order_id, **UNPAID))
        fired = seen.until_fires("SagasNotTakenIn", severity="warning")
        assert fired["annotations"]["description"].startswith("2 OrderSagas")
        for order_id in waiting[:2]:
            saga(stack, "cancel", order_id, "--yes")
        seen.until_ends("SagasNotTakenIn")
        for order_id in waiting[2:]:
            saga(stack, "cancel", order_id, "--yes")
        assert set(stack.until_finished(*waiting).values()) == {"Compensated"}


def test_a_defect_that_one_order_alone_meets(seen: Prometheus, stack: Stack, tmp_path: Path) -> None:
    repaired, beside = tmp_path / "repaired", stack.new_id("beside")
    faulty = [sys.executable, "-c", "from tests.operator.faulty import run; run('worker')"]
    with changed(stack, stack.operator, command=faulty, **{REPAIRED: str(repaired)}):
        stack.shop.place(POISONED)
        seen.until_fires("SagaWorkerFailed", severity="warning")
        assert POISONED in stack.kubectl("get", "events", "--field-selector", "reason=WorkerFailed").stdout
        assert POISONED in saga(stack, "list", "--reason", "WorkerFailed")
        stack.shop.place(beside)
        assert stack.until_finished(beside) == {beside: "Completed"}
        repaired.touch()
        assert stack.until_finished(POISONED) == {POISONED: "Completed"}
        seen.until_ends("SagaWorkerFailed")


def test_an_operator_whose_hosts_clock_is_wrong(seen: Prometheus, stack: Stack, tmp_path: Path) -> None:
    ahead = stack.new_id("ahead")
    with changed(stack, stack.operator, **wrong_clock(tmp_path, 120.0)):
        fired = seen.until_fires("ClockSkewed", pod="operator", severity="warning")
        assert float(fired["value"]) == pytest.approx(120, abs=5)
        stack.shop.place(ahead)
        assert stack.until_finished(ahead) == {ahead: "Completed"}, "no order depends on it"
    seen.until_ends("ClockSkewed")


def test_a_certificate_that_nobody_renews(
    seen: Prometheus, stack: Stack, control_plane: TestControlPlane, tmp_path: Path
) -> None:
    """Of one more replica, which speaks TLS."""
    authority = trustme.CA()
    tls = MountedSecret(tmp_path / "tls", pair(authority, "localhost", days=0.1))
    ports = {**stack.wiring.service_ports, "payment": free_port()}
    replica = Service(
        "payment",
        replace(stack.wiring, service_ports=ports, certificate=tls.folder, logs=tmp_path),
        kubeconfig=control_plane.identity("payment-service", NAMESPACE),
        tokens=stack.tokens_of("payment"),
    )
    replica.start()
    try:
        wait_ready([replica])
        with seen.watching("payment-tls", replica.url, authority=tls / "ca.crt"):
            fired = seen.until_fires("CertificateNotRenewed", service="payment", severity="critical")
            assert "of its life left" in fired["annotations"]["description"].replace("\n", " ")
            tls.replace(pair(authority, "localhost"))
            seen.until_ends("CertificateNotRenewed")
    finally:
        replica.stop()
