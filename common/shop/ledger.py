"""What a test provider really did, as real providers do it: one effect for each idempotency key.

A test provider stands for the outside world, so its two collections are outside the barrier. `ledger` has what really
moved: {order_id, kind, amount_minor, at, reference}; it has no unique index, so that a second charge, booking or
message of an order would show. `provider_requests` has the keys that the provider has seen (`_id` = key): {order_id,
status}.
Real providers forget keys after a while, and so may this one: who removes a key doesn't remove what was done under it,
which is still found by its `reference`, as a real provider's payment is by its metadata.
"""

from contextlib import suppress
from datetime import datetime

from common.mongo import Database, Document, DuplicateKeyError, Index, Mongo, Session
from common.wire import utcnow

LEDGER = "ledger"
REQUESTS = "provider_requests"

LEDGER_INDEX = Index.on(LEDGER, "order_id")
"""For auditors, who read an order's entries."""


class Ledger:
    """The ledger of one test provider, and the keys that it honours."""

    def __init__(self, mongo: Mongo, database: Database) -> None:
        self._mongo = mongo
        self._requests = database[REQUESTS]
        self._entries = database[LEDGER]

    async def once(self, key: str, order_id: str, kind: str, amount_minor: int = 0) -> bool:
        """Append the entry and remember the key, both or neither; whether this call did it, or an earlier one.

        A key that was accepted before (`accept`) is done with this.
        """

        async def append(session: Session) -> None:
            # A key that is done already doesn't match, and the insert then fails on its id.
            waiting = {"_id": key, "status": "processing"}
            done = {"$set": {"order_id": order_id, "status": "done"}}
            await self._requests.update(waiting, done, upsert=True, session=session)
            entry = {"order_id": order_id, "kind": kind, "amount_minor": amount_minor, "at": utcnow()}
            await self._entries.insert({**entry, "reference": key}, session=session)

        try:
            await self._mongo.transaction(append)
        except DuplicateKeyError:
            return False
        return True

    async def has(self, order_id: str, reference: str) -> bool:
        """Whether something was done for the order under this reference (the key of that time, if it is forgotten)."""
        done = await self._requests.find_one({"_id": reference, "status": "done"})
        return done is not None or (
            await self._entries.find_one({"order_id": order_id, "reference": reference}) is not None
        )

    async def accept(self, key: str, order_id: str, amount_minor: int, settles_at: datetime) -> bool:
        """Remember a key whose entry comes later; whether it is new."""
        request = {"order_id": order_id, "amount_minor": amount_minor, "settles_at": settles_at, "status": "processing"}
        try:
            await self._requests.insert({"_id": key, **request})
        except DuplicateKeyError:
            return False
        return True

    async def withdraw(self, key: str, order_id: str) -> bool:
        """Use a key up, so that nothing can happen under it any more; False if its entry is there already."""
        with suppress(DuplicateKeyError):
            await self._requests.insert({"_id": key, "order_id": order_id, "status": "withdrawn"})
        return await self.is_withdrawn(key)

    async def is_withdrawn(self, key: str) -> bool:
        """Whether the key was withdrawn."""
        return await self._requests.find_one({"_id": key, "status": "withdrawn"}) is not None

    async def request(self, key: str) -> Document | None:
        """What is known of a key: `status` is "processing", "done" or "withdrawn"; None if it was never seen."""
        return await self._requests.find_one({"_id": key})
