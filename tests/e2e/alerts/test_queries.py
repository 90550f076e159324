"""Every query of the dashboards is put to a real Prometheus that has read a busy stack, and every panel has data."""

import time

import pytest

from tests.e2e.alerts.prometheus import Prometheus
from tests.e2e.system import NAMESPACE, Stack
from tests.support.panels import empty_panels
from tests.support.samples import order

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


def test_every_panel_of_a_busy_shop_has_data(seen: Prometheus, stack: Stack) -> None:
    waiting = stack.new_id("waiting")
    patient = {"maxAttempts": 100, "initialBackoffSeconds": 1, "maxBackoffSeconds": 1}
    manifest = order(waiting, payment={"methodRef": "test-unavailable-9999"}, retry=patient)
    stack.kubectl("apply", "-f", "-", manifest=manifest)
    placed = []
    for _ in range(10):
        placed += [stack.new_id("busy"), stack.new_id("declined")]
        stack.shop.place(placed[-2])
        stack.shop.place(placed[-1], payment={"method_ref": "test-declined"})
        time.sleep(0.5)
    stack.until_finished(*placed)
    time.sleep(2)  # Prometheus reads them
    empty = empty_panels(seen.query, NAMESPACE, over="20s", hour="20s")
    stack.kubectl("patch", "ordersaga", waiting, "--type=merge", "-p", '{"spec": {"state": "Cancelled"}}')
    stack.until_finished(waiting)
    assert empty == set()
