"""The deterministic test carrier: it accepts everything at once, and what it does is in `common.shop.ledger`."""

import hashlib

from common.mongo import Database
from common.shop.ledger import Ledger


class TestProvider:
    """A carrier for demonstrations and tests. Its entries have the kinds `booking` and `cancellation`, amount 0."""

    __test__ = False  # pytest: a class named Test…, but no tests

    def __init__(self, database: Database) -> None:
        self._ledger = Ledger(database)

    async def book(self, order_id: str) -> str:
        """Book at once; the number follows from the order."""
        await self._ledger.once(f"{order_id}/booking", order_id, "booking")
        return tracking_number_of(order_id)

    async def find(self, order_id: str) -> str | None:
        """As the ledger has it."""
        return tracking_number_of(order_id) if await self._ledger.has(order_id, f"{order_id}/booking") else None

    async def is_cancelled(self, order_id: str) -> bool:
        """As the ledger has it."""
        return await self._ledger.has(order_id, f"{order_id}/cancellation")

    async def cancel(self, order_id: str) -> None:
        """Cancel at once."""
        await self._ledger.once(f"{order_id}/cancellation", order_id, "cancellation")


def tracking_number_of(order_id: str) -> str:
    """The test carrier's number for an order's parcel: TC and ten digits, always the same."""
    digest = hashlib.sha256(order_id.encode()).digest()
    return f"TC{int.from_bytes(digest[:8], 'big') % 10**10:010d}"
