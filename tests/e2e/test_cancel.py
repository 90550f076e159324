"""Orders that are cancelled or deleted on their way."""

import random
import time

from tests.e2e.system import Stack, step_states


def test_a_deleted_order_is_compensated_before_it_goes(stack: Stack) -> None:
    order_id = stack.new_id("deleted")
    stack.shop.place(order_id, payment={"method_ref": "test-processing"})
    stack.until(order_id, lambda order: step_states(order).get("inventory") == "Succeeded")
    stack.kubectl("delete", "ordersaga", order_id, "--wait=true", "--timeout=60s")
    stack.assert_books({order_id: "Compensated"})
    assert stack.shop.order(order_id)["status"] == "CANCELLED"


def test_a_deletion_after_completion_undoes_nothing(stack: Stack) -> None:
    order_id = stack.new_id("kept")
    stack.shop.place(order_id)
    phases = stack.until_finished(order_id)
    stack.kubectl("delete", "ordersaga", order_id, "--wait=true", "--timeout=60s")
    stack.assert_books(phases)
    assert stack.shop.order(order_id)["saga"] is None


def test_a_cancel_through_the_spec_compensates(stack: Stack) -> None:
    order_id = stack.new_id("spec")
    stack.shop.place(order_id, payment={"method_ref": "test-processing"})
    stack.kubectl("patch", "ordersaga", order_id, "--type=merge", "-p", '{"spec":{"state":"Cancelled"}}')
    phases = stack.until_finished(order_id)
    assert phases == {order_id: "Compensated"}
    stack.assert_books(phases)


def test_a_cancel_that_comes_too_late_is_refused(stack: Stack) -> None:
    order_id = stack.new_id("late")
    stack.shop.place(order_id)
    phases = stack.until_finished(order_id)
    answer = stack.shop.cancel(order_id)
    assert answer.status_code == 409
    assert answer.json()["code"] == "already_confirmed"
    stack.assert_books(phases)


def test_cancels_that_race_with_completion_end_one_way_or_the_other(stack: Stack) -> None:
    order_ids = [stack.new_id("race") for _ in range(12)]
    answers = {}
    for order_id in order_ids:
        stack.shop.place(order_id)
        time.sleep(random.uniform(0, 0.15))
        answers[order_id] = stack.shop.cancel(order_id).status_code
    phases = stack.until_finished(*order_ids)
    assert set(answers.values()) <= {202, 409}
    for order_id, phase in phases.items():
        assert phase == ("Compensated" if answers[order_id] == 202 else "Completed"), order_id
    stack.assert_books(phases)
