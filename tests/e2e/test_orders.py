"""Orders through all real parts, as customers and administrators send them."""

import json
from pathlib import Path

import pytest

from tests.e2e.system import Stack, step_states
from tests.support import yamls

SAMPLES = Path(__file__).resolve().parents[2] / "manifests" / "samples"


def test_an_order_over_rest_completes_and_every_step_is_recorded(stack: Stack) -> None:
    order_id = stack.new_id("ok")
    placed = stack.shop.place(order_id)
    assert placed["order_id"] == order_id
    phases = stack.until_finished(order_id)
    assert phases == {order_id: "Completed"}
    order = stack.shop.order(order_id)
    assert order["status"] == "CONFIRMED"
    assert order["total_minor"] == 2500
    assert set(step_states(order).values()) == {"Succeeded"}
    status = stack.resource(order_id)["status"]
    assert status["stepsSummary"] == "6/6"
    assert status["total"] == "25.00 EUR"
    stack.assert_books(phases)


def test_an_order_placed_again_is_the_same_order(stack: Stack) -> None:
    order_id = stack.new_id("twice")
    stack.shop.place(order_id)
    stack.shop.place(order_id)
    phases = stack.until_finished(order_id)
    stack.shop.place(order_id)
    stack.assert_books(phases)
    assert stack.books.ledger("payment", order_id) == {"charge": 1}


@pytest.mark.parametrize(
    ("name", "changes", "step", "reason"),
    [
        ("blocked", {"customer_id": "c-blocked"}, "order", "CustomerBlocked"),
        ("soldout", {"items": [{"product_id": "p-shirt", "quantity": 9999}]}, "inventory", "OutOfStock"),
        ("declined", {"payment": {"method_ref": "test-declined"}}, "payment", "CardDeclined"),
        ("nofunds", {"payment": {"method_ref": "test-insufficient-funds"}}, "payment", "InsufficientFunds"),
        ("nowhere", {"ship_to": {"address_ref": "a-nowhere"}}, "shipping", "AddressUnknown"),
        (
            "antarctica",
            {
                "ship_to": {
                    "address": {
                        "name": "Penguin",
                        "street": "Ice 1",
                        "city": "McMurdo",
                        "postal_code": "0",
                        "country": "AQ",
                    }
                }
            },
            "shipping",
            "NotServiceable",
        ),
    ],
)
def test_a_refusal_compensates_what_was_done_before(
    stack: Stack, name: str, changes: dict[str, object], step: str, reason: str
) -> None:
    order_id = stack.new_id(name)
    stack.shop.place(order_id, **changes)
    phases = stack.until_finished(order_id)
    assert phases == {order_id: "Compensated"}
    failure = stack.resource(order_id)["status"]["failure"]
    assert (failure["step"], failure["reason"]) == (step, reason)
    stack.assert_books(phases)


@pytest.mark.parametrize("method", ["test-processing", "test-silent", "test-unavailable-2"])
def test_a_slow_silent_or_unavailable_provider_charges_once(stack: Stack, method: str) -> None:
    order_id = stack.new_id(method)
    stack.shop.place(order_id, payment={"method_ref": method})
    phases = stack.until_finished(order_id)
    assert phases == {order_id: "Completed"}
    assert stack.books.ledger("payment", order_id) == {"charge": 1}
    stack.assert_books(phases)


@pytest.mark.parametrize(("sample", "ends"), [("o-sample-mug", "Completed"), ("o-sample-declined", "Compensated")])
def test_a_sample_manifest_is_applied_and_ends(stack: Stack, sample: str, ends: str) -> None:
    manifest = yamls.load((SAMPLES / f"{sample}.yaml").read_text())
    stack.kubectl("apply", "-f", "-", manifest=manifest)
    if ends == "Completed":
        stack.kubectl("wait", "--for=condition=Ready", "--timeout=60s", f"ordersaga/{sample}")
    phases = stack.until_finished(sample)
    assert phases == {sample: ends}
    stack.assert_books(phases)


def test_a_finished_order_reads_well(stack: Stack) -> None:
    order_id = stack.new_id("reads")
    stack.shop.place(order_id)
    stack.until_finished(order_id)
    row = stack.kubectl("get", "osaga", order_id, "--no-headers").stdout
    assert order_id in row
    assert "Completed" in row
    assert "25.00 EUR" in row
    listed = stack.kubectl("get", "ordersagas", "--field-selector", "status.phase=Completed", "-o", "json").stdout
    assert order_id in {item["metadata"]["name"] for item in json.loads(listed)["items"]}
