"""The turns of the products: who may change which stock now, within this process."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from common.deadline import left
from common.mongo import Contended

TURN_SECONDS = 2.5
"""How long a call waits for its turn: of the 4 s that it has, enough is left for its own transaction."""


class Turns:
    """One transaction at a time for each product.

    MongoDB aborts a transaction at once that meets another one's uncommitted write: a hundred orders for one product
    took 4.7 s and 1100 repetitions to get through, and 0.7 s when they queued here. Other replicas still compete; the
    repetition with jitter in `common.mongo` is for them.

    Whoever wants several products gets all of them at once, and nobody who came later gets one of them before: so there
    is no deadlock, and nobody is passed over for ever.
    """

    def __init__(self) -> None:
        self._held: set[str] = set()
        self._waiting: list[tuple[frozenset[str], asyncio.Future[None]]] = []

    @asynccontextmanager
    async def of(self, product_ids: Iterable[str]) -> AsyncIterator[None]:
        """Wait for the turn of all these products. Raises Contended if others take too long."""
        products = frozenset(product_ids)
        await self._wait_for(products)
        try:
            yield
        finally:
            self._held -= products
            self._go_on()

    async def _wait_for(self, products: frozenset[str]) -> None:
        turn = asyncio.get_running_loop().create_future()
        entry = (products, turn)
        self._waiting.append(entry)
        self._go_on()
        if turn.done():
            return
        try:
            async with asyncio.timeout(left(TURN_SECONDS)):
                await turn
        except BaseException as error:
            if entry in self._waiting:
                self._waiting.remove(entry)
            else:  # it came at this very moment
                self._held -= products
            self._go_on()
            if isinstance(error, TimeoutError):
                raise Contended("other calls for the same products take their time: repeat it later") from error
            raise

    def _go_on(self) -> None:
        """Give their turn to those whose products are free, and were wanted by nobody before them."""
        taken = set(self._held)
        for entry in tuple(self._waiting):
            products, turn = entry
            if taken.isdisjoint(products):
                self._waiting.remove(entry)
                self._held |= products
                turn.set_result(None)
            taken |= products
