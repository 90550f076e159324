"""Work that may go on after its caller has been answered, and doesn't get lost.

    errands = Errands()                                       # one for each app: `Service.errands`
    result = await errands.run(work(), patience=3)            # None: still at work, in the background
    await errands.finish(8)                                   # at the end of the process

What fails when nobody waits for it any more is logged. A process that is killed loses its errands: whoever needs their
results has to be able to find that out (`common.barrier`: by the claim's lease).
"""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, TypeVar

from common.deadline import afresh
from common.errors import Problem

log = logging.getLogger("ordersaga.errands")
T = TypeVar("T")


class Errands:
    """The errands of one process."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    async def run(self, work: Coroutine[Any, Any, T], *, patience: float) -> T | None:
        """The result of `work` if it ends within `patience` seconds, and whatever it raises; else None, and it goes on.

        It also goes on if the caller is cancelled. The caller's deadline doesn't count for it.
        """
        task = asyncio.create_task(_own_time(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            done, _ = await asyncio.wait({task}, timeout=patience)
        except asyncio.CancelledError:
            task.add_done_callback(_tell)
            raise
        if done:
            return task.result()
        task.add_done_callback(_tell)
        return None

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
