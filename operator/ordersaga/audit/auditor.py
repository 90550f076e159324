"""Checks every order of an installation in one pass, and a second time whatever does not balance.

The sources are read while the system works, so two of them may be of different moments: an order that finished in
between looks wrong, though it isn't. The second check reads the resource first and the documents after it: what a
finished saga has done is in the databases before its resource says so.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from ordersaga.audit.rules.check import check
from ordersaga.audit.rules.effects import stock_findings
from ordersaga.audit.rules.outcome import CheckedOrder, Finding, Verdict
from ordersaga.audit.rules.records import Document, OrderRecords, RecordKind
from ordersaga.audit.rules.streams import Keyed, joined, order_id_of

BATCH = 200
"""Orders that are checked again together: one query for all of them, and few enough to keep in memory."""


class SagaSource(Protocol):
    """Where the resources are read."""

    namespace: str

    def stream(self) -> Iterator[Keyed]:
        """All of them, sorted by order id."""

    def get(self, name: str) -> Document | None:
        """One of them, as it is now."""


class RecordSource(Protocol):
    """Where everything else is read."""

    @property
    def tombstones(self) -> bool:
        """Whether tombstones show."""

    @property
    def ledgers(self) -> frozenset[RecordKind]:
        """Which of the providers' ledgers show."""

    def streams(self, sagas: Iterator[Keyed]) -> Mapping[RecordKind, Iterable[Keyed]]:
        """All records by kind, the given sagas among them, all sorted in one way: by order id or `by_message_id`."""

    def look(self, order_ids: Iterable[str]) -> Mapping[str, Mapping[RecordKind, list[Document]]]:
        """All records of these orders, as they are now."""

    def stock(self) -> Iterator[tuple[Document, int]]:
        """Every product, with the units that all reservations hold of it."""


class Auditor:
    """Checks all orders of one installation."""

    def __init__(self, sagas: SagaSource, records: RecordSource) -> None:
        self._sagas = sagas
        self._records = records

    def orders(self) -> Iterator[CheckedOrder]:
        """Each order id of which there is any record, checked."""
        suspects: list[str] = []
        for key, records in joined(self._records.streams(self._sagas.stream())):
            order_id = order_id_of(key)
            checked = self._check(order_id, records)
            if checked.findings:
                suspects.append(order_id)
            else:
                yield checked
            if len(suspects) >= BATCH:
                yield from self._check_again(suspects)
                suspects = []
        yield from self._check_again(suspects)

    def stock(self) -> Iterator[Finding]:
        """What is wrong with the products' numbers."""
        for product, held in self._records.stock():
            try:
                yield from list(stock_findings(product, held))
            except Exception as error:  # whatever somebody wrote into one product, the others are looked at
                yield _unreadable(str(product.get("_id") or product.get("product_id")), "stock", error)

    def _check_again(self, order_ids: Sequence[str]) -> Iterator[CheckedOrder]:
        if not order_ids:
            return
        resources = {order_id: self._sagas.get(order_id) for order_id in order_ids}
        for order_id, records in self._records.look(order_ids).items():
            resource = resources[order_id]
            yield self._check(order_id, {**records, **({RecordKind.SAGA: [resource]} if resource else {})})

    def _check(self, order_id: str, records: Mapping[RecordKind, list[Document]]) -> CheckedOrder:
        found = OrderRecords(order_id, records, self._records.tombstones, self._records.ledgers)
        try:
            return check(found, self._sagas.namespace)
        except Exception as error:  # whatever somebody wrote into these records, the others are looked at
            return CheckedOrder(order_id, Verdict.WRONG, (_unreadable(order_id, "order", error),))


def _unreadable(subject: str, area: str, error: Exception) -> Finding:
    return Finding(
        subject,
        area,
        f"its records can't be read: {error!r}",
        "somebody has written what no service of ours writes: find the field in its documents or its resource, and "
        "put it right",
    )
