"""Calls of strangers: refused without the operator's token, and not taken for its own with a stolen one."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from common.services import SERVICES
from common.wire import Json
from dev.stack.demo.shop import ADDRESS
from dev.stack.processes import Process
from dev.stack.waiting import wait_until
from saga_operator.process.steps import ORDER_SAGA
from tests.e2e.system import NAMESPACE, Stack, step_states
from tests.support.samples import order as manifest


@contextmanager
def paused(process: Process) -> Iterator[None]:
    """The process neither answers nor ends."""
    os.kill(process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process.pid, signal.SIGCONT)


def content(order_id: str) -> Json:
    """What create, confirm and reject of the sample order carry."""
    return {
        "order_id": order_id,
        "customer_id": "c-17",
        "currency": "EUR",
        "items": [{"product_id": "p-mug", "quantity": 2, "unit_price_minor": 1250}],
        "payment": {"method_ref": "test-ok"},
        "ship_to": {"address_ref": "a-17"},
        "notify": {"contact_ref": "c-17"},
    }


def stranger(stack: Stack, path: str, order_id: str, step: str, direction: str, **options: Json | str) -> Json:
    """A call of the saga that the operator doesn't make, with a token that was stolen from it; its answer."""
    headers = {"Idempotency-Key": f"{NAMESPACE}/{order_id}/{step}/{direction}", **stack.stolen("order")}
    if epoch := options.get("epoch"):
        headers["Saga-Epoch"] = str(epoch)
    answer = stack.shop.request("POST", "order", path, json=options["json"], headers=headers)
    return {**answer.json(), "http_status": answer.status_code}


def patch(stack: Stack, order_id: str, spec: str) -> None:
    stack.kubectl("patch", "ordersaga", order_id, "--type=merge", "-p", f'{{"spec":{{{spec}}}}}')


STEPS = {f"{step.participant} {path}": (step, path) for step in ORDER_SAGA for path in (step.do, step.undo) if path}


@pytest.mark.parametrize("step", STEPS)
def test_nobody_but_the_operator_makes_a_call_of_a_saga(step: str, stack: Stack) -> None:
    """Neither without a token, nor with one for another participant, nor as another account of the same namespace."""
    row, path = STEPS[step]
    other = "payment" if row.participant != "payment" else "inventory"
    order_id = stack.new_id("stranger")
    direction = "undo" if path == row.undo else "do"
    key = {"Idempotency-Key": f"{NAMESPACE}/{order_id}/{row.name}/{direction}"}
    body = content(order_id)
    for headers, status in (
        ({}, 401),
        (stack.stolen(other), 401),
        ({"Authorization": f"Bearer {stack.token('default', row.participant)}"}, 403),
        ({"Authorization": f"Bearer {stack.token('order-service', row.participant)}"}, 403),
    ):
        answer = stack.shop.request(
            "POST", row.participant, str(path), json=body, headers={**key, **headers}, anonymous=not headers
        )
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert stack.shop.request("GET", "order", f"/api/orders/{order_id}").status_code == 404, "nothing was stored"


WRITES = {
    "order": ("PUT", "/api/orders/o-none/status"),
    "inventory": ("PUT", "/api/inventory/p-mug"),
    "payment": ("POST", "/api/payments/refund"),
    "shipping": ("PUT", "/api/shipping/s-none/status"),
    "notification": ("DELETE", "/api/notifications/contacts/c-17"),
}
"""At each service something that no other service does."""


@pytest.mark.parametrize("service", SERVICES)
def test_what_is_stolen_from_a_service_is_worth_nothing_elsewhere(service: str, stack: Stack) -> None:
    """Neither the tokens that it holds, nor the operator's that it is shown, nor its identity with the right
    audience.
    """
    held = [path.read_text() for path in stack.tokens_of(service).iterdir()]
    for other, (method, path) in WRITES.items():
        if other == service:
            continue
        seen = (stack.tokens / service).read_text()
        made = stack.token(f"{service}-service", other)
        for token, expected in (*((each, {401, 403}) for each in held), (seen, {401}), (made, {403})):
            answer = stack.shop.request(method, other, path, headers={"Authorization": f"Bearer {token}"})
            assert answer.status_code in expected, (other, answer.text)
            assert answer.headers["content-type"] == "application/problem+json"


