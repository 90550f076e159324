"""What a test provider really did, as real providers do it: one effect for each idempotency key.

A test provider stands for the outside world, so its collection `ledger` is outside the barrier. It has what really
moved: {order_id, kind, amount_minor, at, reference}. The `_id` of an entry is the key that it was made under, so that
one write does it, once; nothing else is unique, so that a second charge, booking or message of an order would show.
Real providers forget keys after a while, and so may this one: an entry that gets another `_id` is still found by its
`reference`, as a real provider's payment is by its metadata.

What isn't an entry yet, or never will be, has a `status` and no `order_id` (but `of`), so that no auditor counts it:
a key that was accepted ("processing"), and one that was withdrawn. Earlier releases kept keys in `provider_requests`.
"""

from contextlib import suppress
from datetime import datetime

from common.mongo import Database, Document, DuplicateKeyError, Index
from common.wire import utcnow

LEDGER = "ledger"
FORMER_REQUESTS = "provider_requests"

LEDGER_INDEX = Index.on(LEDGER, "order_id")
"""For auditors, who read an order's entries."""


class Ledger:
    """The ledger of one test provider, and the keys that it honours."""

    def __init__(self, database: Database) -> None:
        self._entries = database[LEDGER]
        self._former = database[FORMER_REQUESTS]

    async def once(self, key: str, order_id: str, kind: str, amount_minor: int = 0) -> bool:
        """Append the entry under its key, in one write; whether this call did it, or an earlier one.

        A key that was accepted before (`accept`) becomes the entry.
        """
        entry = {"order_id": order_id, "kind": kind, "amount_minor": amount_minor, "at": utcnow(), "reference": key}
        try:
            await self._entries.insert({"_id": key, **entry})
        except DuplicateKeyError:
            made = {"$set": entry, "$unset": {"status": "", "of": "", "settles_at": ""}}
            return await self._entries.update({"_id": key, "status": "processing"}, made)
        return True

    async def has(self, order_id: str, reference: str) -> bool:
        """Whether something was done for the order under this reference (the key of that time, if it is forgotten)."""
        return await self._entries.find_one({"order_id": order_id, "reference": reference}) is not None

    async def accept(self, key: str, order_id: str, amount_minor: int, settles_at: datetime) -> bool:
        """Remember a key whose entry comes later; whether it is new."""
        accepted = {"status": "processing", "of": order_id, "amount_minor": amount_minor, "settles_at": settles_at}
        return await self._use_up(key, accepted)

    async def withdraw(self, key: str, order_id: str) -> bool:
        """Use a key up, so that nothing can happen under it any more; False if its entry is there already."""
        await self._use_up(key, {"status": "withdrawn", "of": order_id})
        return await self.is_withdrawn(key)

    async def is_withdrawn(self, key: str) -> bool:
        """Whether the key was withdrawn."""
        return await self._entries.find_one({"_id": key, "status": "withdrawn"}) is not None

    async def settles_at(self, key: str) -> datetime | None:
        """When a key that was accepted settles; None if it wasn't, or has settled."""
        waiting = await self._entries.find_one({"_id": key, "status": "processing"})
        # One that an earlier release has accepted has settled by now, or will within seconds.
        waiting = waiting or await self._former.find_one({"_id": key, "status": "processing"})
        return None if waiting is None else waiting["settles_at"]

    async def _use_up(self, key: str, what: Document) -> bool:
        with suppress(DuplicateKeyError):
            await self._entries.insert({"_id": key, **what})
            return True
        return False
