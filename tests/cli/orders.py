"""The records of orders that ended well, for tests to spoil."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

from ordersaga.audit.rules.records import Kind, Papers

Records = dict[Kind, list[dict[str, Any]]]
Change = Callable[[Records], object]
ID = "o-1"


def resource(phase: str, **status: Any) -> dict[str, Any]:
    created = "2026-11-22T10:00:00Z"
    return {"metadata": {"name": ID, "creationTimestamp": created}, "status": {"phase": phase, **status}}


def step(name: str, state: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "state": state, **more}


COMPLETED: Records = {
    Kind.SAGA: [resource("Completed")],
    Kind.ORDER: [
        {
            "status": "CONFIRMED",
            "total_minor": 2500,
            "currency": "EUR",
            "items": [{"product_id": "p-mug", "quantity": 2, "unit_price_minor": 1250}],
        }
    ],
    Kind.RESERVATION: [{"status": "reserved", "lines": [{"product_id": "p-mug", "quantity": 2}]}],
    Kind.PAYMENT: [{"status": "captured", "currency": "EUR", "captured_minor": 2500, "refunded_minor": 0}],
    Kind.SHIPMENT: [{"status": "scheduled"}],
    Kind.NOTIFICATION: [{"status": "sent", "reason": None, "notification_type": "order_confirmed"}],
    Kind.CHARGES: [{"kind": "charge", "amount_minor": 2500}],
    Kind.BOOKINGS: [{"kind": "booking", "amount_minor": 0}],
    Kind.MESSAGES: [{"kind": "message", "amount_minor": 0}],
}  # fmt: skip

COMPENSATED: Records = {
    **COMPLETED,
    Kind.SAGA: [resource("Compensated", failure={"step": "shipping", "reason": "NotServiceable"})],
    Kind.ORDER: [{**COMPLETED[Kind.ORDER][0], "status": "CANCELLED", "reason": "not_serviceable"}],
    Kind.RESERVATION: [{**COMPLETED[Kind.RESERVATION][0], "status": "released"}],
    Kind.PAYMENT: [{**COMPLETED[Kind.PAYMENT][0], "status": "refunded", "refunded_minor": 2500}],
    Kind.SHIPMENT: [{"status": "cancelled"}],
    Kind.NOTIFICATION: [],
    Kind.CHARGES: [{"kind": "charge", "amount_minor": 2500}, {"kind": "refund", "amount_minor": 2500}],
    Kind.BOOKINGS: [{"kind": "booking", "amount_minor": 0}, {"kind": "cancellation", "amount_minor": 0}],
    Kind.MESSAGES: [],
}


def papers(records: Records, *changes: Change, **seen: Any) -> Papers:
    """Those records with these changes."""
    changed = deepcopy(records)
    for change in changes:
        change(changed)
    return Papers(ID, changed, **seen)


def lose(*kinds: Kind) -> Change:
    """Without any record of these kinds."""
    return lambda records: [records.pop(kind) for kind in kinds]


def put(kind: Kind, /, **fields: Any) -> Change:
    """With these fields in the record of that kind."""
    return lambda records: records[kind][0].update(fields)


def add(kind: Kind, /, **fields: Any) -> Change:
    """With one more record of that kind."""
    return lambda records: records[kind].append(fields)


def story(phase: str, day: int = 22, **status: Any) -> Change:
    """With the archived story of a saga that began on that day, and without a resource."""
    told = {"created_at": f"2026-11-{day}T10:00:00Z", "status": {"phase": phase, **status}}

    def change(records: Records) -> None:
        records.pop(Kind.SAGA, None)
        records.setdefault(Kind.STORY, []).append(told)

    return change


def saga(phase: str, **status: Any) -> Change:
    """With a saga in that phase."""
    return lambda records: records.update({Kind.SAGA: [resource(phase, **status)]})
