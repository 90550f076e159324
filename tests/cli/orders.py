"""The records of orders that ended well, for tests to spoil."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

from ordersaga.audit.rules.records import OrderRecords, RecordKind

Records = dict[RecordKind, list[dict[str, Any]]]
Change = Callable[[Records], object]
ID = "o-1"


def resource(phase: str, **status: Any) -> dict[str, Any]:
    created = "2026-11-22T10:00:00Z"
    return {"metadata": {"name": ID, "creationTimestamp": created}, "status": {"phase": phase, **status}}


def step(name: str, state: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "state": state, **more}


COMPLETED: Records = {
    RecordKind.SAGA: [resource("Completed")],
    RecordKind.ORDER: [
        {
            "status": "CONFIRMED",
            "total_minor": 2500,
            "currency": "EUR",
            "items": [{"product_id": "p-mug", "quantity": 2, "unit_price_minor": 1250}],
        }
    ],
    RecordKind.RESERVATION: [{"status": "reserved", "lines": [{"product_id": "p-mug", "quantity": 2}]}],
    RecordKind.PAYMENT: [{"status": "captured", "currency": "EUR", "captured_minor": 2500, "refunded_minor": 0}],
    RecordKind.SHIPMENT: [{"status": "scheduled"}],
    RecordKind.NOTIFICATION: [{"status": "sent", "reason": None, "notification_type": "order_confirmed"}],
    RecordKind.CHARGES: [{"kind": "charge", "amount_minor": 2500}],
    RecordKind.BOOKINGS: [{"kind": "booking", "amount_minor": 0}],
    RecordKind.MESSAGES: [{"kind": "message", "amount_minor": 0}],
}  # fmt: skip

COMPENSATED: Records = {
    **COMPLETED,
    RecordKind.SAGA: [resource("Compensated", failure={"step": "shipping", "reason": "NotServiceable"})],
    RecordKind.ORDER: [{**COMPLETED[RecordKind.ORDER][0], "status": "CANCELLED", "reason": "not_serviceable"}],
    RecordKind.RESERVATION: [{**COMPLETED[RecordKind.RESERVATION][0], "status": "released"}],
    RecordKind.PAYMENT: [{**COMPLETED[RecordKind.PAYMENT][0], "status": "refunded", "refunded_minor": 2500}],
    RecordKind.SHIPMENT: [{"status": "cancelled"}],
    RecordKind.NOTIFICATION: [],
    RecordKind.CHARGES: [{"kind": "charge", "amount_minor": 2500}, {"kind": "refund", "amount_minor": 2500}],
    RecordKind.BOOKINGS: [{"kind": "booking", "amount_minor": 0}, {"kind": "cancellation", "amount_minor": 0}],
    RecordKind.MESSAGES: [],
}


def records_of(records: Records, *changes: Change, **seen: Any) -> OrderRecords:
    """Those records with these changes."""
    changed = deepcopy(records)
    for change in changes:
        change(changed)
    return OrderRecords(ID, changed, **seen)


def lose(*kinds: RecordKind) -> Change:
    """Without any record of these kinds."""
    return lambda records: [records.pop(kind) for kind in kinds]


def put(kind: RecordKind, /, **fields: Any) -> Change:
    """With these fields in the record of that kind."""
    return lambda records: records[kind][0].update(fields)


def add(kind: RecordKind, /, **fields: Any) -> Change:
    """With one more record of that kind."""
    return lambda records: records[kind].append(fields)


def archived(phase: str, day: int = 22, **status: Any) -> Change:
    """With an archived saga that began on that day, and without a resource."""
    document = {"created_at": f"2026-11-{day}T10:00:00Z", "status": {"phase": phase, **status}}

    def change(records: Records) -> None:
        records.pop(RecordKind.SAGA, None)
        records.setdefault(RecordKind.ARCHIVED_SAGA, []).append(document)

    return change


def saga(phase: str, **status: Any) -> Change:
    """With a saga in that phase."""
    return lambda records: records.update({RecordKind.SAGA: [resource(phase, **status)]})
