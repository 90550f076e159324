"""An attacker at the door of the running system: a customer with a key of their own who wants the orders of others."""

import os
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest

from dev.setup.paths import CHECKOUT
from saga_operator.process.steps import ORDER_SAGA
from tests.e2e.system import Stack
from tests.support.service_client import fresh


def key_of(stack: Stack, customer_id: str) -> str:
    """A key, as the shop's operator makes it."""
    made = subprocess.run(
        [sys.executable, "-m", "services.order.keys", "create", "--customer", customer_id, "--expires", "1h"],
        env={**os.environ, **stack.wiring.env()},
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=True,
    )
    return made.stdout.strip()


@pytest.fixture
def eves_id() -> str:
    return fresh("c")


@pytest.fixture
def eve(stack: Stack, eves_id: str) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {key_of(stack, eves_id)}"}
    with httpx.Client(base_url=stack.wiring.url("order"), headers=headers) as eve:
        yield eve


def test_an_attacker_neither_sees_nor_cancels_nor_lists_the_order_of_another(stack: Stack, eve: httpx.Client) -> None:
    order_id = stack.new_id("door")
    stack.shop.place(order_id)
    for method, path in (("GET", ""), ("GET", "/saga"), ("POST", "/cancel")):
        theirs = eve.request(method, f"/api/orders/{order_id}{path}")
        nobodys = eve.request(method, f"/api/orders/o-none{path}")
        assert theirs.status_code == nobodys.status_code == 404
        assert theirs.text.replace(order_id, "o-none") == nobodys.text
    assert order_id not in eve.get("/api/orders").text
    assert eve.get("/api/orders", params={"customer_id": "c-17"}).status_code == 403
    phases = stack.until_finished(order_id)
    assert phases == {order_id: "Completed"}, "it went on undisturbed"
    stack.assert_books(phases)


def test_an_attacker_makes_no_call_of_a_saga(stack: Stack, eve: httpx.Client) -> None:
    order_id = stack.new_id("door")
    for step in ORDER_SAGA:
        for path, direction in ((step.do, "do"), (step.undo, "undo")):
            if path:
                key = {"Idempotency-Key": f"e2e/{order_id}/{step.name}/{direction}"}
                url = stack.wiring.url(step.participant) + path
                assert eve.post(url, json={"order_id": order_id}, headers=key).status_code == 401, path
    for service in ("inventory", "payment", "shipping", "notification"):
        path = {"payment": "payments", "notification": "notifications"}.get(service, service)
        assert eve.get(f"{stack.wiring.url(service)}/api/{path}").status_code == 401


def test_an_attacker_orders_in_nobodys_name_and_takes_nobodys_id(stack: Stack, eve: httpx.Client) -> None:
    order_id = stack.new_id("door")
    stack.shop.place(order_id)
    mine = {
        "order_id": order_id,
        "customer_id": "c-17",
        "currency": "EUR",
        "items": [{"product_id": "p-mug", "quantity": 2}],
        "payment": {"method_ref": "test-ok"},
        "ship_to": {"address_ref": "a-17"},
    }
    assert eve.post("/api/orders", json=mine).status_code == 403
    assert stack.until_finished(order_id) == {order_id: "Completed"}


def test_an_attacker_neither_ships_to_nor_writes_to_nor_pays_with_what_is_anothers(
    stack: Stack, eve: httpx.Client, eves_id: str
) -> None:
    """Even who knows the references: those that the shop has registered, and those of what came with an order."""
    ada, address, contact = fresh("c"), fresh("a"), fresh("k")
    of_ada = {"params": {"customer_id": ada}}
    home = {"name": "Ada", "street": "x", "city": "x", "postal_code": "1", "country": "DE"}
    stack.shop.request("PUT", "shipping", f"/api/shipping/addresses/{address}", json=home, **of_ada)
    email = {"email": "ada@example.com"}
    stack.shop.request("PUT", "notification", f"/api/notifications/contacts/{contact}", json=email, **of_ada)
    hers = stack.new_id("hers")
    method = {"method_ref": f"test-of-{ada}"}
    stack.shop.place(hers, customer_id=ada, ship_to={"address": home}, contact=email, payment=method)
    spec = stack.resource(hers)["spec"]
    inline = {"ship_to": {"address_ref": spec["shipTo"]["addressRef"]}}
    evil = {
        "AddressUnknown": [inline, {"ship_to": {"address_ref": address}}],
        "MethodUnknown": [{"payment": method}],
        "": [{"notify": {"contact_ref": name}} for name in (contact, spec["notify"]["contactRef"])],
    }
    for reason, tries in evil.items():
        for each in tries:
            order_id = stack.new_id("eve")
            order = {
                "order_id": order_id,
                "customer_id": eves_id,
                "currency": "EUR",
                "items": [{"product_id": "p-mug", "quantity": 1}],
                "payment": {"method_ref": "test-ok"},
                "ship_to": {"address": home},
                "contact": {"email": "eve@example.com"},
            }
            if "notify" in each:
                order.pop("contact")
            assert eve.post("/api/orders", json=order | each).status_code == 202
            phases = stack.until_finished(order_id)
            assert phases == {order_id: "Compensated" if reason else "Completed"}
            if reason:
                assert {each["reason"] for each in stack.resource(order_id)["status"]["conditions"]} & {reason}
            else:
                sent = stack.shop.request("GET", "notification", f"/api/notifications/ntf-{order_id}-order_confirmed")
                assert (sent.json()["status"], sent.json()["reason"]) == ("failed", "contact_unknown")
            stack.assert_books(phases)
    assert eve.delete(f"/api/customers/{eves_id}/data").is_success
    assert stack.until_finished(hers) == {hers: "Completed"}
    assert stack.shop.request("GET", "shipping", f"/api/shipping/addresses/{address}").status_code == 200
    assert stack.shop.request("GET", "notification", f"/api/notifications/contacts/{contact}").status_code == 200


def test_an_attacker_without_a_key_is_let_in_nowhere(stack: Stack) -> None:
    order_id = stack.new_id("door")
    stack.shop.place(order_id)
    with httpx.Client(base_url=stack.wiring.url("order")) as anybody:
        for method, path in (("GET", ""), ("GET", f"/{order_id}"), ("POST", f"/{order_id}/cancel"), ("POST", "")):
            answer = anybody.request(method, f"/api/orders{path}")
            assert answer.status_code == 401
            assert "server" not in answer.headers
    assert stack.until_finished(order_id) == {order_id: "Completed"}
