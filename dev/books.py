"""The books: what must be true of the five databases and the providers' ledgers once sagas have ended.

Completed: net captured is the order's total, one live shipment, one message, its units reserved or dispatched.
Compensated: net nothing, no live shipment, no message, no units. At most one charge and one refund per order, ever.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pymongo import MongoClient

Document = dict[str, Any]

LIVE_SHIPMENT = ("scheduled", "handed_over", "in_transit", "delivered")
HELD = ("reserved", "dispatched")


class Books:
    """The databases of one installation. Use as a context manager."""

    def __init__(self, mongodb_url: str, prefix: str = "ordersaga_") -> None:
        self._client = MongoClient[Document](mongodb_url)
        self._prefix = prefix

    def __enter__(self) -> "Books":
        return self

    def __exit__(self, *error: object) -> None:
        self._client.close()

    def audit(self, phases: Mapping[str, str]) -> list[str]:
        """What is wrong with these orders (id → phase of the saga, Completed or Compensated), and with the stock."""
        findings = [finding for order_id, phase in phases.items() for finding in self._order(order_id, phase)]
        return findings + list(self._stock())

    def ledger(self, service: str, order_id: str) -> Counter[str]:
        """How often each kind of entry is in that provider's ledger for the order."""
        return Counter(entry["kind"] for entry in self._all(service, "ledger", order_id))

    def _order(self, order_id: str, phase: str) -> Iterator[str]:
        completed = phase == "Completed"
        orders = self._all("order", "orders", order_id)
        expected = "CONFIRMED" if completed else "CANCELLED"
        status = orders[0].get("status") if orders else None
        # A saga that was refused at its first step leaves no order, only the refusal.
        if status != expected and (completed or status is not None):
            yield f"{order_id}: {phase}, but the order is {status}"
        total = orders[0].get("total_minor", 0) if orders and completed else 0
        yield from self._money(order_id, total)
        shipments = [
            each for each in self._all("shipping", "shipments", order_id) if each.get("status") in LIVE_SHIPMENT
        ]
        if len(shipments) != completed:
            yield f"{order_id}: {phase}, but {len(shipments)} live shipments"
        messages = [
            each for each in self._all("notification", "notifications", order_id) if each.get("status") == "sent"
        ]
        if len(messages) != completed:
            yield f"{order_id}: {phase}, but {len(messages)} messages"
        held = _units(each for each in self._all("inventory", "reservations", order_id) if each.get("status") in HELD)
        ordered = (
            Counter({line["product_id"]: line["quantity"] for line in orders[0]["items"]}) if total else Counter[str]()
        )
        if held != ordered:
            yield f"{order_id}: {phase}, but holds {dict(held)} instead of {dict(ordered)}"

    def _money(self, order_id: str, total: int) -> Iterator[str]:
        payments = self._all("payment", "payments", order_id)
        net = sum(each.get("captured_minor", 0) - each.get("refunded_minor", 0) for each in payments)
        if net != total:
            yield f"{order_id}: net captured {net} instead of {total}"
        entries = self._all("payment", "ledger", order_id)
        signs = {"charge": 1, "refund": -1}
        outside = sum(signs.get(entry["kind"], 0) * entry["amount_minor"] for entry in entries)
        if outside != total:
            yield f"{order_id}: the provider's ledger says {outside} instead of {total}"
        for service in ("payment", "shipping", "notification"):
            for kind, count in self.ledger(service, order_id).items():
                if count > 1:
                    yield f"{order_id}: {count} entries {kind!r} in the ledger of {service}"

    def _stock(self) -> Iterator[str]:
        database = self._client[f"{self._prefix}inventory"]
        reserved = _units(database.reservations.find({"status": "reserved"}))
        for product in database.products.find():
            name = str(product.get("product_id", product["_id"]))
            if product["reserved"] != reserved[name]:
                yield f"{name}: {product['reserved']} reserved, but the reservations hold {reserved[name]}"
            if product["stocked"] < product["reserved"]:
                yield f"{name}: {product['reserved']} reserved of {product['stocked']}: oversold"

    def _all(self, service: str, collection: str, order_id: str) -> list[Document]:
        return list(self._client[f"{self._prefix}{service}"][collection].find({"order_id": order_id}))


def _units(reservations: Iterable[Document]) -> Counter[str]:
    units = Counter[str]()
    for reservation in reservations:
        for line in reservation["lines"]:
            units[line["product_id"]] += line["quantity"]
    return units
