"""The operator is in trouble, and a real Prometheus says so until it is over."""

import json

import pytest

from dev.stack.pytest_plugin import TestControlPlane
from dev.stack.waiting import wait_until
from tests.e2e.alerts.prometheus import Prometheus
from tests.e2e.system import NAMESPACE, Stack

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

LEASE = "ordersaga-operator"


def test_an_operator_that_is_killed_is_missed_and_the_watchdog_falls_silent(seen: Prometheus, stack: Stack) -> None:
    stack.operator.kill()
    seen.until_fires("OperatorDown", severity="critical")
    seen.until_ends("OrderSagaWatchdog")
    stack.start()
    seen.until_ends("OperatorDown")
    seen.until_fires("OrderSagaWatchdog")


def test_a_leader_that_the_api_server_does_not_let_renew_its_lease(
    seen: Prometheus, stack: Stack, control_plane: TestControlPlane
) -> None:
    stack.kubectl("delete", "rolebinding", LEASE)
    try:
        fired = seen.until_fires("LeaseNotRenewed", pod="operator")
        assert "hasn't renewed its Lease for" in fired["annotations"]["description"]
        seen.until_ends("OrderSagaWatchdog")
    finally:
        control_plane.administrator.install(NAMESPACE)
    seen.until_ends("LeaseNotRenewed")
    seen.until_fires("OrderSagaWatchdog")


def test_a_lease_that_is_taken_away_again_and_again(seen: Prometheus, stack: Stack) -> None:
    def hold(holder: str) -> None:
        patch = json.dumps({"spec": {"holderIdentity": holder}})
        stack.kubectl("patch", "lease", LEASE, "--type=merge", "-p", patch)

    def leads() -> bool:
        return [value for _, value in seen.query("ordersaga_leader")] == [1]

    for _ in range(4):
        hold("a-stranger")
        wait_until("the operator to end", lambda: not stack.operator.running(), 30)
        hold("")
        stack.start()
        wait_until("it to lead", leads, 30)
    seen.until_fires("LeaseChangesHands")
    seen.until_ends("LeaseChangesHands")
