"""The records of one order: its resource, its documents, the providers' ledger entries. Plain data."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self

from ordersaga.phases import Phase

Document = Mapping[str, Any]
"""A document of a database, an item of a service's list, or a resource: JSON by its field names."""


class RecordKind(StrEnum):
    """What a record is of, and with it where it is kept."""

    SAGA = "saga"
    ARCHIVED_SAGA = "archived saga"
    """What the order service keeps of a saga whose resource is gone."""
    ORDER = "order"
    RESERVATION = "reservation"
    PAYMENT = "payment"
    SHIPMENT = "shipment"
    NOTIFICATION = "notification"
    CHARGES = "payment ledger"
    BOOKINGS = "shipping ledger"
    MESSAGES = "notification ledger"


LEDGERS = (RecordKind.CHARGES, RecordKind.BOOKINGS, RecordKind.MESSAGES)
CONFIRMATION = "order_confirmed"
"""The type of the one message that a saga sends."""

# Reasons in the resource's status.
ORDER_ID_USED = "OrderIDUsed"
MARKED_COMPENSATED = "MarkedCompensated"
SKIPPED_BY_HAND = "SkippedByHand"


@dataclass(frozen=True, slots=True)
class RecordedStep:
    """What a saga's status says of one step; what it doesn't say is empty."""

    state: str
    reason: str
    undo_reason: str
    undo_message: str


@dataclass(frozen=True, slots=True)
class RecordedSaga:
    """What a resource says of its saga, or the archive of a saga whose resource is gone."""

    phase: str
    failure_reason: str
    created: str
    """RFC 3339, UTC; empty in an archived saga."""
    steps: Mapping[str, RecordedStep]

    @classmethod
    def of(cls, resource: Document) -> Self:
        """Read the JSON of a resource, or of an archived saga."""
        status = resource.get("status") or {}
        steps = {}
        for entry in status.get("steps") or ():
            undo = entry.get("compensation") or {}
            steps[entry["name"]] = RecordedStep(
                entry.get("state", ""), entry.get("reason", ""), undo.get("reason", ""), undo.get("message", "")
            )
        return cls(
            phase=status.get("phase") or Phase.PENDING,
            failure_reason=(status.get("failure") or {}).get("reason", ""),
            created=(resource.get("metadata") or {}).get("creationTimestamp", ""),
            steps=steps,
        )

    @property
    def touched_nothing(self) -> bool:
        """Whether it ended because its order id was taken: the documents under that id are another saga's."""
        return self.phase == Phase.COMPENSATED and self.failure_reason == ORDER_ID_USED

    def marked_by_hand(self, step: str) -> bool:
        """Whether a person has said that this step was undone by hand."""
        return step in self.steps and self.steps[step].undo_reason == MARKED_COMPENSATED

    def skipped_by_hand(self, step: str) -> bool:
        """Whether a person has said that this step is to be skipped."""
        return step in self.steps and self.steps[step].reason == SKIPPED_BY_HAND


def _readable(resource: Document) -> RecordedSaga | None:
    """None for what no operator has archived: whoever reaches the order service may send it anything as a story."""
    try:
        return RecordedSaga.of(resource)
    except (AttributeError, KeyError, TypeError):
        return None


@dataclass(frozen=True, slots=True)
class OrderRecords:
    """All records of one order."""

    order_id: str
    by_kind: Mapping[RecordKind, list[Document]] = field(default_factory=dict)
    tombstones: bool = True
    """Whether the source shows tombstones; over REST it doesn't."""
    ledgers: frozenset[RecordKind] = frozenset(LEDGERS)
    """The ledgers that the source shows. Only the test providers keep theirs in our databases."""

    def of(self, kind: RecordKind) -> list[Document]:
        """All records of that kind."""
        return self.by_kind.get(kind, [])

    @property
    def saga(self) -> RecordedSaga | None:
        """The saga, if there is a resource."""
        resources = self.of(RecordKind.SAGA)
        return RecordedSaga.of(resources[0]) if resources else None

    @property
    def author(self) -> RecordedSaga | None:
        """The saga that wrote these documents, from its resource or, once that is gone, from the archive."""
        archived = sorted(self.of(RecordKind.ARCHIVED_SAGA), key=lambda saga: saga["created_at"], reverse=True)
        sagas = map(_readable, (*self.of(RecordKind.SAGA), *archived))
        return next((saga for saga in sagas if saga is not None and not saga.touched_nothing), None)

    @property
    def order(self) -> Document:
        """The order document; empty if there is none. One without a status is a tombstone or a stored refusal."""
        orders = self.of(RecordKind.ORDER)
        return orders[0] if orders else {}

    @property
    def total_minor(self) -> int:
        """What the order costs, in minor units of its currency."""
        return int(self.order.get("total_minor") or 0)

    @property
    def ordered(self) -> Counter[str]:
        """Units by product, as ordered."""
        return units(self.order.get("items") or ())

    def entries(self, ledger: RecordKind) -> Counter[str]:
        """How many entries of each kind (`charge`, `refund`, …) that ledger has."""
        return Counter(str(entry["kind"]) for entry in self.of(ledger))


def units(lines: Iterable[Document]) -> Counter[str]:
    """Units by product in these lines."""
    counted = Counter[str]()
    for line in lines:
        counted[line["product_id"]] += line["quantity"]
    return counted
