"""Orders that come from Git: applied, pruned, and applied again by something that knows no better."""

from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from common.services import SERVICES
from common.wire import Json
from dev.stack.waiting import wait_until
from tests.e2e.system import PREFIX, Stack
from tests.support import yamls

SAMPLES = Path(__file__).resolve().parents[2] / "manifests" / "samples"


def manifest(order_id: str, sample: str = "o-sample-mug", **spec: Any) -> Json:
    """A sample order as it would stand in a repository, under another id."""
    found: Json = yamls.load((SAMPLES / f"{sample}.yaml").read_text())
    return {**found, "metadata": {"name": order_id}, "spec": {**found["spec"], "orderID": order_id, **spec}}


def apply(stack: Stack, order: Json, ends: str) -> Json:
    """Apply it as GitOps tools do (server-side) and wait for this phase; its status then."""
    stack.kubectl("apply", "--server-side", "--field-manager=gitops", "-f", "-", manifest=order)
    name = order["metadata"]["name"]
    stack.kubectl("wait", f"--for=jsonpath={{.status.phase}}={ends}", "--timeout=60s", f"ordersaga/{name}")
    status: Json = stack.resource(name)["status"]
    return status


def prune(stack: Stack, order_id: str) -> None:
    """What happens when the manifest leaves the repository."""
    stack.kubectl("delete", "ordersaga", order_id, "--wait=true", "--timeout=60s")


def world(mongodb_url: str, order_id: str) -> dict[str, list[Json]]:
    """Everything that the databases hold about the order: ledgers, money, goods, shipments, messages.

    The stories of its resources are no part of it: each resource that is deleted adds its own.
    """
    found: dict[str, list[Json]] = {}
    with MongoClient[Json](mongodb_url) as client:
        for service in SERVICES:
            database = client[f"{PREFIX}{service}"]
            for collection in sorted({*database.list_collection_names()} - {"sagas"}):
                query = {"$or": [{"_id": order_id}, {"order_id": order_id}, {"_id.order_id": order_id}]}
                if documents := list(database[collection].find(query).sort("_id")):
                    found[f"{service}.{collection}"] = documents
            if service == "inventory":
                found["stock"] = list(database["products"].find({"_id": "p-mug"}))
    return found


def _order(mongodb_url: str, order_id: str) -> Json:
    return world(mongodb_url, order_id)["order.orders"][0]


def ledgers(stack: Stack, order_id: str) -> dict[str, Json]:
    return {name: dict(stack.books.ledger(name, order_id)) for name in ("payment", "shipping", "notification")}


def test_a_completed_order_that_is_applied_again_is_completed_again_and_charged_once(
    stack: Stack, mongodb_url: str
) -> None:
    order = manifest(stack.new_id("git-again"))
    order_id = order["metadata"]["name"]
    first = apply(stack, order, "Completed")
    wait_until("known to the order service as ended", lambda: _order(mongodb_url, order_id)["saga_ended"], 30)
    before = world(mongodb_url, order_id)
    uid = stack.resource(order_id)["metadata"]["uid"]
    assert ledgers(stack, order_id)["payment"] == {"charge": 1}
    assert set(before) > {"order.orders", "payment.payments", "shipping.shipments", "notification.notifications"}

    prune(stack, order_id)
    again = apply(stack, order, "Completed")

    assert stack.resource(order_id)["metadata"]["uid"] != uid
    external_ids = [[step.get("externalID") for step in status["steps"]] for status in (first, again)]
    assert external_ids[0] == external_ids[1]
    assert {step["attempts"] for step in again["steps"]} == {1}  # every step was called again
    assert ledgers(stack, order_id)["payment"] == {"charge": 1}
    assert world(mongodb_url, order_id) == before
    stack.assert_books({order_id: "Completed"})


@pytest.mark.parametrize("cancelled_by", ["pruning", "state"])
def test_a_cancelled_order_that_is_applied_again_is_compensated_without_an_effect(
    stack: Stack, mongodb_url: str, cancelled_by: str
) -> None:
    order = manifest(stack.new_id(f"git-{cancelled_by}"), payment={"methodRef": "test-processing"})
    order_id = order["metadata"]["name"]
    stack.kubectl("apply", "--server-side", "--field-manager=gitops", "-f", "-", manifest=order)
    stack.kubectl("wait", "--for=jsonpath={.status.currentStep}=payment", "--timeout=60s", f"ordersaga/{order_id}")
    if cancelled_by == "state":
        apply(stack, {**order, "spec": {**order["spec"], "state": "Cancelled"}}, "Compensated")
    prune(stack, order_id)
    wait_until("known to the order service as ended", lambda: _order(mongodb_url, order_id)["saga_ended"], 30)
    before = world(mongodb_url, order_id)
    assert ledgers(stack, order_id)["payment"] in ({}, {"charge": 1, "refund": 1})

    again = apply(stack, order, "Compensated")

    assert again["failure"]["reason"] == "OrderAlreadyCancelled"
    # every undo is asked again, and answers as before
    states = {step["name"]: step["state"] for step in again["steps"]}
    assert states["inventory"] == "Compensated"
    assert {states[name] for name in ("payment", "shipping")} <= {"Compensated", "Skipped"}
    assert world(mongodb_url, order_id) == before
    stack.assert_books({order_id: "Compensated"})


def test_another_order_under_a_used_name_ends_without_touching_the_first(stack: Stack, mongodb_url: str) -> None:
    order = manifest(stack.new_id("git-other"))
    order_id = order["metadata"]["name"]
    apply(stack, order, "Completed")
    prune(stack, order_id)
    before = world(mongodb_url, order_id)

    dearer = [{**order["spec"]["items"][0], "quantity": 3}]
    status = apply(stack, {**order, "spec": {**order["spec"], "items": dearer}}, "Compensated")

    assert status["failure"]["reason"] == "OrderIDUsed"
    assert world(mongodb_url, order_id) == before
    stack.assert_books({order_id: "Completed"})
