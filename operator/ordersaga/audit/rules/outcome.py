"""Which outcome an order should have, by its saga or its document; and what a check of its records finds."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ordersaga.audit.rules.records import OrderRecords, RecordKind
from ordersaga.phases import Phase

CONFIRMED = ("CONFIRMED", "PROCESSING", "SHIPPED", "DELIVERED")
"""The states of an order from the pivot on."""
UNDECIDED = ("PENDING", "CANCELLING")


class ExpectedOutcome(StrEnum):
    """What should be true of an order's records."""

    ALL = "every step has happened"
    NOTHING = "every step was undone, or never happened"
    OPEN = "nothing yet: its saga is at work"
    STUCK = "nothing yet: a compensation is stuck"
    ABANDONED = "nothing: it is not finished, and has no saga any more"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The expected outcome of an order, and the words of the records that say so."""

    expected: ExpectedOutcome
    known_by: str
    """For a finding's sentence: `Completed`, or `CONFIRMED`."""
    by_document: bool = False
    """Whether the order document alone says so."""


def outcome_of(records: OrderRecords) -> Outcome:
    """The resource decides while there is one; once it is gone (time to live), the order document does."""
    saga = records.saga
    if saga is None or saga.touched_nothing:
        return _by_document(records)
    match saga.phase:
        case Phase.COMPLETED:
            return Outcome(ExpectedOutcome.ALL, saga.phase)
        case Phase.COMPENSATED:
            return Outcome(ExpectedOutcome.NOTHING, saga.phase)
        case Phase.FAILED:
            return Outcome(ExpectedOutcome.STUCK, saga.phase)
    return Outcome(ExpectedOutcome.OPEN, saga.phase)


def _by_document(records: OrderRecords) -> Outcome:
    status = records.order.get("status")
    if status in CONFIRMED:
        return Outcome(ExpectedOutcome.ALL, f"{status}", by_document=True)
    if status in UNDECIDED:
        return Outcome(ExpectedOutcome.ABANDONED, f"{status}", by_document=True)
    if status is not None:
        return Outcome(ExpectedOutcome.NOTHING, f"{status}", by_document=True)
    # A tombstone or a stored refusal is all there ever was of it; without any document, no step may have left anything.
    known_by = "never created" if records.of(RecordKind.ORDER) else "there is no such order"
    return Outcome(ExpectedOutcome.NOTHING, known_by, by_document=True)


class Verdict(StrEnum):
    """What a check says of one order."""

    BALANCED = "balanced"
    OPEN = "open"
    """Its saga is still at work: nothing can be said yet, and nothing has to be done."""
    BY_HAND = "by hand"
    """It doesn't balance, and a person has said that the rest was done by hand: no record can prove that."""
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Finding:
    """One contradiction between the records.

    `subject` is the order's id or, for stock, the product's. `area` is saga, order, money, units, shipment, message or
    stock. `what` is wrong; `advice` is what a person should do.
    """

    subject: str
    area: str
    what: str
    advice: str
    by_hand: bool = False
    """Whether a person has said that it was put right outside of the system."""

    def __str__(self) -> str:
        return f"{self.subject}: {self.what}"

    def to_json(self) -> Mapping[str, Any]:
        """For programs: the area is called `books` there."""
        return {
            "subject": self.subject,
            "books": self.area,
            "what": self.what,
            "advice": self.advice,
            "by_hand": self.by_hand,
        }


@dataclass(frozen=True, slots=True)
class CheckedOrder:
    """The verdict on one order, and the findings behind it."""

    order_id: str
    verdict: Verdict
    findings: tuple[Finding, ...] = ()
    since: str = ""
    """Of an open order: when its resource was created (RFC 3339, UTC)."""
    abandoned: bool = False
    """Whether it isn't finished and has no resource any more, so that the operator doesn't know of it."""
