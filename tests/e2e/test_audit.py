"""`ordersaga audit` on a whole system: orders that ended as they should, and records that were tampered with."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.database import Database

from common.wire import Json
from dev.stack.pytest_plugin import TestControlPlane
from tests.e2e.system import NAMESPACE, PREFIX, Stack
from tests.support.samples import order

Databases = Callable[[str], Database[Json]]


@pytest.fixture(scope="module")
def databases(running_stack: Stack) -> Iterator[Databases]:
    with MongoClient[Json](running_stack.wiring.mongodb_url) as client:
        yield lambda service: client[f"{PREFIX}{service}"]


@dataclass(frozen=True)
class Auditor:
    """The command, run as the account that it has in a cluster: it may get and list this namespace's resources."""

    environment: dict[str, str]

    @classmethod
    def of(cls, stack: Stack, control_plane: TestControlPlane, folder: Path) -> "Auditor":
        """As in a cluster; its tokens go to `folder`."""
        urls = {f"ORDERSAGA_{name.upper()}_URL": url for name, url in stack.shop.urls.items()}
        return cls(
            {
                **os.environ,
                **urls,
                "KUBECONFIG": str(control_plane.identity("ordersaga-audit", NAMESPACE)),
                "ORDERSAGA_TOKENS": str(control_plane.administrator.tokens("ordersaga-audit", NAMESPACE, folder)),
                "ORDERSAGA_NAMESPACE": NAMESPACE,
                "ORDERSAGA_DATABASE_PREFIX": PREFIX,
                "ORDERSAGA_MONGODB_URL": stack.wiring.mongodb_url,
            }
        )

    def run(self, *options: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "ordersaga", "audit", *options]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=60, check=False)

    def findings(self, *options: str) -> dict[str, list[str]]:
        """What is wrong, by order."""
        done = self.run("--json", *options)
        assert done.returncode in (0, 1), done.stderr
        said = json.loads(done.stdout)
        assert said["balanced"] == (done.returncode == 0)
        found: dict[str, list[str]] = {}
        for each in said["findings"]:
            assert each["advice"]
            found.setdefault(each["subject"], []).append(f"{each['books']}: {each['what']}")
        return found


