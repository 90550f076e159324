"""Orders whose resource vanishes in the middle: somebody breaks every rule, and the saga ends all the same."""

import json
import os
import signal

import pytest

from common.wire import Json
from tests.e2e.system import Stack, step_states


def lose(stack: Stack, order_id: str) -> Json:
    """Take the finalizer off and delete the resource, while the operator can't put it back; what it was."""
    before = stack.resource(order_id)
    os.kill(stack.operator.pid, signal.SIGSTOP)
    try:
        stack.kubectl("patch", "ordersaga", order_id, "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
        stack.kubectl("delete", "ordersaga", order_id)
    finally:
        os.kill(stack.operator.pid, signal.SIGCONT)
    return before


@pytest.mark.parametrize("end", ["Completed", "Compensated"])
def test_an_order_that_lost_its_resource_at_shipping_ends(stack: Stack, end: str) -> None:
    order_id = stack.new_id("lost")
    stack.services["shipping"].stop()
    stack.shop.place(order_id)
    stack.until(order_id, lambda order: step_states(order).get("payment") == "Succeeded")
    before = lose(stack, order_id)
    if end == "Compensated":
        assert stack.shop.cancel(order_id).status_code == 202
    stack.services["shipping"].start()
    assert stack.until_finished(order_id) == {order_id: end}
    after = stack.resource(order_id)
    assert after["metadata"]["uid"] != before["metadata"]["uid"]
    assert json.dumps(after["spec"]["items"]) == json.dumps(before["spec"]["items"])
    stack.assert_books({order_id: end})
