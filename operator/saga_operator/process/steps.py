"""The business process as a table: the operator's decisions follow from it.

A new step also needs a service that keeps the protocol, its address in the settings, and its name in the resource
definition; docs/participants.md, "Into the process", has the list. A changed table is another process (`DEFINITION_HASH`).

The steps before the pivot are compensatable: each has an undo. The pivot decides; its undo, `reject`, makes sure that the
order can't be confirmed any more, and a rollback calls it first. The steps after the pivot are retriable: they have no
undo and are called until they succeed. The three words are those of Mehrotra et al. (A Transaction Model for
Multidatabase Systems, ICDCS 1992), which Richardson's Microservices Patterns made popular. Sagas with backward and
forward recovery are those of Garcia-Molina and Salem (Sagas, SIGMOD 1987).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Any, Final

from saga_operator.process.order import Order

Body = Mapping[str, Any]


class Kind(StrEnum):
    """What a step means for the saga as a whole."""

    COMPENSATABLE = "compensable"  # an older spelling: it is a part of `definitionHash`, which stands in the resources
    PIVOT = "pivot"
    RETRIABLE = "retriable"


@dataclass(frozen=True, slots=True)
class Step:
    """One row: what to call, what undoes it, and which body each call carries (from the order alone)."""

    name: str
    participant: str
    do: str
    undo: str | None
    kind: Kind
    body: Callable[[Order], Body]
    external_id: str | None = None
    retired: bool = False
    """Not done any more, but still undone by every rollback: sagas of the release before may have done it. The row may
    go when no saga from that release is open (docs/upgrades.md)."""


def _content(order: Order) -> Body:
    """Every immutable field of the order: what `create`, `confirm` and `reject` are fingerprinted by."""
    return {
        "order_id": order.order_id,
        "customer_id": order.customer_id,
        "currency": order.currency,
        "items": [
            {"product_id": i.product_id, "quantity": i.quantity, "unit_price_minor": i.unit_price_minor}
            for i in order.items
        ],
        "payment": {"method_ref": order.method_ref},
        "ship_to": {"address_ref": order.address_ref},
        "notify": {"contact_ref": order.contact_ref},
    }


def _reservation(order: Order) -> Body:
    content = _content(order)
    return {key: content[key] for key in ("order_id", "currency", "items")}


def _payment(order: Order) -> Body:
    return {
        "order_id": order.order_id,
        "customer_id": order.customer_id,
        "amount_minor": order.total_minor,
        "currency": order.currency,
        "method_ref": order.method_ref,
    }


def _shipment(order: Order) -> Body:
    return {"order_id": order.order_id, "customer_id": order.customer_id, "address_ref": order.address_ref}


def _message(order: Order) -> Body:
    return {
        "order_id": order.order_id,
        "customer_id": order.customer_id,
        "notification_type": "order_confirmed",
        "contact_ref": order.contact_ref,
        "total_minor": order.total_minor,
        "currency": order.currency,
        "items": [{"product_id": i.product_id, "quantity": i.quantity} for i in order.items],
    }


# fmt: off
# ruff: noqa: E501 - a table is read across
ORDER_SAGA: Final = (
    #    name            participant     do                          undo                       kind              body
    Step("order",        "order",        "/api/orders/create",       "/api/orders/cancel",      Kind.COMPENSATABLE, _content),
    Step("inventory",    "inventory",    "/api/inventory/reserve",   "/api/inventory/release",  Kind.COMPENSATABLE, _reservation),
    Step("payment",      "payment",      "/api/payments/process",    "/api/payments/refund",    Kind.COMPENSATABLE, _payment,  "payment_id"),
    Step("shipping",     "shipping",     "/api/shipping/schedule",   "/api/shipping/cancel",    Kind.COMPENSATABLE, _shipment, "shipping_id"),
    Step("confirmation", "order",        "/api/orders/confirm",      "/api/orders/reject",      Kind.PIVOT,       _content),
    Step("notification", "notification", "/api/notifications/send",  None,                      Kind.RETRIABLE,   _message,  "notification_id"),
)
# fmt: on


def check(table: tuple[Step, ...]) -> None:
    """Refuse a table that could not keep the promise; run at start-up.

    Raises:
        ValueError: no pivot or several, a step before it without an undo, or one after it with an undo.
    """
    pivots = [index for index, step in enumerate(table) if step.kind is Kind.PIVOT]
    if len(pivots) != 1 or pivots[0] == 0:
        raise ValueError("the process needs exactly one pivot, after at least one step that can be undone")
    for index, step in enumerate(table):
        expected = Kind.COMPENSATABLE if index < pivots[0] else Kind.PIVOT if index == pivots[0] else Kind.RETRIABLE
        if step.kind is not expected:
            wrong = f"step {step.name} is {step.kind.name.lower()}"
            raise ValueError(f"{wrong}, but stands where only a {expected.name.lower()} step may")
        if step.retired and step.kind is not Kind.COMPENSATABLE:
            raise ValueError(f"step {step.name}: only a step before the pivot can be retired")
        if (step.undo is None) != (step.kind is Kind.RETRIABLE):
            raise ValueError(f"step {step.name}: every step up to the pivot has an undo, and no step after it")


def pivot_of(table: tuple[Step, ...]) -> Step:
    """The point of no return."""
    return next(step for step in table if step.kind is Kind.PIVOT)


def backward_of(table: tuple[Step, ...]) -> tuple[Step, ...]:
    """What a rollback undoes after reject and before the first step, in this order."""
    return tuple(step for step in reversed(table) if step.kind is Kind.COMPENSATABLE and step is not table[0])


def hash_of(table: tuple[Step, ...]) -> str:
    """Names a process: the same table, the same twelve digits."""
    rows = (f"{s.name} {s.participant} {s.do} {s.undo} {s.kind} {s.retired}" for s in table)
    return sha256("\n".join(rows).encode()).hexdigest()[:12]


check(ORDER_SAGA)

PIVOT: Final = pivot_of(ORDER_SAGA)
FIRST: Final = ORDER_SAGA[0]
"""The step whose undo comes last of all and closes the order."""
BACKWARD: Final = backward_of(ORDER_SAGA)
BY_NAME: Final = {step.name: step for step in ORDER_SAGA}
DEFINITION_HASH: Final = hash_of(ORDER_SAGA)
"""Says which process a saga was started under."""


def request_body(step: Step, *, undo: bool, order: Order, reason: str = "") -> dict[str, Any]:
    """The body of a call: a pure function of the order.

    The undo of a compensatable step needs the order id alone. That of `FIRST`, which closes the order, also says why,
    outside its fingerprint. The pivot's undo carries the whole content, because it may have to create the document.
    """
    if not undo or step is PIVOT:
        return dict(step.body(order))
    body: dict[str, Any] = {"order_id": order.order_id}
    if step is FIRST:
        body["reason"] = reason
    return body


def idempotency_key(step: Step, *, undo: bool, order: Order) -> str:
    """`{namespace}/{orderID}/{step}/{do|undo}`: the same over retries, restarts and re-creation, never from a UID."""
    return f"{order.namespace}/{order.order_id}/{step.name}/{'undo' if undo else 'do'}"
