"""What is on record of one order: its resource, its documents, the providers' ledger entries. Plain data."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

Document = Mapping[str, Any]
"""A document of a database, an item of a service's list, or a resource: JSON by its field names."""


class Kind(StrEnum):
    """Where a record comes from."""

    SAGA = "saga"
    STORY = "story"
    """What is archived of a saga whose resource is gone."""
    ORDER = "order"
    RESERVATION = "reservation"
    PAYMENT = "payment"
    SHIPMENT = "shipment"
    NOTIFICATION = "notification"
    CHARGES = "payment ledger"
    BOOKINGS = "shipping ledger"
    MESSAGES = "notification ledger"


OTHER_ORDER = "OrderIDUsed"
LEDGERS = (Kind.CHARGES, Kind.BOOKINGS, Kind.MESSAGES)
CONFIRMATION = "order_confirmed"
"""The type of the one message that a saga sends."""


@dataclass(frozen=True)
class Step:
    """What the resource says of one step."""

    state: str
    reason: str
    message: str
    undo_reason: str
    undo_message: str


@dataclass(frozen=True)
class Saga:
    """What the resource says of its saga."""

    phase: str
    failure_reason: str
    created: str
    """RFC 3339, UTC; empty in a story."""
    steps: Mapping[str, Step]

    @classmethod
    def of(cls, resource: Document) -> "Saga":
        """Read a resource's JSON, or a story's. A saga that nobody has seen yet has phase Pending."""
        status = resource.get("status") or {}
        steps = {}
        for entry in status.get("steps") or ():
            undo = entry.get("compensation") or {}
            steps[entry["name"]] = Step(
                entry.get("state", ""),
                entry.get("reason", ""),
                entry.get("message", ""),
                undo.get("reason", ""),
                undo.get("message", ""),
            )
        return cls(
            phase=status.get("phase") or "Pending",
            failure_reason=(status.get("failure") or {}).get("reason", ""),
            created=(resource.get("metadata") or {}).get("creationTimestamp", ""),
            steps=steps,
        )

    @property
    def touched_nothing(self) -> bool:
        """Whether it ended because its order id was taken: the documents under that id are another saga's."""
        return self.phase == "Compensated" and self.failure_reason == OTHER_ORDER

    def marked_by_hand(self, step: str) -> bool:
        """Whether a person has said that this step was undone by hand."""
        return step in self.steps and self.steps[step].undo_reason == "MarkedCompensated"

    def skipped_by_hand(self, step: str) -> bool:
        """Whether a person has said that this step is to be left out."""
        return step in self.steps and self.steps[step].reason == "SkippedByHand"


@dataclass(frozen=True)
class Papers:
    """Everything on record of one order."""

    order_id: str
    records: Mapping[Kind, list[Document]] = field(default_factory=dict)
    tombstones: bool = True
    """Whether tombstones show; over REST they don't."""
    ledgers: frozenset[Kind] = frozenset(LEDGERS)
    """Which ledgers there are. Only test providers keep theirs in our databases."""

    def of(self, kind: Kind) -> list[Document]:
        """All records of that kind."""
        return self.records.get(kind, [])

    @property
    def saga(self) -> Saga | None:
        """The saga, if there is a resource."""
        resources = self.of(Kind.SAGA)
        return Saga.of(resources[0]) if resources else None

    @property
    def author(self) -> Saga | None:
        """What is known of the saga that these documents come from: its resource, or its story once that is gone."""
        stories = sorted(self.of(Kind.STORY), key=lambda story: story["created_at"], reverse=True)
        sagas = map(Saga.of, (*self.of(Kind.SAGA), *stories))
        return next((saga for saga in sagas if not saga.touched_nothing), None)

    @property
    def order(self) -> Document:
        """The order document; empty if there is none. One without a status is a tombstone or a refusal."""
        orders = self.of(Kind.ORDER)
        return orders[0] if orders else {}

    @property
    def total_minor(self) -> int:
        """What the order costs, in minor units."""
        return int(self.order.get("total_minor") or 0)

    @property
    def ordered(self) -> Counter[str]:
        """Units by product, as ordered."""
        return units(self.order.get("items") or ())

    def entries(self, ledger: Kind) -> Counter[str]:
        """How many entries of each kind a ledger has."""
        return Counter(str(entry["kind"]) for entry in self.of(ledger))


def units(lines: Iterable[Document]) -> Counter[str]:
    """Units by product in these lines."""
    counted = Counter[str]()
    for line in lines:
        counted[line["product_id"]] += line["quantity"]
    return counted