@pytest.fixture(scope="module")
def auditor(running_stack: Stack, control_plane: TestControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Auditor:
    return Auditor.of(running_stack, control_plane, tmp_path_factory.mktemp("auditor"))


@pytest.mark.parametrize("via", ["databases", "services"])
def test_orders_that_have_ended_balance(stack: Stack, auditor: Auditor, via: str) -> None:
    ended = [stack.new_id("audited") for _ in range(4)]
    # one id begins with another: the databases and the lists sort these differently
    ended.append(f"{ended[0]}-2")
    for order_id, method in zip(ended, ["test-ok", "test-declined", "test-silent", "test-ok", "test-ok"], strict=True):
        stack.shop.place(order_id, payment={"method_ref": method})
    bounced = stack.new_id("bounced")
    stack.shop.place(bounced, contact={"email": "nobody@bounce.example"})
    stack.until_finished(*ended, bounced)
    found = auditor.findings("--via", via)
    assert not {*ended, bounced, "p-mug"} & set(found), found


def test_what_was_taken_away_or_done_twice_is_named(stack: Stack, auditor: Auditor, databases: Databases) -> None:
    unpaid, unshipped, twice, left = (stack.new_id(name) for name in ("unpaid", "unshipped", "twice", "left"))
    for order_id in (unpaid, unshipped, twice):
        stack.shop.place(order_id)
    stack.shop.place(left, payment={"method_ref": "test-declined"})
    stack.until_finished(unpaid, unshipped, twice, left)
    databases("payment").payments.update_one({"_id": unpaid}, {"$set": {"refunded_minor": 2500, "status": "refunded"}})
    databases("shipping").shipments.delete_one({"_id": unshipped})
    entry = databases("payment").ledger.find_one({"order_id": twice}, {"_id": 0})
    databases("payment").ledger.insert_one(entry or {})
    databases("inventory").reservations.update_one({"_id": left}, {"$set": {"status": "reserved"}})
    try:
        found = auditor.findings()
        assert found[unpaid] == [
            "money: Completed, but net captured 0 instead of 2500 (the payment is refunded)",
        ]
        assert found[unshipped] == ["shipment: Completed, but 0 live shipments instead of 1"]
        assert found[twice] == [
            "money: 2 entries 'charge' in the payment ledger",
            "money: Completed, but the provider's ledger says 5000 instead of 2500",
        ]
        assert found[left] == ["units: Compensated, but holds {'p-mug': 2} instead of {}"]
        assert any("but the reservations hold" in what for what in found["p-mug"])
        table = auditor.run()
        assert table.returncode == 1
        rows = [row.split(maxsplit=2) for row in table.stdout.splitlines()]
        assert [unshipped, "shipment", "Completed, but 0 live shipments instead of 1"] in rows
        over_rest = auditor.findings("--via", "services")
        assert {unpaid, unshipped, left, "p-mug"} <= set(over_rest)
        assert twice not in over_rest, "ledgers don't show over REST"
    finally:
        databases("inventory").reservations.update_one({"_id": left}, {"$set": {"status": "released"}})
        databases("payment").ledger.delete_one({"order_id": twice})


def test_an_installation_without_orders_balances(auditor: Auditor, control_plane: TestControlPlane) -> None:
    control_plane.administrator.install("without-orders")
    empty = {
        "KUBECONFIG": str(control_plane.identity("ordersaga-audit", "without-orders")),
        "ORDERSAGA_NAMESPACE": "without-orders",
        "ORDERSAGA_DATABASE_PREFIX": f"{PREFIX}without_orders_",
    }
    done = Auditor(auditor.environment | empty).run()
    assert done.returncode == 0, done.stderr


def test_an_order_that_lost_its_resource_is_named_and_can_be_finished(
    stack: Stack, auditor: Auditor, tmp_path: Path
) -> None:
    order_id = stack.new_id("orphan")
    stack.operator.stop()
    stack.shop.place(order_id)
    content = stack.resource(order_id)["spec"]
    stack.kubectl("patch", "ordersaga", order_id, "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
    stack.kubectl("delete", "ordersaga", order_id)
    assert order_id not in auditor.findings(), "nothing was written yet: there is no such order"

    # What the saga's first two steps leave behind.
    body = {
        "order_id": order_id,
        "customer_id": content["customerID"],
        "currency": "EUR",
        "items": [{"product_id": "p-mug", "quantity": 2, "unit_price_minor": 1250}],
        "payment": {"method_ref": "test-ok"},
        "ship_to": {"address_ref": "a-17"},
        "notify": {"contact_ref": "c-17"},
    }
    key = {"Idempotency-Key": f"{NAMESPACE}/{order_id}/order/do", **stack.stolen("order")}
    assert stack.shop.request("POST", "order", "/api/orders/create", json=body, headers=key).status_code == 200
    for via in ("services", "databases"):
        assert auditor.findings("--via", via)[order_id] == [
            f"saga: the order is PENDING, and there is no OrderSaga {order_id} in namespace {NAMESPACE}"
        ]

    assert auditor.run("--restore", str(tmp_path)).returncode == 1
    restored = json.loads((tmp_path / f"{order_id}.json").read_text())
    assert restored["spec"].items() <= content.items()
    stack.kubectl("apply", "-f", "-", manifest=restored)
    assert order_id not in auditor.findings(), "its saga is at work again"
    stack.start()
    phases = stack.until_finished(order_id)
    assert phases == {order_id: "Completed"}
    assert order_id not in auditor.findings()


def test_what_a_person_did_is_known_when_the_resource_is_gone(stack: Stack, auditor: Auditor) -> None:
    by_hand, skipped = stack.new_id("by-hand"), stack.new_id("skipped")
    stuck = {"payment": {"methodRef": "test-refund-stuck"}, "shipTo": {"addressRef": "a-nowhere"}}
    stack.services["notification"].stop()
    for order_id, more in ((by_hand, stuck), (skipped, {})):
        stack.kubectl("apply", "-f", "-", manifest=expiring(order_id, **more))
    intervene(stack, skipped, "{.status.currentStep}=notification", action="Skip", step="notification")
    stack.until(skipped, lambda order: order["saga"] is None)
    stack.start()
    intervene(stack, by_hand, "{.status.phase}=Failed", action="MarkCompensated", step="payment")
    stack.until(by_hand, lambda order: order["saga"] is None)
    for via in ("databases", "services"):
        said = json.loads(auditor.run("--json", "--via", via).stdout)
        about = {each["subject"]: each["by_hand"] for each in said["findings"] if each["subject"] in (by_hand, skipped)}
        assert about == {by_hand: True}, via


def test_a_record_that_can_not_be_read_is_a_finding_of_its_own_order(
    stack: Stack, auditor: Auditor, databases: Databases
) -> None:
    strange = {"order_id": stack.new_id("strange")}
    databases("payment").ledger.insert_one(dict(strange))
    try:
        audit = auditor.run("--json")
    finally:
        databases("payment").ledger.delete_one(strange)
    assert audit.returncode == 1
    assert strange["order_id"] in {each["subject"] for each in json.loads(audit.stdout)["findings"]}


def expiring(order_id: str, **spec: Any) -> Json:
    """An order whose resource is deleted a second after its end."""
    return order(order_id, ttlSecondsAfterFinished=1, **spec)


def intervene(stack: Stack, order_id: str, moment: str, **intervention: str) -> None:
    """Wait for that moment, and intervene as a person would."""
    stack.kubectl("wait", f"--for=jsonpath={moment}", "--timeout=120s", f"ordersaga/{order_id}")
    patch = {"spec": {"intervention": {"id": "1", "reason": "done by hand", **intervention}}}
    stack.kubectl("patch", "ordersaga", order_id, "--type=merge", "-p", json.dumps(patch))


def test_a_source_that_can_not_be_read_is_named(auditor: Auditor) -> None:
    nowhere = auditor.run("--mongodb-url", "mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=200")
    assert (nowhere.returncode, nowhere.stdout) == (2, "")
    assert "database of" in nowhere.stderr
    assert "ORDERSAGA_MONGODB_URL" in nowhere.stderr
    forbidden = auditor.run("--namespace", "somewhere-else")
    assert forbidden.returncode == 2
    assert "Forbidden" in forbidden.stderr
