"""kill -9 in the middle: every saga still ends, and nothing happens twice."""

import random
import time

import pytest

from common.services import SERVICES
from tests.e2e.system import Stack, step_states


def test_an_operator_killed_in_the_middle_finishes_after_its_restart(stack: Stack) -> None:
    order_id = stack.new_id("killed")
    stack.shop.place(order_id, payment={"method_ref": "test-processing"})
    stack.until(order_id, lambda order: step_states(order).get("inventory") == "Succeeded")
    stack.operator.kill()
    stack.start()
    phases = stack.until_finished(order_id)
    assert phases == {order_id: "Completed"}
    assert stack.books.ledger("payment", order_id) == {"charge": 1}
    stack.assert_books(phases)


def test_an_operator_killed_during_a_rollback_finishes_it(stack: Stack) -> None:
    order_ids = [stack.new_id("rollback") for _ in range(5)]
    for order_id in order_ids:
        stack.shop.place(order_id, ship_to={"address_ref": "a-nowhere"})
    stack.operator.kill()
    stack.start()
    phases = stack.until_finished(*order_ids)
    assert set(phases.values()) == {"Compensated"}
    stack.assert_books(phases)


@pytest.mark.slow
def test_an_operator_killed_again_and_again_does_nothing_twice(stack: Stack) -> None:
    order_ids = []
    for _ in range(4):
        for changes in ({}, {"payment": {"method_ref": "test-declined"}}, {"payment": {"method_ref": "test-silent"}}):
            order_ids.append(stack.new_id("again"))
            stack.shop.place(order_ids[-1], **changes)
        time.sleep(random.uniform(0, 0.3))
        stack.operator.kill()
        stack.start()
    phases = stack.until_finished(*order_ids, seconds=90)
    assert set(phases.values()) == {"Completed", "Compensated"}
    stack.assert_books(phases)


@pytest.mark.slow
@pytest.mark.parametrize("service", SERVICES)
def test_a_service_killed_in_the_middle_is_asked_again(stack: Stack, service: str) -> None:
    order_ids = [stack.new_id(f"no-{service}") for _ in range(4)]
    for order_id in order_ids:
        stack.shop.place(order_id, payment={"method_ref": "test-processing"})
    stack.services[service].kill()
    stack.start()
    phases = stack.until_finished(*order_ids, seconds=90)
    assert set(phases.values()) == {"Completed"}
    stack.assert_books(phases)
