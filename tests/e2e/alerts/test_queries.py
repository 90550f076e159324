"""Every query of the dashboards is put to a real Prometheus that has read a busy stack, and every panel has data."""

import time

import pytest

from dev.release.observing.drawn import ROWS, asked
from tests.e2e.alerts.prometheus import Prometheus
from tests.e2e.system import NAMESPACE, Stack
from tests.support.samples import order

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

WELL = {
    "Requests that failed, per second",
    "Work beside the requests that fails",
    "Operations that failed, per second",
    "Lifecycle events, per second",
    "Lifecycle events that wait",
}
"""Panels that show nothing while nothing is wrong, or told to a sink."""


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
    matcher = f'namespace="{NAMESPACE}"'
    empty = {
        f"{panel.title}: {query.expression}"
        for row in ROWS
        for panel in row.panels
        for query in panel.queries
        if panel.title not in WELL
        and not seen.query(asked(query, namespace=matcher, over="20s").replace("[1h]", "[20s]"))
    }
    stack.kubectl("patch", "ordersaga", waiting, "--type=merge", "-p", '{"spec": {"state": "Cancelled"}}')
    stack.until_finished(waiting)
    assert empty == set()
