"""The deterministic test provider: the payment method says what happens.

    test-ok                       captured
    test-of-CUSTOMER              captured, if the order is that customer's; else declined: method_unknown
    test-declined                 declined: card_declined
    test-insufficient-funds       declined: insufficient_funds
    test-processing               accepted, captured two seconds later
    test-silent                   captured; the service's first answer for an order gets lost (see `loses_answer`)
    test-unavailable-N            unavailable for the first N calls for an order, then captured
    test-refund-stuck             captured; refunds fail until `repair`

What it does is in `common.shop.ledger`; its own collection `provider_orders` has each order's counters and switches.
"""

import re
from datetime import timedelta

from common.errors import Refused, Unavailable
from common.mongo import Database
from common.shop.ledger import Ledger
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

    def __init__(self, database: Database) -> None:
        self._ledger = Ledger(database)
        self._orders = database["provider_orders"]

    async def charge(self, charge: Charge) -> Outcome:
        """Charge as the module's table says."""
        if declined := _DECLINED.get(charge.method_ref):
            return declined
        if unavailable := _UNAVAILABLE.fullmatch(charge.method_ref):
            await self._count_call(charge, int(unavailable[1]))
        elif charge.method_ref == "test-processing":
            return await self._accept(charge)
        elif charge.method_ref not in {*_CAPTURED, f"test-of-{charge.customer_id}"}:
            return Declined("method_unknown", f"there is no payment method {charge.method_ref}")
        await self._ledger.once(charge.key, charge.order_id, "charge", charge.amount_minor)
        return Captured()

    async def find(self, charge: Charge) -> Outcome | None:
        """What became of the order's charge. One that is due is captured by this look."""
        if await self._ledger.has(charge.order_id, charge.key):
            return Captured()
        settles_at = await self._ledger.settles_at(charge.key)
        if settles_at is None:
            return None
        if utcnow() < settles_at:
            return Processing(1)
        await self._ledger.once(charge.key, charge.order_id, "charge", charge.amount_minor)
        return Captured()

    async def is_refunded(self, charge: Charge) -> bool:
        """Whether the ledger has the order's refund."""
        return await self._ledger.has(charge.order_id, f"{charge.order_id}/refund")

    async def refund(self, key: str, charge: Charge) -> None:
        """Refund the charge. Raises Refused (`refund_failed`) while the order's refunds are stuck."""
        if charge.method_ref == "test-refund-stuck":
            order = await self._orders.find_one({"_id": charge.order_id})
            if order is None or not order.get("repaired"):
                refusal = Refused(
                    "refund_failed",
                    f"order {charge.order_id}: the test provider refuses to refund this order; let its refunds through "
                    f'with POST /api/payments/test/repair {{"order_id": "{charge.order_id}"}}, then repeat the refund',
                    order_id=charge.order_id,
                )
                refusal.retryable = True
                raise refusal
        await self._ledger.once(key, charge.order_id, "refund", charge.amount_minor)

    async def repair(self, order_id: str) -> None:
        """Let the order's refunds succeed from now on."""
        await self._orders.update({"_id": order_id}, {"$set": {"repaired": True}}, upsert=True)

    async def loses_answer(self, order_id: str, method_ref: str) -> bool:
        """Whether this answer is to get lost: the first one for an order that is paid by `test-silent`."""
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
                f"({calls} of {unavailable_calls} calls); repeat the call with the same key",
                order_id=charge.order_id,
            )

    async def _accept(self, charge: Charge) -> Outcome:
        due = utcnow() + SETTLES_AFTER
        if await self._ledger.accept(charge.key, charge.order_id, charge.amount_minor, due):
            return Processing(int(SETTLES_AFTER.total_seconds()))
        return await self.find(charge) or Processing(1)
