"""Work that runs beside the requests, for as long as the app does."""

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

log = logging.getLogger("ordersaga.background")

PATIENCE_SECONDS = 0.5
"""Pause before a task is cancelled again: a driver that waits for a server has been seen to swallow a cancellation."""


@asynccontextmanager
async def in_background(work: Coroutine[Any, Any, None], *, name: str) -> AsyncIterator[None]:
    """Run `work` until the block ends. If it raises, that is logged at once, and it isn't started again."""
    task = asyncio.create_task(_logged(work, name), name=name)
    try:
        yield
    finally:
        while not task.done():
            task.cancel()
            await asyncio.wait({task}, timeout=PATIENCE_SECONDS)


async def _logged(work: Coroutine[Any, Any, None], name: str) -> None:
    try:
        await work
    except Exception:
        log.exception("%s has failed and isn't tried again until this process is restarted", name)
