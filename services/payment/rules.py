"""The payment's state machine: pure functions from a payment to the fields that change.

processing ──▶ captured ──▶ refunding ──▶ refunded
    │  │                        ▲  │
    │  └────────────────────────┘  └────▶ declined | failed    (the provider settles while a refund is wanted)
    └──▶ declined | failed
"""

from collections.abc import Mapping
from typing import Any

from services.payment.models import Payment, ProcessPayment, Status

LEGAL: Mapping[Status, frozenset[Status]] = {
    "processing": frozenset({"captured", "declined", "refunding", "failed"}),
    "captured": frozenset({"refunding"}),
    "refunding": frozenset({"refunding", "refunded", "declined", "failed"}),
    "refunded": frozenset(),
    "declined": frozenset(),
    "failed": frozenset(),
}

Fields = dict[str, Any]


def begun(order: ProcessPayment) -> Fields:
    """A payment that the provider is being asked for."""
    return {
        "payment_id": f"pay-{order.order_id}",  # an order has one payment, for ever
        **order.model_dump(),
        "captured_minor": 0,
        "refunded_minor": 0,
        "status": "processing",
        "reason": None,
    }


def captured(payment: Mapping[str, Any]) -> Fields:
    """The provider has charged; if a refund is wanted already, that goes on."""
    status: Status = "refunding" if payment["status"] == "refunding" else "captured"
    return {**_to(payment, status), "captured_minor": payment["amount_minor"]}


def declined(payment: Mapping[str, Any], reason: str) -> Fields:
    """The provider has said no: nothing was charged, and never will be."""
    return _to(payment, "declined", reason)


def refunding(payment: Mapping[str, Any], reason: str | None = None) -> Fields:
    """A refund is wanted; `reason` says why it isn't done yet, if an attempt has failed."""
    return _to(payment, "refunding", reason)


def refunded(payment: Mapping[str, Any]) -> Fields:
    """All that was captured has been given back."""
    return {**_to(payment, "refunded"), "refunded_minor": payment["captured_minor"]}


def given_up(payment: Mapping[str, Any]) -> Fields:
    """The order was rolled back before anything was charged."""
    return _to(payment, "failed", "compensated")


def shown(payment: Mapping[str, Any]) -> dict[str, Any]:
    """The payment as it travels."""
    return {name: payment[name] for name in Payment.model_fields}


def _to(payment: Mapping[str, Any], status: Status, reason: str | None = None) -> Fields:
    now: Status = payment["status"]
    if status != now and status not in LEGAL[now]:
        raise ValueError(f"payment of order {payment['order_id']}: {now} can't become {status}")
    return {"status": status, "reason": reason}
