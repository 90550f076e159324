"""How everything in the operator that runs beside other things is started, watched and stopped."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from contextvars import Context
from typing import Any

log = logging.getLogger(__name__)


class Tasks:
    """Tasks that are stopped together. One that fails is logged, and the others go on."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def start(
        self, work: Coroutine[Any, Any, None], name: str, fields: Callable[[], Mapping[str, str]] = dict
    ) -> asyncio.Task[None]:
        """Run it beside the caller; what `fields` returns goes with the log line if it fails.

        It begins with no context: in the caller's may be all that kopf knows of an event, 20 KB, and a timer holds the
        context that it was set in.
        """
        task = asyncio.create_task(work, name=name, context=Context())
        self._running.add(task)

        def ended(task: asyncio.Task[None]) -> None:
            self._running.discard(task)
            if not task.cancelled() and (error := task.exception()) is not None:
                log.error("%s stopped: %r", name, error, exc_info=error, extra=fields())

        task.add_done_callback(ended)
        return task

    async def stop(self) -> None:
        """Cancel all of them and wait until they have ended."""
        tasks = list(self._running)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
