"""Orders whose resource vanishes in the middle: somebody breaks every rule, and the saga ends all the same."""

import json
import os
import signal

from common.wire import Json
from tests.e2e.system import Stack, step_states
from tests.support.samples import order


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


def test_an_order_that_lost_its_resource_at_shipping_ends(stack: Stack) -> None:
    order_id = stack.new_id("lost")
    stack.services["shipping"].stop()
    stack.shop.place(order_id)
    stack.until(order_id, lambda order: step_states(order).get("payment") == "Succeeded")
    before = lose(stack, order_id)
    stack.services["shipping"].start()
    assert stack.until_finished(order_id) == {order_id: "Completed"}
    after = stack.resource(order_id)
    assert after["metadata"]["uid"] != before["metadata"]["uid"]
    assert json.dumps(after["spec"]["items"]) == json.dumps(before["spec"]["items"])
    stack.assert_books({order_id: "Completed"})


def test_an_order_that_is_cancelled_when_its_resource_is_lost_is_rolled_back(stack: Stack) -> None:
    order_id = stack.new_id("lost-cancelled")
    # No service is down for it: the undos of this stack are given up after three seconds.
    stack.shop.place(order_id, payment={"method_ref": "test-unavailable-8"})
    stack.until(order_id, lambda order: step_states(order).get("inventory") == "Succeeded")
    before = lose(stack, order_id)
    assert stack.shop.cancel(order_id).status_code == 202
    assert stack.until_finished(order_id) == {order_id: "Compensated"}
    assert stack.resource(order_id)["metadata"]["uid"] != before["metadata"]["uid"]
    stack.assert_books({order_id: "Compensated"})


def test_an_order_that_lost_its_resource_between_confirmation_and_message_ends(stack: Stack) -> None:
    order_id = stack.new_id("lost-confirmed")
    stack.services["notification"].stop()
    stack.shop.place(order_id)
    stack.until(order_id, lambda order: step_states(order).get("confirmation") == "Succeeded")
    before = lose(stack, order_id)
    stack.services["notification"].start()
    assert stack.until_finished(order_id) == {order_id: "Completed"}
    assert stack.resource(order_id)["metadata"]["uid"] != before["metadata"]["uid"]
    stack.assert_books({order_id: "Completed"})
    assert stack.books.ledger("notification", order_id).total() == 1
    assert stack.books.ledger("payment", order_id) == {"charge": 1}


def test_an_order_whose_time_to_live_is_over_stays_without_a_resource(stack: Stack) -> None:
    order_id, last = stack.new_id("over"), stack.new_id("lost-later")
    stack.kubectl("apply", "-f", "-", manifest=order(order_id, ttlSecondsAfterFinished=1))
    stack.until(order_id, lambda shown: shown["saga"] is None and shown["status"] == "CONFIRMED")
    stack.services["notification"].stop()
    stack.shop.place(last)
    stack.until(last, lambda order: step_states(order).get("confirmation") == "Succeeded")
    lose(stack, last)
    stack.services["notification"].start()
    assert stack.until_finished(last) == {last: "Completed"}  # the order service has looked since
    assert stack.kubectl("get", "ordersaga", order_id, check=False).returncode != 0
    stack.assert_books({order_id: "Completed", last: "Completed"})
