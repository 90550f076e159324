"""The carrier: who takes the parcels. A protocol for any carrier, and the deterministic one for tests.

What is asked of a carrier is what real ones offer: a booking has a key of ours (their "reference" or
"Idempotency-Key"), and a call that is repeated with the same key is answered as the first was. The key follows from the
order, so that no repetition, take-over or restart can book twice.
"""

import hashlib
from datetime import datetime
from typing import Protocol

from bson import ObjectId

from common.mongo import Collection, Database, DuplicateKeyError
from common.wire import utcnow

LEDGER = "ledger"
REQUESTS = "provider_requests"


class Carrier(Protocol):
    """Somebody who transports parcels. Both calls may be repeated at any time, also after they were answered."""

    async def book(self, order_id: str) -> str:
        """Book the transport of an order, once; its tracking number. Raises Unavailable if there is no answer."""

    async def cancel(self, order_id: str) -> None:
        """Take an order's booking back, once. Raises Unavailable if there is no answer."""


class TestCarrier:
    """A carrier that accepts everything at once and writes what it did into `ledger`.

    The ledger is the outside world: {order_id, kind: booking | cancellation, amount_minor: 0, at}, without an index of
    ours, so that a second booking of an order would show. Like a real carrier it remembers the keys it has seen, in
    `provider_requests`.
    """

    __test__ = False  # pytest: a class named Test…, but no tests

    def __init__(self, database: Database) -> None:
        self._ledger: Collection = database[LEDGER]
        self._requests: Collection = database[REQUESTS]

    async def book(self, order_id: str) -> str:
        """Book at once; the number follows from the order."""
        await self._once(order_id, "booking")
        return tracking_number_of(order_id)

    async def cancel(self, order_id: str) -> None:
        """Cancel at once."""
        await self._once(order_id, "cancellation")

    async def _once(self, order_id: str, kind: str) -> None:
        """Append one entry per key, also if a call dies between the two writes and is repeated."""
        key = f"{order_id}/{kind}"
        at: datetime = utcnow()
        entry = ObjectId()
        try:
            await self._requests.insert({"_id": key, "entry": entry, "at": at})
        except DuplicateKeyError:
            known = await self._requests.find_one({"_id": key})
            assert known is not None, "keys are never removed"  # noqa: S101
            entry, at = known["entry"], known["at"]
        await self._ledger.update(
            {"_id": entry},
            {"$setOnInsert": {"order_id": order_id, "kind": kind, "amount_minor": 0, "at": at}},
            upsert=True,
        )


def tracking_number_of(order_id: str) -> str:
    """The test carrier's number for an order's parcel: TC and ten digits, always the same."""
    digest = hashlib.sha256(order_id.encode()).digest()
    return f"TC{int.from_bytes(digest[:8], 'big') % 10**10:010d}"
