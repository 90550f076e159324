"""Work that may go on after its caller has been answered, and doesn't get lost.

    errands = Errands()                                       # one for each app: `Service.errands`
    result = await errands.run(work(), patience=3)            # None: still at work, in the background
    await errands.finish(8)                                   # at the end of the process

There are at most `MOST` at a time: further work isn't begun, and its caller is told to come back.

What fails when nobody waits for it any more is logged. A process that is killed loses its errands: whoever needs their
results has to be able to find that out (`common.barrier`: by the claim's lease).
"""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, TypeVar

from common.deadline import afresh
from common.errors import Problem, Unavailable

log = logging.getLogger("ordersaga.errands")
T = TypeVar("T")

MOST = 256
"""Errands of one process. A provider has 8 s, so the slowest one still gets 32 calls a second, and one operator has at
most 32 callers that wait 3.5 s each; 256 requests and their documents take about 10 MiB of a service's 192.
"""


class NoRoom(Unavailable):
    """Too many errands are under way: this one wasn't begun."""


class Errands:
    """The errands of one process."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._tasks: set[asyncio.Task[Any]] = set()
        self._said = False

    async def run(self, work: Coroutine[Any, Any, T], *, patience: float) -> T | None:
        """The result of `work` if it ends within `patience` seconds, and whatever it raises; else None, and it goes on.

        It also goes on if the caller is cancelled. The caller's deadline doesn't count for it. Raises NoRoom.
        """
        if len(self._tasks) >= self._most:
            work.close()
            self._say()
            raise NoRoom(f"{self._most} calls to a provider are under way: repeat this later", retry_after=2)
        task = asyncio.create_task(_own_time(work))
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        try:
            done, _ = await asyncio.wait({task}, timeout=patience)
        except asyncio.CancelledError:
            task.add_done_callback(_tell)
            raise
        if done:
            return task.result()
        task.add_done_callback(_tell)
        return None

    def _say(self) -> None:
        """Once, until half of them have ended."""
        if not self._said:
            self._said = True
            log.warning("%d errands are under way, no more are begun: is the provider slow?", self._most)

    def _ended(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.discard(task)
        if len(self._tasks) <= self._most // 2:
            self._said = False

    async def finish(self, seconds: float) -> None:
        """Wait for the errands that are under way; after `seconds` they are cancelled."""
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=seconds)
        while left_over := {task for task in self._tasks if not task.done()}:
            for task in left_over:
                task.cancel()
            await asyncio.wait(left_over, timeout=1)


async def _own_time(work: Coroutine[Any, Any, T]) -> T:
    with afresh():
        return await work


def _tell(task: "asyncio.Task[Any]") -> None:
    if task.cancelled():
        log.warning("an errand was cut off: the next call for its order takes it over")
    elif isinstance(error := task.exception(), Problem):
        log.info("an errand has ended: %s", error.detail, extra={"code": error.code, "order": error.order_id})
    elif error is not None:
        log.error("an errand has failed: %s", type(error).__name__, exc_info=error)
