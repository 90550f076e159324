"""The whole system under the chart's admission policies: they are in nobody's way, and people are named."""

import json
from collections.abc import Iterator

import pytest

from common.wire import Json
from dev.release import render
from dev.stack.waiting import wait_until
from tests.e2e.system import NAMESPACE, Stack, step_states
from tests.support import yamls

POLICIES = ("--set", "policies.enabled=true,policies.stamp=true", "--show-only", "templates/policies.yaml")
CANCEL = ("--type=merge", "-p", '{"spec":{"state":"Cancelled"}}')


@pytest.fixture(scope="module")
def guarded(running_stack: Stack) -> Iterator[Stack]:
    """With the policies in its namespace, in which alice may edit orders."""
    texts = render.template(*POLICIES, namespace=NAMESPACE)["policies.yaml"]
    api = "rbac.authorization.k8s.io"
    bindings: list[Json] = [
        {
            "apiVersion": f"{api}/v1",
            "kind": "RoleBinding",
            "metadata": {"name": f"alice-{role}", "namespace": NAMESPACE},
            "roleRef": {"apiGroup": api, "kind": "ClusterRole", "name": f"ordersaga-{role}"},
            "subjects": [{"apiGroup": api, "kind": "User", "name": "alice"}],
        }
        for role in ("viewer", "editor")
    ]
    objects: Json = {"apiVersion": "v1", "kind": "List", "items": [*map(yamls.load, texts), *bindings]}
    running_stack.start()
    running_stack.kubectl("apply", "--server-side", "-f", "-", manifest=objects)
    try:
        probe = running_stack.new_id("probe")
        running_stack.shop.place(probe, payment={"method_ref": "test-processing"})
        # A dry run is admitted like any other request.
        forged = ("--dry-run=server", "--type=merge", "-p", '{"spec":{"state":"Suspended","requestedBy":"bob"}}')
        refused = lambda: "nobody else" in running_stack.kubectl("patch", "osaga", probe, *forged, check=False).stderr  # noqa: E731
        wait_until("the policies are in force", refused, 30)
        running_stack.until_finished(probe)
        yield running_stack
    finally:
        running_stack.kubectl("delete", "-f", "-", manifest=objects)


def test_orders_go_their_way_under_the_policies(stack: Stack, guarded: Stack) -> None:
    completed, declined, gone = (stack.new_id(name) for name in ("clean", "declined", "gone"))
    stack.shop.place(completed)
    stack.shop.place(declined, payment={"method_ref": "test-declined"})
    phases = stack.until_finished(completed, declined)
    assert phases == {completed: "Completed", declined: "Compensated"}
    manifest = {**stack.resource(completed), "status": None}
    spec = manifest["spec"] | {"orderID": gone, "ttlSecondsAfterFinished": 1}
    order = {"apiVersion": manifest["apiVersion"], "kind": manifest["kind"], "metadata": {"name": gone}, "spec": spec}
    stack.kubectl("apply", "-f", "-", manifest=order)
    stack.until(gone, lambda order: order["saga"] is None and order["status"] == "CONFIRMED")
    stack.assert_books({**phases, gone: "Completed"})
    assert "requestedBy" not in stack.resource(completed)["spec"], "nothing is added to an order that nobody touched"


def test_who_cancelled_is_in_the_resource_and_in_the_archive(stack: Stack, guarded: Stack) -> None:
    order_id = stack.new_id("alice")
    stack.shop.place(order_id, payment={"method_ref": "test-processing"})
    stack.kubectl("patch", "ordersaga", order_id, *CANCEL, "--as=alice")
    phases = stack.until_finished(order_id)
    assert phases == {order_id: "Compensated"}
    assert "alice cancelled the order" in stack.kubectl("describe", "ordersaga", order_id).stdout
    stack.kubectl("delete", "ordersaga", order_id, "--wait=true", "--timeout=60s")
    archived = stack.shop.request("GET", "order", f"/api/orders/{order_id}/saga").json()
    assert archived["archived_at"]
    assert archived["spec"]["requestedBy"] == "alice"
    assert archived["status"]["failure"]["message"] == "alice cancelled the order"


def test_a_cancel_over_rest_is_the_order_service_s(stack: Stack, guarded: Stack) -> None:
    order_id = stack.new_id("rest")
    stack.shop.place(order_id, payment={"method_ref": "test-processing"})
    assert stack.shop.cancel(order_id).status_code == 202
    assert stack.until_finished(order_id) == {order_id: "Compensated"}
    by = stack.resource(order_id)["spec"]["requestedBy"]
    assert by.startswith("client:") or by == f"system:serviceaccount:{NAMESPACE}:order-service"


def test_an_open_order_is_deleted_for_a_reason_alone(stack: Stack, guarded: Stack) -> None:
    order_id = stack.new_id("deleted")
    stack.shop.place(order_id, payment={"method_ref": "test-processing"})
    stack.until(order_id, lambda order: step_states(order).get("inventory") == "Succeeded")
    refused = stack.kubectl("delete", "ordersaga", order_id, "--as=alice", check=False)
    assert "this order is open, and deleting it undoes it" in refused.stderr
    note = {"metadata": {"annotations": {"ordersaga.io/confirm-deletion": "a test order"}}}
    stack.kubectl("patch", "ordersaga", order_id, "--type=merge", "-p", json.dumps(note), "--as=alice")
    stack.kubectl("delete", "ordersaga", order_id, "--wait=false", "--as=alice")
    wait_until("the order is gone", lambda: stack.shop.order(order_id)["saga"] is None, 60)
    stack.assert_books({order_id: "Compensated"})
