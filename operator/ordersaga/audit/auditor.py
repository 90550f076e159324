"""The audit: every order is judged, and whatever doesn't balance is looked at a second time before it is said.

The sources are read while the system works, so two of them may be of different moments: an order that finished in
between looks wrong, though it isn't. The second look reads its resource first and its documents after it; what a
finished saga has done is in the databases before its resource says so.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from ordersaga.audit.rules.check import judge
from ordersaga.audit.rules.findings import Finding, Judgement
from ordersaga.audit.rules.records import Document, Kind, Papers
from ordersaga.audit.rules.stock import stock
from ordersaga.audit.rules.streams import Keyed, joined, order_id_of

SECOND_LOOKS = 200
"""Orders that are looked at again together."""


class Sagas(Protocol):
    """Where the resources are."""

    namespace: str

    def stream(self) -> Iterator[Keyed]:
        """All of them, sorted by order id."""

    def get(self, name: str) -> Document | None:
        """One of them, as it is now."""


class Records(Protocol):
    """Where everything else is."""

    @property
    def tombstones(self) -> bool:
        """Whether tombstones show."""

    @property
    def ledgers(self) -> frozenset[Kind]:
        """Which of the providers' ledgers show."""

    def streams(self, sagas: Iterator[Keyed]) -> Mapping[Kind, Iterable[Keyed]]:
        """Everything by kind, and these sagas, all sorted in one way: by order id, or `as_messages_are`."""

    def look(self, order_ids: Iterable[str]) -> Mapping[str, Mapping[Kind, list[Document]]]:
        """What there is of these orders now."""

    def stock(self) -> Iterator[tuple[Document, int]]:
        """Every product, with the units that all reservations hold of it."""


class Auditor:
    """Judges all orders of one installation."""

    def __init__(self, sagas: Sagas, records: Records) -> None:
        self._sagas = sagas
        self._records = records

    def orders(self) -> Iterator[Judgement]:
        """One judgement for each order id that anything is on record of."""
        suspects: list[str] = []
        for key, records in joined(self._records.streams(self._sagas.stream())):
            order_id = order_id_of(key)
            judgement = self._judge(order_id, records)
            if judgement.findings:
                suspects.append(order_id)
            else:
                yield judgement
            if len(suspects) >= SECOND_LOOKS:
                yield from self.look_again(suspects)
                suspects = []
        yield from self.look_again(suspects)

    def look_again(self, order_ids: Sequence[str]) -> Iterator[Judgement]:
        """The judgement of these orders as they are now."""
        for some in [order_ids[n : n + SECOND_LOOKS] for n in range(0, len(order_ids), SECOND_LOOKS)]:
            resources = {order_id: self._sagas.get(order_id) for order_id in some}
            for order_id, records in self._records.look(some).items():
                resource = resources[order_id]
                yield self._judge(order_id, {**records, **({Kind.SAGA: [resource]} if resource else {})})

    def stock(self) -> Iterator[Finding]:
        """What is wrong with the products' numbers."""
        yield from stock_findings(self._records)

    def _judge(self, order_id: str, records: Mapping[Kind, list[Document]]) -> Judgement:
        papers = Papers(order_id, records, self._records.tombstones, self._records.ledgers)
        return judge(papers, self._sagas.namespace)


def stock_findings(records: Records) -> Iterator[Finding]:
    """What is wrong with the products' numbers."""
    for product, held in records.stock():
        yield from stock(product, held)
