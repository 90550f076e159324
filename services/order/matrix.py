"""The arbiter: what each step of a saga may do to an order, decided from the document alone. Pure.

CONFIRMED and CANCELLING follow PENDING and nothing else, so whichever of `confirm` (the pivot) and `reject` is written
first decides, and the other one learns of it. A document that holds only a refusal counts as missing; one
that holds only a tombstone counts as CANCELLED: it is of an order that never was.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from common.barrier import BarrierState
from common.shop.erasure import ERASED
from services.order.models import Content, OrderStatus, content_of_document

Action = Literal["create", "confirm", "reject", "cancel"]
Row = Literal["missing", "PENDING", "CONFIRMED", "CANCELLING", "CANCELLED"]
Document = Mapping[str, Any]

BLOCKED_CUSTOMER = "c-blocked"
"""The customer whose orders demonstrations and tests see refused."""


@dataclass(frozen=True, slots=True)
class Become:
    """The order moves to this status."""

    status: OrderStatus
    closed: bool = False


@dataclass(frozen=True, slots=True)
class Same:
    """Nothing changes: the call is a repetition, or the order is further on. The answer is a success."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """Nothing changes, and the answer is a refusal."""

    code: Literal["compensated", "already_confirmed", "not_found"]


Verdict = Become | Same | Refuse

_SAME = Same()
_COMPENSATED = Refuse("compensated")
_ALREADY_CONFIRMED = Refuse("already_confirmed")

MATRIX: Mapping[Action, Mapping[Row, Verdict]] = {
    "create": {
        "missing": Become("PENDING"),
        "PENDING": _SAME,
        "CONFIRMED": _SAME,
        "CANCELLING": _COMPENSATED,
        "CANCELLED": _COMPENSATED,
    },
    "confirm": {
        "missing": Refuse("not_found"),
        "PENDING": Become("CONFIRMED"),
        "CONFIRMED": _SAME,
        "CANCELLING": _COMPENSATED,
        "CANCELLED": _COMPENSATED,
    },
    "reject": {
        "missing": Become("CANCELLING"),
        "PENDING": Become("CANCELLING"),
        "CONFIRMED": _ALREADY_CONFIRMED,
        "CANCELLING": _SAME,
        "CANCELLED": _SAME,
    },
    "cancel": {
        "missing": Become("CANCELLED"),
        "PENDING": Become("CANCELLED"),
        "CONFIRMED": _ALREADY_CONFIRMED,
        "CANCELLING": Become("CANCELLED", closed=True),
        "CANCELLED": _SAME,
    },
}
"""Rows: missing, PENDING, CONFIRMED or later, CANCELLING, CANCELLED."""

NEXT_FULFILMENT: Mapping[OrderStatus, OrderStatus] = {
    "CONFIRMED": "PROCESSING",
    "PROCESSING": "SHIPPED",
    "SHIPPED": "DELIVERED",
}
"""The only legal steps of fulfilment."""


def row_of(document: Document | None) -> Row:
    """The document's row in the matrix."""
    if document is None:
        return "missing"
    status: OrderStatus | None = document.get("status")
    if status is None:
        return "CANCELLED" if BarrierState.of(document).tombstone else "missing"
    match status:
        case "PENDING" | "CANCELLING" | "CANCELLED":
            return status
    return "CONFIRMED"  # or later; a status that this release doesn't know is later, too: nothing is undone then


def verdict(action: Action, document: Document | None) -> Verdict:
    """What this action does to this document, if its content is the document's."""
    return MATRIX[action][row_of(document)]


def content_fields(content: Content) -> dict[str, Any]:
    """The content as the document keeps it."""
    return {**content.model_dump(), "total_minor": content.total_minor}


def same_content(document: Document, content: Content) -> bool:
    """Whether the document has this content, as far as this release knows it (`content_of_document`).

    A document that has none (refusal only, tombstone) contradicts nothing, nor does a reference that is erased.
    """
    if document.get("customer_id") is None:
        return True
    try:
        known = content_of_document(document, type(content))
    except ValueError:
        return False
    return known == content or known == _erased_as(known, content)


def _erased_as(known: Content, content: Content) -> Content:
    """The content with those references erased that are erased in the known one."""
    kept: dict[str, Any] = {}
    if known.payment.method_ref == ERASED:
        kept["payment"] = known.payment
    if known.ship_to.address_ref == ERASED:
        kept["ship_to"] = known.ship_to
    if known.notify.contact_ref == ERASED:
        kept["notify"] = known.notify
    return content.model_copy(update=kept)
