"""The five databases, read directly: all records, with tombstones and the providers' ledgers.

Only the fields that the rules need are read, sorted by the server on its own indexes, a batch at a time.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Self

from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import PyMongoError

from common.authorities import of_mongodb
from common.wire import Json
from ordersaga.audit.rules.records import CONFIRMATION, LEDGERS, Document, RecordKind
from ordersaga.audit.rules.streams import CannotLookError, Keyed

BATCH = 1000
"""Documents in each batch of a cursor: about 200 kB, and eight cursors are open at once."""
TIMEOUT_MS = 5000
"""Milliseconds to find a server: enough for one that is there, and short while a person waits."""


@dataclass(frozen=True, slots=True)
class Source:
    """The collection with the records of one kind. `key` is the field that holds the order's id."""

    service: str
    collection: str
    key: str
    fields: Sequence[str]


_MONEY = ["currency", "captured_minor", "refunded_minor"]
SOURCES: Mapping[RecordKind, Source] = {
    RecordKind.ORDER: Source("order", "orders", "_id", ["status", "reason", "total_minor", "currency", "items"]),
    RecordKind.RESERVATION: Source("inventory", "reservations", "_id", ["status", "lines"]),
    RecordKind.PAYMENT: Source("payment", "payments", "_id", ["status", "reason", *_MONEY]),
    RecordKind.SHIPMENT: Source("shipping", "shipments", "_id", ["status"]),
    RecordKind.NOTIFICATION: Source(
        "notification", "notifications", "order_id", ["status", "reason", "notification_type", "delivered_by"]
    ),
    RecordKind.CHARGES: Source("payment", "ledger", "order_id", ["kind", "amount_minor"]),
    RecordKind.BOOKINGS: Source("shipping", "ledger", "order_id", ["kind", "amount_minor"]),
    RecordKind.MESSAGES: Source("notification", "ledger", "order_id", ["kind", "amount_minor"]),
}  # fmt: skip

ARCHIVE = Source("order", "sagas", "order_id", ["created_at", "status"])
"""Read only for orders that don't balance: it says what a person did about them."""


class DatabaseError(CannotLookError):
    """A database doesn't answer, or answers with an error."""


class Databases:
    """The databases `{prefix}{service}` at these URLs (service → MongoDB URI). Use as a context manager.

    Raises:
        DatabaseError: from every method, when a database doesn't answer.
    """

    tombstones = True

    def __init__(
        self, urls: Mapping[str, str], prefix: str, *, authorities: Mapping[str, Path | None] = MappingProxyType({})
    ) -> None:
        """`authorities`: URI → the file of authorities of a database that speaks TLS whatever its URI says."""
        self._prefix = prefix
        self._clients: dict[str, MongoClient[Json]] = {
            url: MongoClient(
                url,
                **of_mongodb(authorities.get(url)),
                serverSelectionTimeoutMS=TIMEOUT_MS,
                readConcernLevel="majority",
                appname="ordersaga-audit",
            )
            for url in set(urls.values())
        }
        self._urls = urls

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        for client in self._clients.values():
            client.close()

    @cached_property
    def ledgers(self) -> frozenset[RecordKind]:
        """The ledgers that exist: a real provider keeps its own elsewhere."""
        found = set()
        for kind in LEDGERS:
            source = SOURCES[kind]
            with _reading(source.service):
                names = self._database(source).list_collection_names(filter={"name": source.collection})
            found |= {kind} if names else set()
        return frozenset(found)

    def streams(self, sagas: Iterator[Keyed]) -> Mapping[RecordKind, Iterator[Keyed]]:
        """All records by kind, each kind sorted by order id as the sagas are."""
        return {RecordKind.SAGA: sagas, **{kind: self._stream(source) for kind, source in SOURCES.items()}}

    def look(self, order_ids: Iterable[str]) -> dict[str, dict[RecordKind, list[Document]]]:
        """All records of these orders, as they are now."""
        wanted = list(order_ids)
        found: dict[str, dict[RecordKind, list[Document]]] = {order_id: {} for order_id in wanted}
        for kind, source in {**SOURCES, RecordKind.ARCHIVED_SAGA: ARCHIVE}.items():
            where: Json = {source.key: {"$in": wanted}}
            if kind is RecordKind.NOTIFICATION:
                # A message that was cancelled before it was asked for is a tombstone and has no fields.
                where = {"$or": [where, {"_id": {"$in": [f"{each}-{CONFIRMATION}" for each in wanted]}}]}
            with _reading(source.service):
                documents = list(self._collection(source).find(where, _projection(source)))
            for document in documents:
                order_id = document.get(source.key) or str(document["_id"]).removesuffix(f"-{CONFIRMATION}")
                found[order_id].setdefault(kind, []).append(document)
        return found

    def stock(self) -> Iterator[tuple[Document, int]]:
        """Every product, with the units that all reservations together hold of it: both are read in one snapshot."""
        client = self._clients[self._urls["inventory"]]
        database = client[f"{self._prefix}inventory"]
        summed: list[Mapping[str, Any]] = [
            {"$match": {"status": "reserved"}},
            {"$unwind": "$lines"},
            {"$group": {"_id": "$lines.product_id", "held": {"$sum": "$lines.quantity"}}},
        ]
        with _reading("inventory"), client.start_session(snapshot=True) as session:
            held = {each["_id"]: int(each["held"]) for each in database["reservations"].aggregate(summed, session)}
            for product in database["products"].find({}, session=session, batch_size=BATCH):
                yield product, held.pop(product["_id"], 0)
        for product_id, units in held.items():
            yield {"product_id": product_id, "stocked": 0, "reserved": 0, "available": 0}, units

    def order(self, order_id: str) -> Document | None:
        """The whole order document; None if there is none."""
        with _reading("order"):
            return self._collection(SOURCES[RecordKind.ORDER]).find_one({"_id": order_id})

    def _stream(self, source: Source) -> Iterator[Keyed]:
        where = {source.key: {"$type": "string"}}  # any other is nobody's order, and can't be sorted among them
        # Not every ledger has an index: where there is none the server sorts, on its disk if it has to.
        with _reading(source.service):
            cursor = self._collection(source).find(where, _projection(source), batch_size=BATCH)
            for document in cursor.sort(source.key, 1).allow_disk_use(True):
                yield document[source.key], document

    def _collection(self, source: Source) -> Collection[Json]:
        return self._database(source)[source.collection]

    def _database(self, source: Source) -> Database[Json]:
        return self._clients[self._urls[source.service]][f"{self._prefix}{source.service}"]


def _projection(source: Source) -> list[str]:
    return [source.key, *source.fields]


@contextmanager
def _reading(service: str) -> Iterator[None]:
    try:
        yield
    except PyMongoError as error:
        raise DatabaseError(
            f"the database of {service} doesn't answer: {str(error)[:300]}; check ORDERSAGA_MONGODB_URL"
        ) from error
