"""The payment's state machine: pure functions from a payment to the fields that change.

processing ──▶ captured ──▶ refunding ──▶ refunded
    │  │                        ▲  │
    │  └────────────────────────┘  └────▶ declined | failed    (the charge is settled while a refund is wanted)
    └──▶ declined | failed
"""

from collections.abc import Mapping
from typing import Any

from common.errors import Unavailable
from services.payment.models import Payment, ProcessRequest, Status

LEGAL: Mapping[str, frozenset[Status]] = {
    "processing": frozenset({"captured", "declined", "refunding", "failed"}),
    "captured": frozenset({"refunding"}),
    "refunding": frozenset({"refunding", "refunded", "declined", "failed"}),
    "refunded": frozenset(),
    "declined": frozenset(),
    "failed": frozenset(),
}

Fields = dict[str, Any]


def payment_id_of(order_id: str) -> str:
    """An order has one payment, so its id follows from the order's: a repeated call can't make a second one."""
    return f"pay-{order_id}"


def order_id_of(payment_id: str) -> str | None:
    """The order of a payment's id, or None if it isn't the id of a payment."""
    return payment_id.removeprefix("pay-") if payment_id.startswith("pay-") else None


def begun(request: ProcessRequest) -> Fields:
    """The new payment, before the provider is asked."""
    return {
        "payment_id": payment_id_of(request.order_id),
        **request.model_dump(),
        "captured_minor": 0,
        "refunded_minor": 0,
        "status": "processing",
        "reason": None,
    }


def captured(payment: Mapping[str, Any]) -> Fields:
    """The provider has charged. A payment whose refund is already wanted stays `refunding`."""
    status: Status = "refunding" if payment["status"] == "refunding" else "captured"
    return {**_to(payment, status), "captured_minor": payment["amount_minor"]}


def declined(payment: Mapping[str, Any], reason: str) -> Fields:
    """The provider has refused the charge for good."""
    return _to(payment, "declined", reason)


def refunding(payment: Mapping[str, Any], reason: str | None = None) -> Fields:
    """A refund is wanted. `reason` is the code of the last failed attempt."""
    return _to(payment, "refunding", reason)


def refunded(payment: Mapping[str, Any]) -> Fields:
    """Everything that was captured has been refunded."""
    return {**_to(payment, "refunded"), "refunded_minor": payment["captured_minor"]}


def given_up(payment: Mapping[str, Any]) -> Fields:
    """The order was rolled back before anything was charged."""
    return _to(payment, "failed", "compensated")


def shown(payment: Mapping[str, Any]) -> dict[str, Any]:
    """The payment on the wire."""
    return {name: payment[name] for name in Payment.model_fields}


def _to(payment: Mapping[str, Any], status: Status, reason: str | None = None) -> Fields:
    now: str = payment["status"]
    if now not in LEGAL:
        raise Unavailable(
            f"order {payment['order_id']}: its payment is {now}, which a later release has written: a service of that "
            "release has to go on with it; repeat the call",
            order_id=payment["order_id"],
        )
    if status != now and status not in LEGAL[now]:
        raise ValueError(f"payment of order {payment['order_id']}: {now} can't become {status}")
    return {"status": status, "reason": reason}
