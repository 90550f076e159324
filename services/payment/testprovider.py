"""The deterministic test provider: the payment method says what happens.

    test-ok                       captured
    test-declined                 declined: card_declined
    test-insufficient-funds       declined: insufficient_funds
    test-processing               accepted, captured two seconds later
    test-silent                   captured; the first answer for an order is lost on the way (see `loses_answer`)
    test-unavailable-N            unavailable for the first N calls for an order, then captured
    test-refund-stuck             captured; refunds fail until `repair`

It is the outside world, so its three collections are outside the barrier: `provider_requests` (what it honours its
keys with), `provider_orders` (counters and switches) and `ledger`, the money that really moved, which has no unique
index: a second charge would show.
"""

import re
from datetime import timedelta
from typing import Any

from common.errors import Refused, Unavailable
from common.mongo import Database, DuplicateKeyError, Mongo, Session
from common.wire import utcnow
from services.payment.provider import Captured, Charge, Declined, Outcome, Processing

SETTLES_AFTER = timedelta(seconds=2)
_UNAVAILABLE = re.compile(r"test-unavailable-(\d{1,4})")
_CAPTURED = frozenset({"test-ok", "test-silent", "test-refund-stuck"})
_DECLINED = {
    "test-declined": Declined("card_declined", "the card was declined"),
    "test-insufficient-funds": Declined("insufficient_funds", "the account doesn't cover the amount"),
}


class TestProvider:
    """A provider for demonstrations and tests; see the module's table of methods."""

    __test__ = False  # pytest: a class named Test…, but no tests

    def __init__(self, mongo: Mongo, database: Database) -> None:
        self._mongo = mongo
        self._requests = database["provider_requests"]
        self._orders = database["provider_orders"]
        self._ledger = database["ledger"]

    async def charge(self, charge: Charge) -> Outcome:
        """As the table of methods says."""
        if declined := _DECLINED.get(charge.method_ref):
            return declined
        if unavailable := _UNAVAILABLE.fullmatch(charge.method_ref):
            await self._count_call(charge, int(unavailable[1]))
        elif charge.method_ref == "test-processing":
            return await self._accept(charge)
        elif charge.method_ref not in _CAPTURED:
            return Declined("method_unknown", f"there is no payment method {charge.method_ref}")
        await self._move(charge.key, "charge", charge)
        return Captured()

    async def lookup(self, key: str) -> Outcome | None:
        """What became of a charge; one that is due is captured by being looked at."""
        known = await self._requests.find_one({"_id": key})
        return None if known is None else await self._state(known)

    async def refund(self, key: str, charge: Charge) -> None:
        """Give it back; raises Refused (`refund_failed`) while the order's refunds are stuck."""
        if charge.method_ref == "test-refund-stuck":
            order = await self._orders.find_one({"_id": charge.order_id})
            if order is None or not order.get("repaired"):
                refusal = Refused(
                    "refund_failed",
                    f"order {charge.order_id}: the test provider refuses the refund; "
                    'POST /api/payments/test/repair {"order_id": …}, then ask again',
                    order_id=charge.order_id,
                )
                refusal.retryable = True
                raise refusal
        await self._move(key, "refund", charge)

    async def repair(self, order_id: str) -> None:
        """Let the order's refunds succeed from now on."""
        await self._orders.update({"_id": order_id}, {"$set": {"repaired": True}}, upsert=True)

    async def loses_answer(self, order_id: str, method_ref: str) -> bool:
        """Whether this answer is lost on its way: the first one for an order that is paid by `test-silent`."""
        if method_ref != "test-silent":
            return False
        order = await self._orders.find_and_update({"_id": order_id}, {"$inc": {"answers": 1}}, upsert=True)
        return order is not None and order["answers"] == 1

    async def _count_call(self, charge: Charge, unavailable_calls: int) -> None:
        order = await self._orders.find_and_update({"_id": charge.order_id}, {"$inc": {"calls": 1}}, upsert=True)
        calls = order["calls"] if order else 1
        if calls <= unavailable_calls:
            raise Unavailable(
                f"order {charge.order_id}: the test provider is unavailable "
                f"({calls} of {unavailable_calls} calls); ask again with the same key",
                order_id=charge.order_id,
            )

    async def _accept(self, charge: Charge) -> Outcome:
        accepted = {
            "_id": charge.key,
            "order_id": charge.order_id,
            "amount_minor": charge.amount_minor,
            "status": "processing",
            "settles_at": utcnow() + SETTLES_AFTER,
        }
        try:
            await self._requests.insert(accepted)
        except DuplicateKeyError:
            return await self.lookup(charge.key) or Processing(1)
        return Processing(int(SETTLES_AFTER.total_seconds()))

    async def _state(self, known: dict[str, Any]) -> Outcome:
        if known["status"] == "done":
            return Captured()
        if utcnow() < known["settles_at"]:
            return Processing(1)

        async def settle(session: Session) -> None:
            due = {"_id": known["_id"], "status": "processing"}
            if await self._requests.update(due, {"$set": {"status": "done"}}, session=session):
                await self._append(known["order_id"], "charge", known["amount_minor"], session)

        await self._mongo.transaction(settle)
        return Captured()

    async def _move(self, key: str, kind: str, charge: Charge) -> None:
        """Move the money and remember the key, both or neither; nothing if the key is known."""

        async def move(session: Session) -> None:
            await self._requests.insert({"_id": key, "order_id": charge.order_id, "status": "done"}, session=session)
            await self._append(charge.order_id, kind, charge.amount_minor, session)

        try:
            await self._mongo.transaction(move)
        except DuplicateKeyError:
            return

    async def _append(self, order_id: str, kind: str, amount_minor: int, session: Session) -> None:
        entry = {"order_id": order_id, "kind": kind, "amount_minor": amount_minor, "at": utcnow()}
        await self._ledger.insert(entry, session=session)
