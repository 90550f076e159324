"""Work that runs beside the requests, for as long as the app does."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

log = logging.getLogger("ordersaga.background")

PATIENCE_SECONDS = 0.5
"""Pause before a task is cancelled again: a driver that waits for a server has been seen to swallow a cancellation."""


AGAIN_SECONDS = 1.0
LONGEST_SECONDS = 60.0
"""The pauses after an unexpected error: the first, and the longest. Each is twice as long as the one before."""
HEALTHY_SECONDS = 300.0
"""Work that went on for so long before it failed is begun again after the first pause."""

Work = Callable[[], Coroutine[Any, Any, None]]


@asynccontextmanager
async def in_background(work: Work, *, name: str, again: float = AGAIN_SECONDS) -> AsyncIterator[None]:
    """Run `work` until the block ends. If it raises, the log says so, and it is begun again after `again` seconds.

    Work that returns is done.
    """
    task = asyncio.create_task(_repeated(work, name, again), name=name)
    try:
        yield
    finally:
        while not task.done():
            task.cancel()
            await asyncio.wait({task}, timeout=PATIENCE_SECONDS)


async def _repeated(work: Work, name: str, again: float) -> None:
    pause = again
    while True:
        began = time.monotonic()
        try:
            await work()
        except (Exception, asyncio.CancelledError):
            if (task := asyncio.current_task()) is not None and task.cancelling():
                raise  # by `in_background`; a cancellation that nobody asked for leaks from a task that was waited for
            pause = again if time.monotonic() - began > HEALTHY_SECONDS else pause
            log.exception("%s has failed: it is begun again in %g s", name, pause)
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_SECONDS)
        else:
            return
