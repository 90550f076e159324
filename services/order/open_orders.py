"""How many orders of a client are open, neither confirmed nor rolled back: none is to fill the operator's memory.

They are counted in the database, beside the calls, at most every few seconds. To that comes what this replica has
placed since and the database doesn't know: an order has no document before the operator has made its first step.
A client that wasn't seen lately is let in while its orders are being counted, and nobody is refused by an old count.
"""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from pymongo.errors import PyMongoError

from common.errors import TooMany
from services.order.client import Client
from services.order.store import Orders

log = logging.getLogger("ordersaga.order")

RECOUNT: Final = 5.0
"""Seconds between two counts of a client that places orders."""
NEW_ENOUGH: Final = 1.0
"""Seconds for which a count is good enough to refuse by."""
CLIENTS: Final = 10_000
"""Clients whose counts are remembered."""
EVERYBODYS: Final = ""
"""In place of a customer's id: the orders of all."""


@dataclass(slots=True)
class _Count:
    open: int = 0
    """In the database."""
    at: float = float("-inf")
    placed: set[str] = field(default_factory=set)
    """Orders that were placed here, and that the database didn't know at the last count."""
    counting: "asyncio.Task[None] | None" = field(default=None, repr=False)

    @property
    def total(self) -> int:
        return self.open + len(self.placed)


class OpenOrders:
    """The bounds. Usable inside one event loop."""

    def __init__(
        self, orders: Orders, customers: int, staff: int, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`customers`: open orders of each customer; `staff`: of all, above which staff places no more."""
        self._orders, self._customers, self._staff, self._clock = orders, customers, staff, clock
        self._counts: OrderedDict[str, _Count] = OrderedDict()

    @asynccontextmanager
    async def room(self, client: Client, order_id: str) -> AsyncIterator[None]:
        """For one more, which is placed in the block. Raises TooMany."""
        if client.caller is None:
            yield
            return
        whose, most = (EVERYBODYS, self._staff) if client.own is None else (client.own, self._customers)
        count = self._count_of(whose)
        age = self._clock() - count.at
        if (age > RECOUNT or (count.total >= most and age > NEW_ENOUGH)) and count.counting is None:
            count.counting = asyncio.create_task(self._recount(whose, most, count))
        if count.total >= most and count.counting is not None:
            await asyncio.wait({count.counting})
        if count.total >= most:
            are = f"{most} of your orders are" if client.own is not None else f"{most} orders are"
            raise TooMany(
                f"{are} open, neither confirmed nor rolled back: place this one when some of them have ended",
                code="too_many_open_orders",
                retry_after=RECOUNT,
                order_id=order_id,
            )
        count.placed.add(order_id)
        try:
            yield
        except BaseException:
            count.placed.discard(order_id)
            raise

    def _count_of(self, whose: str) -> _Count:
        count = self._counts.setdefault(whose, _Count())
        self._counts.move_to_end(whose)
        if len(self._counts) > CLIENTS:
            self._counts.popitem(last=False)
        return count

    async def _recount(self, whose: str, most: int, count: _Count) -> None:
        began, before = self._clock(), set(count.placed)
        try:
            known = await self._orders.known_of(before)
            # Those that come to be known meanwhile stay with what was placed here: they aren't counted twice.
            count.open = await self._orders.count_open(whose or None, most, beside=count.placed - known)
            count.placed -= known
            count.at = began
        except PyMongoError as error:
            log.warning("open orders can't be counted now: %s", str(error)[:200])
        finally:
            count.counting = None
