"""What an auditor says."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Verdict(StrEnum):
    """What became of one order's books."""

    BALANCED = "balanced"
    OPEN = "open"
    """Its saga is still at work: nothing can be said yet, and nobody has to do anything."""
    BY_HAND = "by hand"
    """It doesn't balance, and a person has said that the rest was done by hand: nothing here can prove that."""
    WRONG = "wrong"


@dataclass(frozen=True)
class Finding:
    """One thing that doesn't balance.

    `subject` is the order's id or, for stock, the product's. `books` is which books: saga, order, money, units,
    shipment, message or stock. `what` is wrong; `advice` is what a person should do.
    """

    subject: str
    books: str
    what: str
    advice: str
    by_hand: bool = False

    def __str__(self) -> str:
        return f"{self.subject}: {self.what}"

    def to_json(self) -> Mapping[str, Any]:
        """For machines."""
        return asdict(self)


@dataclass(frozen=True)
class Judgement:
    """What was found out about one order."""

    order_id: str
    verdict: Verdict
    findings: tuple[Finding, ...] = ()
    since: str = ""
    """Of an open order: since when (RFC 3339, UTC)."""
    abandoned: bool = False
    """Whether nobody works on it though it isn't finished: its resource is gone."""
