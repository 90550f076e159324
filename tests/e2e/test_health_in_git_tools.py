"""What GitOps tools make of the statuses that the operator really writes, in every phase.

One watch afterwards gives every version of every resource that there was. ORDERSAGA_RECORD=1 makes some of them the
test data of Argo CD's health check (manifests/gitops/argocd), so that no status has to be made up.
"""

import json
import os
from collections.abc import Iterator

import pytest

from common.wire import Json
from tests.e2e.system import Stack
from tests.e2e.test_orders_in_git import manifest
from tests.packaging.gitops import argo_lua, kstatus, recording

PATH = "/apis/ordersaga.io/v1alpha1/namespaces/e2e/ordersagas"
# The design's table of phases, as Argo CD and everything that follows kstatus have words for them.
EXPECTED = {
    "Pending": ("Progressing", "InProgress"),
    "Running": ("Progressing", "InProgress"),
    "Suspended": ("Suspended", "InProgress"),
    "Compensating": ("Progressing", "InProgress"),
    "Completed": ("Healthy", "Current"),
    "Compensated": ("Degraded", "Failed"),
    "Failed": ("Degraded", "Failed"),
}
ORDERS: dict[str, Json] = {
    "plain": {},
    "declined": {"payment": {"methodRef": "test-declined"}},
    "processing": {"payment": {"methodRef": "test-processing"}},
    "unavailable": {"payment": {"methodRef": "test-unavailable-2"}},
    "bounced": {"notify": {"contactRef": "c-bounce"}},
    "stuck": {
        "payment": {"methodRef": "test-refund-stuck"},
        "shipTo": {"addressRef": "a-nowhere"},
    },
    "late": {},
    "paused": {"state": "Suspended"},
    "cancelled": {"state": "Suspended"},
}


class Orders:
    """One order of each kind, and everything that became of them."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.ids = {name: stack.new_id(f"git-{name}") for name in ORDERS}
        self.seen: list[Json] = []
        self._version = ""

    def live(self) -> None:
        """From before the first to after the last of them."""
        listed = json.loads(self.stack.kubectl("get", "--raw", f"{PATH}?limit=1").stdout)
        self._version = listed["metadata"]["resourceVersion"]
        notification = self.stack.services["notification"]
        contact = {"email": "somebody@bounce.example"}
        self.stack.shop.request("PUT", "notification", "/api/notifications/contacts/c-bounce", json=contact)
        notification.stop()
        made = [manifest(self.ids[name], **spec) for name, spec in ORDERS.items()]
        self.stack.kubectl("apply", "-f", "-", manifest={"apiVersion": "v1", "kind": "List", "items": made})
        self._wait("late", "{.status.currentStep}=notification")
        self.press("cancel", "late", although=True)
        self._wait("late", '{.status.conditions[?(@.type=="CancelRefused")].status}=True')
        self._catch_up()
        self.stack.start()
        for name in ("paused", "cancelled"):
            self._wait(name, "{.status.phase}=Suspended")
        self.press("resume", "paused")
        self.press("cancel", "cancelled")
        self._catch_up()
        self._wait("stuck", "{.status.phase}=Failed")
        self._catch_up()
        self.stack.shop.request("POST", "payment", "/api/payments/test/repair", json={"order_id": self.ids["stuck"]})
        self.press("retry", "stuck")
        for name in ORDERS:
            ends = "Compensated" if name in ("declined", "stuck", "cancelled") else "Completed"
            self._wait(name, f"{{.status.phase}}={ends}")
        self._catch_up()

    def _catch_up(self) -> None:
        """What has happened since the last time: the API server keeps the last hundred changes for sure, not all."""
        watch = f"{PATH}?watch=1&resourceVersion={self._version}&timeoutSeconds=1"
        names = set(self.ids.values())
        for line in self.stack.kubectl("get", "--raw", watch).stdout.splitlines():
            event = json.loads(line)
            assert event["type"] != "ERROR", event
            self._version = event["object"]["metadata"]["resourceVersion"]
            if event["object"]["metadata"]["name"] in names:
                self.seen.append(event["object"])

    def press(self, action: str, name: str, *, although: bool = False) -> None:
        """A button in Argo CD: the script's result as a merge patch; `although` it would be greyed out."""
        resource = self.stack.resource(self.ids[name])
        assert (action in argo_lua.enabled_actions(resource)) is not although
        patch = argo_lua.merge_patch(resource, argo_lua.act(action, resource))
        assert set(patch) == {"spec"}
        self.stack.kubectl("patch", "ordersaga", self.ids[name], "--type=merge", "-p", json.dumps(patch))

    def versions(self, name: str) -> list[Json]:
        return [resource for resource in self.seen if resource["metadata"]["name"] == self.ids[name]]

    def _wait(self, name: str, condition: str) -> None:
        self.stack.kubectl("wait", f"--for=jsonpath={condition}", "--timeout=60s", f"ordersaga/{self.ids[name]}")


@pytest.fixture(scope="module")
def orders(running_stack: Stack) -> Iterator[Orders]:
    running_stack.start()
    found = Orders(running_stack)
    found.live()
    if "ORDERSAGA_RECORD" in os.environ:
        recording.write({name: found.versions(name) for name in ORDERS}, found.ids)
    yield found
    running_stack.start()


def phase_of(resource: Json) -> str:
    """The phase that the status tells, or Pending while the operator hasn't seen this generation."""
    status = resource["status"]
    if status.get("observedGeneration") != resource["metadata"]["generation"]:
        return "Pending"
    return str(status["phase"])


def test_every_status_has_the_health_of_its_phase(orders: Orders) -> None:
    phases = set()
    for resource in orders.seen:
        phases.add(phase_of(resource))
        health, kstatus_ = EXPECTED[phase_of(resource)]
        assert argo_lua.health(resource)["status"] == health, resource["status"]
        assert kstatus.status_of(resource) == kstatus_, resource["status"]
    assert phases == set(EXPECTED)


def test_no_order_looks_healthy_or_degraded_before_its_end(orders: Orders) -> None:
    for name in ORDERS:
        seen = [argo_lua.health(resource)["status"] for resource in orders.versions(name)]
        until_the_end = seen[: seen.index(seen[-1])]
        allowed = {"Progressing", "Suspended"} | ({"Degraded"} if name == "stuck" else set())
        assert set(until_the_end) <= allowed, (name, seen)


def test_a_warning_and_a_refused_cancel_are_told(orders: Orders) -> None:
    assert "CompletedWithWarning" in argo_lua.health(orders.versions("bounced")[-1])["message"]
    assert any("CancelRefused" in argo_lua.health(resource)["message"] for resource in orders.versions("late"))


def test_the_retry_button_ends_what_was_stuck(orders: Orders) -> None:
    last = orders.versions("stuck")[-1]
    assert last["status"]["intervention"]["action"] == "RetryNow"
    assert last["status"]["intervention"]["step"] == "payment"
    orders.stack.assert_books({orders.ids["stuck"]: "Compensated"})


def test_a_finished_order_offers_no_button(orders: Orders) -> None:
    for name in ORDERS:
        assert argo_lua.enabled_actions(orders.versions(name)[-1]) == set()
