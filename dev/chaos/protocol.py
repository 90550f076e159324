"""What must be true of the calls of one saga, whichever operator made them and whatever faults they had: pure."""

from collections.abc import Callable, Iterator, Sequence

from common.wire import Json
from dev.chaos.network.calls import POLL, Call
from dev.chaos.network.http import Request
from dev.chaos.plan.orders import Order

UNDONE_FIRST = ("shipping", "payment", "inventory")
NO_DECISION = ("compensated", "running", "order_id_used")
"""Codes of a 409 to a do that don't mean that the step has done nothing."""
MISTAKES = (400, 401, 403, 404, 405, 413, 422)
"""Answers of a participant that mean that the caller made a mistake."""
AnswerTest = Callable[[int, str], bool]


def broken_rules(order: Order, calls: Sequence[Call], namespace: str) -> Iterator[str]:
    """Each way in which these calls break the protocol, in a sentence."""
    saga = [call for call in calls if call.step != "client"]
    posted = [call for call in saga if not call.operation.startswith(POLL)]
    yield from _keys(order, posted, namespace)
    yield from _bodies(order, posted)
    yield from _order_of_calls(saga)
    for call in saga:
        for status, code in call.answers():
            if status in MISTAKES:
                yield f"{call.step} {call.operation} was answered {status} {code}: the caller made a mistake"


def _keys(order: Order, calls: Sequence[Call], namespace: str) -> Iterator[str]:
    for call in calls:
        key = f"{namespace}/{order.order_id}/{call.step}/{call.operation}"
        if call.key != key:
            yield f"{call.step} {call.operation} #{call.number} has the key {call.key!r} instead of {key!r}"
        if not call.epoch.isdigit():
            yield f"{call.step} {call.operation} #{call.number} has the epoch {call.epoch!r}"


def _bodies(order: Order, calls: Sequence[Call]) -> Iterator[str]:
    first: dict[tuple[str, str], Json] = {}
    for call in calls:
        body = _content(call.request)
        known = first.setdefault((call.step, call.operation), body)
        if body != known:
            yield f"{call.step} {call.operation} #{call.number} has another body than the first: {body} after {known}"
        if (call.step, call.operation) == ("payment", "do") and body.get("amount_minor") != order.total_minor:
            yield f"payment do #{call.number} charges {body.get('amount_minor')} instead of {order.total_minor}"


def _content(request: Request) -> Json:
    """The body without `reason`, which is outside the fingerprint."""
    return {key: value for key, value in request.json().items() if key != "reason"}


def _order_of_calls(calls: Sequence[Call]) -> Iterator[str]:
    """No undo before the order is rejected, the undo of the order last, and no message before the confirmation."""
    rejected = _first(calls, "confirmation", "undo", lambda status, code: status == 200)
    confirmed = min(
        _first(calls, "confirmation", "do", lambda status, code: status == 200),
        _first(calls, "confirmation", "undo", lambda status, code: code == "already_confirmed"),
    )
    if rejected < float("inf") and confirmed < float("inf"):
        yield f"the order was rejected ({rejected:.3f}), and it was confirmed ({confirmed:.3f})"
    for call in calls:
        name = f"{call.step} {call.operation} #{call.number} at {call.at:.3f}"
        if call.operation == "undo" and call.step != "confirmation" and call.at < rejected:
            yield f"{name} came before the order was rejected"
        if (call.step, call.operation) == ("order", "undo"):
            for step in UNDONE_FIRST:
                if call.at < _settled(calls, step):
                    yield f"{name} came before {step} was undone"
        if (call.step, call.operation) == ("notification", "do") and call.at < confirmed:
            yield f"{name} came before the order was confirmed"


def _settled(calls: Sequence[Call], step: str) -> float:
    """When it became known that the step holds nothing."""
    return min(
        _first(calls, step, "undo", lambda status, code: status == 200),
        _first(calls, step, "do", lambda status, code: status == 409 and code not in NO_DECISION),
    )


def _first(calls: Sequence[Call], step: str, operation: str, wanted: AnswerTest) -> float:
    """When the call, or a poll of it, was first answered like that; infinity if never."""
    return min(
        (
            delivery.answered
            for call in calls
            if call.step == step and call.operation.removeprefix(POLL) == operation
            for delivery in call.deliveries
            if delivery.answered is not None and delivery.status is not None and wanted(delivery.status, delivery.code)
        ),
        default=float("inf"),
    )