def test_a_service_that_is_not_let_in_at_its_neighbour_says_so_and_decides_nothing(stack: Stack) -> None:
    """A token that isn't believed is like a neighbour that is away: 503, and the same request succeeds afterwards."""
    order_id = stack.new_id("not-let-in")
    address = {"ship_to": {"address": ADDRESS}}
    body = {"customer_id": "c-17", "currency": "EUR", "items": [{"product_id": "p-mug", "quantity": 1}]}
    body |= {"order_id": order_id, "payment": {"method_ref": "test-ok"}, **address}
    token = stack.tokens_of("order") / "shipping"
    good = token.read_text()
    try:
        token.write_text("not.a.token")
        stack.services["order"].stop()
        stack.start()
        answer = stack.shop.request("POST", "order", "/api/orders", json=body, headers={"Idempotency-Key": order_id})
        assert (answer.status_code, answer.json()["code"], answer.json()["retryable"]) == (503, "unavailable", True)
        assert "token" not in answer.text, "that is for our log"
    finally:
        token.write_text(good)

    def placed() -> bool:
        again = stack.shop.request("POST", "order", "/api/orders", json=body, headers={"Idempotency-Key": order_id})
        return again.status_code == 202

    wait_until("the order is placed without a restart", placed, 30)
    phases = stack.until_finished(order_id)
    assert phases == {order_id: "Completed"}
    stack.assert_books(phases)


def test_an_order_that_a_stranger_closed_is_undone_all_the_same(stack: Stack) -> None:
    order_id = stack.new_id("closed")
    with paused(stack.services["shipping"]):
        stack.kubectl("apply", "-f", "-", manifest=manifest(order_id))
        stack.until(order_id, lambda order: step_states(order).get("payment") == "Succeeded")
        patch(stack, order_id, '"state":"Suspended"')
    stack.kubectl("wait", "--for=jsonpath={.status.phase}=Suspended", "--timeout=60s", f"ordersaga/{order_id}")

    rejected = stranger(stack, "/api/orders/reject", order_id, "confirmation", "undo", json=content(order_id))
    cancelled = stranger(stack, "/api/orders/cancel", order_id, "order", "undo", json={"order_id": order_id})
    assert (rejected["status"], cancelled["status"]) == ("CANCELLING", "CANCELLED")
    patch(stack, order_id, '"state":"Active"')

    phases = stack.until_finished(order_id)
    assert phases == {order_id: "Compensated"}
    assert stack.books.ledger("payment", order_id) == {"charge": 1, "refund": 1}
    stack.assert_books(phases)


def test_an_order_that_a_stranger_confirmed_and_nobody_pays_waits_for_a_person_and_then_ends(stack: Stack) -> None:
    order_id = stack.new_id("unpaid")
    declined = {"payment": {"methodRef": "test-declined"}}
    with paused(stack.services["payment"]):
        stack.kubectl("apply", "-f", "-", manifest=manifest(order_id, **declined))
        stack.until(order_id, lambda order: step_states(order).get("inventory") == "Succeeded")
        body = {**content(order_id), "payment": {"method_ref": "test-declined"}}
        confirmed = stranger(stack, "/api/orders/confirm", order_id, "confirmation", "do", json=body)
        assert confirmed["status"] == "CONFIRMED"
    stack.kubectl("wait", "--for=jsonpath={.status.phase}=Failed", "--timeout=60s", f"ordersaga/{order_id}")
    ready = next(c for c in stack.resource(order_id)["status"]["conditions"] if c["type"] == "Ready")
    assert ready["reason"] == "RefusedAfterConfirmation"

    stack.kubectl("delete", "ordersaga", order_id, "--wait=false")
    skip = '"intervention":{"id":"s-1","action":"Skip","step":"payment","reason":"the customer has paid in cash"}'
    patch(stack, order_id, skip)
    stack.kubectl("wait", "--for=delete", "--timeout=60s", f"ordersaga/{order_id}")
    assert stack.books.ledger("payment", order_id)["charge"] == 0


def test_an_epoch_that_a_stranger_sends_does_not_make_an_order_immortal(stack: Stack) -> None:
    order_id = stack.new_id("epoch")
    headers = {"path": "/api/orders/create", "order_id": order_id, "step": "order", "direction": "do"}
    far = stranger(stack, **headers, json=content(order_id), epoch=str(2**63 - 1))
    assert (far["http_status"], far["code"]) == (422, "epoch_ahead")
    near = stranger(stack, **headers, json=content(order_id), epoch=str(far["clock"] + 500_000))
    assert near["http_status"] == 200
    stack.kubectl("apply", "-f", "-", manifest=manifest(order_id))
    phases = stack.until_finished(order_id)
    assert phases == {order_id: "Completed"}
    stack.assert_books(phases)
