"""What tests with a hand on the inside of an operator share: the Lease of somebody alone, waiting in one event loop."""

import asyncio
from collections.abc import Callable

from saga_operator.engine.engine import Engine


class SoleHolder:
    """The Lease of somebody who is alone; while `sure` is cleared it may have lapsed."""

    def __init__(self) -> None:
        self.epoch = 1
        self.sure = asyncio.Event()
        self.sure.set()
        self.asked = 0

    def absences(self, now: float) -> tuple[()]:
        return ()

    async def held(self) -> None:
        self.asked += 1
        await self.sure.wait()

    async def raise_epoch(self, above: int) -> None:
        self.epoch = above + 1


async def eventually(look: Callable[[], bool]) -> None:
    """Like `wait_until`, for what happens in this event loop."""
    for _ in range(1000):
        if look():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("waited 20 s")


async def until_idle(engine: Engine) -> None:
    await eventually(lambda: not engine.workers)
