"""Personal data goes by itself, so many days after an order has finished, whether or not anybody asks.

The order's document says since when it is finished (`over_since`): each look notes the time in those that have finished
since the last one. So orders count from the first look of the first release that has this, and never from an earlier
time. What is due is erased by the same code as a request (`Erasures.erase`), a batch at a time, customer by customer.
Whatever a crash leaves unmarked is done again.

An address or a contact goes with the last order that names it: one that another order of the customer names, which
isn't due or isn't even finished, stays until then.

A story of an order that never came to be has no document to say when: it goes so many days after it was archived.
"""

import asyncio
import logging
import random
from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import timedelta

from common.background import Rounds
from common.barrier import Document
from common.errors import Unavailable
from common.mongo import PyMongoError
from common.shop.erasure import MOST_ORDERS
from common.wire import utcnow
from services.order.erasures import Erasures, FinishedOrder, references_of
from services.order.sagas import Sagas
from services.order.store import Orders
from services.order.stories import Stories

log = logging.getLogger("ordersaga.order.retention")

PAUSE = 60.0
"""Seconds between two looks, each of two reads that find nothing as a rule. The time is in days."""
NOTED_AT_ONCE = 1000
"""Orders whose end is noted by one write."""
SKIPPED_AT_MOST = 1000
"""Orders that a look passes over; each is read again by the next one."""


class Retention:
    """Erases what finished orders refer to `days` after their ends; never with 0."""

    def __init__(self, erasures: Erasures, orders: Orders, stories: Stories, sagas: Sagas, *, days: int) -> None:
        self._erasures = erasures
        self._orders = orders
        self._stories = stories
        self._sagas = sagas
        self._days = days

    async def keep_erasing(self, rounds: Rounds) -> None:
        """Look again and again. Never ends."""
        while True:
            try:
                await self.note_ends(rounds)
                left = await self.erase_due(rounds) if self._days else 0
                why = f"{left} finished orders can't be erased: the log says why" if left else ""
            except Unavailable as error:
                why = error.detail
            except PyMongoError as error:
                why = f"the database: {type(error).__name__}"
            if why:
                log.warning("personal data of finished orders waits to be erased: %s", why)
                rounds.failed(why)
            else:
                rounds.done()
            await asyncio.sleep(PAUSE * random.uniform(0.8, 1.2))  # noqa: S311 - replicas take turns

    async def note_ends(self, rounds: Rounds) -> None:
        """Note in the orders that have finished that they have. This is done without a limit of days, too: one that is
        set later counts from here.
        """
        while await self._orders.note_ends(NOTED_AT_ONCE) == NOTED_AT_ONCE:
            rounds.going_on()

    async def erase_due(self, rounds: Rounds) -> int:
        """Erase what is due; how many orders can't be erased, each for a reason of its own.

        Raises:
            Unavailable, PyMongoError: it isn't complete; the next look goes on.
        """
        due = utcnow() - timedelta(days=self._days)
        while alone := await self._stories.alone_before(due, MOST_ORDERS):
            rounds.going_on()
            for uid in alone:
                await self._stories.erase(uid)
        skipped: set[str] = set()
        failed: set[str] = set()
        while len(skipped) < SKIPPED_AT_MOST and (
            batch := await self._orders.finished_before(due, MOST_ORDERS, but=skipped)
        ):
            under_way, named = await self._under_way()
            skipped |= {document["_id"] for document in batch} & under_way
            of_customers: defaultdict[str, list[Document]] = defaultdict(list)
            for document in batch:
                if document["_id"] not in skipped:
                    of_customers[document["customer_id"]].append(document)
            for customer_id, documents in of_customers.items():
                rounds.going_on()
                if not await self._erased(customer_id, documents, named):
                    failed |= {document["_id"] for document in documents}
            skipped |= failed
        return len(failed)

    async def _erased(self, customer_id: str, documents: Sequence[Document], kept: Collection[str]) -> bool:
        """Erase these orders of a customer, but not what is kept for others; whether it could be done."""
        try:
            orders = {document["_id"]: FinishedOrder.of(document) for document in documents}
            named = {reference for order in orders.values() for reference in (order.address_ref, order.contact_ref)}
            needed = await self._orders.also_named(customer_id, named, but=orders)
            await self._erasures.erase(customer_id, orders, needed=needed | set(kept))
        except (Unavailable, PyMongoError):
            raise
        except Exception:  # whatever it is, it is of these orders alone
            order_ids = ", ".join(sorted(document["_id"] for document in documents))
            log.exception("what these finished orders refer to can't be erased: %s", order_ids)
            return False
        return True

    async def _under_way(self) -> tuple[set[str], set[str]]:
        """The unfinished orders of which the API server has a resource, and what they name.

        Some have no document yet; and a finished one, of which somebody has made a resource again, is left alone.
        """
        order_ids: set[str] = set()
        named: set[str] = set()
        async for spec in self._sagas.unfinished_specs():
            order_ids.add(str(spec.get("orderID")))
            named |= set(references_of(spec))
        return order_ids, named
