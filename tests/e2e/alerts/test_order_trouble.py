"""Orders are in trouble, and a real Prometheus says so until a person has mended it, as the runbooks say."""

import pytest

from dev.stack.pytest_plugin import TestControlPlane
from tests.e2e.alerts.people import customers, saga
from tests.e2e.alerts.prometheus import Prometheus
from tests.e2e.system import NAMESPACE, Stack, step_states
from tests.support.samples import order

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


def test_a_participant_that_is_gone_is_named_and_orders_become_late(seen: Prometheus, stack: Stack) -> None:
    with customers(stack) as placed:
        stack.services["payment"].kill()
        seen.until_fires("ParticipantDown", participant="payment", severity="critical")
        assert not seen.firing("ParticipantDown", participant="order")
        assert "payment" in saga(stack, "doctor")
        stack.start()
        seen.until_ends("ParticipantDown")
        seen.until_fires("SagasLate", severity="critical", window="1h")
        seen.until_ends("SagasLate", severity="critical")
    assert set(stack.until_finished(*placed).values()) == {"Completed"}


def test_an_order_that_is_stuck_while_others_end(seen: Prometheus, stack: Stack) -> None:
    stuck = stack.new_id("stuck")
    patient = {"maxAttempts": 100, "initialBackoffSeconds": 2, "maxBackoffSeconds": 2}
    manifest = order(stuck, payment={"methodRef": "test-unavailable-9999"}, retry=patient)
    stack.kubectl("apply", "-f", "-", manifest=manifest)
    with customers(stack) as placed:
        fired = seen.until_fires("SagaStuck", phase="Running")
        assert "whatever becomes of other orders" in fired["annotations"]["description"]
        ended = list(placed[:-4])
        assert len(ended) > 10
        assert set(stack.until_finished(*ended, seconds=5).values()) == {"Completed"}
        assert not seen.firing("ParticipantDown"), "one order without an answer is none of the participant's trouble"
        assert stuck in saga(stack, "list", "--sort", "waiting")
        assert "payment" in saga(stack, "why", stuck)
        saga(stack, "cancel", stuck, "--yes")
        seen.until_ends("SagaStuck")
    assert stack.until_finished(stuck, *placed)[stuck] == "Compensated"


def test_an_order_that_could_not_be_undone_waits_for_a_person(seen: Prometheus, stack: Stack) -> None:
    failed = stack.new_id("failed")
    trouble = {"payment": {"methodRef": "test-refund-stuck"}, "shipTo": {"addressRef": "a-nowhere"}}
    stack.kubectl("apply", "-f", "-", manifest=order(failed, **trouble))
    seen.until_fires("SagaCompensationFailed", severity="critical")
    assert failed in saga(stack, "list", "--needs-person")
    assert "retry" in saga(stack, "why", failed)
    stack.shop.request("POST", "payment", "/api/payments/test/repair", json={"order_id": failed}).raise_for_status()
    saga(stack, "retry", failed, "payment", "--reason", "the provider is back", "--yes")
    seen.until_ends("SagaCompensationFailed")
    assert stack.until_finished(failed) == {failed: "Compensated"}
    ((_, done),) = seen.query('increase(ordersaga_interventions_total{action="RetryNow", outcome="Intervened"}[2m])')
    assert done > 0


def test_a_participant_that_takes_a_call_for_another_one_gives_an_answer_that_it_never_should(
    seen: Prometheus, stack: Stack
) -> None:
    mistaken = stack.new_id("mistaken")
    key = {"Idempotency-Key": f"{NAMESPACE}/{mistaken}/inventory/do", **stack.stolen("inventory")}
    line = {"product_id": "p-mug", "quantity": 1, "unit_price_minor": 1250}
    other = {"order_id": mistaken, "currency": "EUR", "items": [line]}
    reserved = stack.shop.request("POST", "inventory", "/api/inventory/reserve", json=other, headers=key)
    assert reserved.status_code == 200
    patient = {"maxAttempts": 100, "initialBackoffSeconds": 1, "maxBackoffSeconds": 1}
    stack.kubectl("apply", "-f", "-", manifest=order(mistaken, retry=patient))
    seen.until_fires("ParticipantError", participant="inventory")
    assert "key_reused" in saga(stack, "why", mistaken)
    saga(stack, "cancel", mistaken, "--yes")
    seen.until_ends("ParticipantError")
    assert stack.until_finished(mistaken) == {mistaken: "Compensated"}


def test_a_service_that_does_not_get_on_beside_its_requests(
    seen: Prometheus, stack: Stack, control_plane: TestControlPlane
) -> None:
    """It looks for the resources of orders that have not ended, and isn't allowed to."""
    waiting = stack.new_id("waiting")
    patient = {"maxAttempts": 100, "initialBackoffSeconds": 1, "maxBackoffSeconds": 1}
    manifest = order(waiting, payment={"methodRef": "test-unavailable-9999"}, retry=patient)
    stack.kubectl("apply", "-f", "-", manifest=manifest)
    stack.until(waiting, lambda shown: step_states(shown).get("inventory") == "Succeeded")
    stack.kubectl("delete", "rolebinding", "order-service")
    try:
        fired = seen.until_fires("BackgroundWorkFailing", service="order")
        assert "lost OrderSagas" in fired["annotations"]["description"]
    finally:
        control_plane.administrator.install(NAMESPACE)
    seen.until_ends("BackgroundWorkFailing")
    saga(stack, "cancel", waiting, "--yes")
    assert stack.until_finished(waiting) == {waiting: "Compensated"}
