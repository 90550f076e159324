"""Orders through all real parts, whose ends are told: other systems by events, and the customers of undone orders."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.stack import waiting
from tests.e2e.system import Stack
from tests.support.event_sink import SECRET, ScriptedSink


@pytest.fixture
def sink(stack: Stack, tmp_path: Path) -> Iterator[ScriptedSink]:
    """The operator tells it, and customers; afterwards it is as it was."""
    sink, secret = ScriptedSink(), tmp_path / "secret"
    secret.write_text(SECRET)
    telling = {
        "ORDERSAGA_EVENTS_SINK": sink.url,
        "ORDERSAGA_EVENTS_SECRET": str(secret),
        "ORDERSAGA_TELL_CUSTOMERS": "true",
    }
    stack.operator.stop()
    stack.operator.env |= telling
    stack.start()
    yield sink
    stack.operator.stop()
    for name in telling:
        del stack.operator.env[name]
    sink.stop()


def messages(stack: Stack, order_id: str) -> dict[str, str]:
    """Type → status of the messages that the notification service has of this order."""
    answer = stack.shop.request("GET", "notification", f"/api/notifications?order_id={order_id}")
    return {each["notification_type"]: each["status"] for each in answer.json()["items"]}


def test_everybody_hears_how_an_order_ended_though_the_operator_is_killed_and_the_sink_is_away(
    stack: Stack, sink: ScriptedSink
) -> None:
    orders = {
        stack.new_id("told"): ("completed", {}),
        stack.new_id("told-declined"): ("compensated", {"payment": {"method_ref": "test-declined"}}),
        stack.new_id("told-refunded"): ("compensated", {"ship_to": {"address_ref": "a-antarctica"}}),
        stack.new_id("told-blocked"): ("compensated", {"customer_id": "c-blocked"}),
        stack.new_id("told-cancelled"): ("cancelled", {"payment": {"method_ref": "test-unavailable-9"}}),
    }
    sink.status = 503
    for order_id, (_, changes) in orders.items():
        stack.shop.place(order_id, **changes)
    stack.shop.cancel(order_id)
    phases = stack.until_finished(*orders)
    stack.operator.kill()
    stack.start()
    sink.status = 202
    for order_id, (end, _) in orders.items():
        told = ["started", end]
        waiting.wait_until(f"{order_id} to be told", lambda o=order_id, t=told: sink.taken(o) == t or None, 60)  # type: ignore[misc]
    undone = [order_id for order_id in orders if phases[order_id] == "Compensated" and "blocked" not in order_id]
    for order_id in undone:
        waiting.wait_until(f"the customer of {order_id}", lambda o=order_id: messages(stack, o) or None, 60)  # type: ignore[misc]
        assert messages(stack, order_id) == {"order_cancelled": "sent"}
    completed, *_, blocked, _ = orders
    assert messages(stack, completed) == {"order_confirmed": "sent"}
    assert messages(stack, blocked) == {}
    assert not sink.unsigned
    stack.assert_books(phases)
