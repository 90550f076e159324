"""What should be true of an order: all of it happened, none of it is left, or nothing can be said yet."""

from dataclasses import dataclass
from enum import StrEnum

from ordersaga.audit.rules.records import Kind, Papers

CONFIRMED = ("CONFIRMED", "PROCESSING", "SHIPPED", "DELIVERED")
"""The order's states from the pivot on."""
UNDECIDED = ("PENDING", "CANCELLING")


class Fate(StrEnum):
    """How an order has ended."""

    ALL = "all of it happened"
    NOTHING = "none of it is left"
    OPEN = "its saga is at work"
    STUCK = "a compensation is stuck"
    ABANDONED = "nobody works on it"


@dataclass(frozen=True)
class Ending:
    """An order's fate, and by which words it is known: `Completed`, or `CONFIRMED, and no resource any more`."""

    fate: Fate
    known_by: str
    by_document: bool = False
    """Whether it is the order document alone that says so."""


def ending_of(papers: Papers) -> Ending:
    """The resource decides while there is one; once it is gone (TTL), the order document, which is the arbiter."""
    saga = papers.saga
    if saga is None or saga.touched_nothing:
        return _by_document(papers)
    match saga.phase:
        case "Completed":
            return Ending(Fate.ALL, saga.phase)
        case "Compensated":
            return Ending(Fate.NOTHING, saga.phase)
        case "Failed":
            return Ending(Fate.STUCK, saga.phase)
    return Ending(Fate.OPEN, saga.phase)


def _by_document(papers: Papers) -> Ending:
    status = papers.order.get("status")
    if status in CONFIRMED:
        return Ending(Fate.ALL, f"{status}", by_document=True)
    if status in UNDECIDED:
        return Ending(Fate.ABANDONED, f"{status}", by_document=True)
    if status is not None:
        return Ending(Fate.NOTHING, f"{status}", by_document=True)
    # A tombstone or a refusal is all there ever was of it; without any document, nothing should be anywhere.
    known_by = "never created" if papers.of(Kind.ORDER) else "there is no such order"
    return Ending(Fate.NOTHING, known_by, by_document=True)
