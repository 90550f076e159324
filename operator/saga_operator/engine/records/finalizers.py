"""Takes our finalizer off finished sagas. No other write costs the API server as much, so live sagas go first, but
never for long.
"""

import asyncio
import heapq
import itertools
import logging
import time
from functools import partial
from typing import Final

from common.kube import Conflict, KubeError, ObjectNotFound, OrderSagas
from saga_operator.engine.calls.call_gate import CallGate
from saga_operator.engine.records.api_writer import ApiWriter
from saga_operator.engine.records.stories import Stories
from saga_operator.resource.body import Resource

log = logging.getLogger(__name__)

LATEST: Final = 60.0
"""Seconds that a finished saga keeps its finalizer at the most while there is other work."""
WORKERS: Final = 4
LOOK_AGAIN: Final = 0.1
"""Seconds between two looks whether live sagas are still busy."""
TRY_AGAIN: Final = 5.0
"""Seconds after the API server or the order service failed. At worst, a deletion waits for this."""
LATEST_AGAIN: Final = 300.0
"""Seconds; the longest pause after it has failed again and again for the same resource."""


class FinalizerQueue:
    """A queue of lower priority than everything that a live saga does."""

    def __init__(self, writer: ApiWriter, sagas: OrderSagas, gate: CallGate, stories: Stories) -> None:
        self._writer = writer
        self._stories = stories
        self._sagas = sagas
        self._gate = gate
        self._heap: list[tuple[float, int, str, str, Resource | None]] = []
        self._queued: set[str] = set()
        self._order = itertools.count()
        self._filled = asyncio.Event()
        self._failures: dict[str, int] = {}
        self._hurry = False

    def __len__(self) -> int:
        return len(self._queued)

    def hurry(self) -> None:
        """From now on everything is urgent: all that is queued, and all that comes."""
        self._hurry = True
        self._heap = [(0.0, order, name, uid, resource) for _, order, name, uid, resource in self._heap]
        heapq.heapify(self._heap)
        self._filled.set()

    def add(self, name: str, uid: str, *, urgent: bool, resource: Resource | None = None) -> None:
        """Queue a finished saga, unless it is queued; `urgent` if its deletion waits for the finalizer.

        `resource`: its last version where that is known; without it, it is read first.
        """
        if uid in self._queued and not urgent:
            return
        self._queued.add(uid)
        due = 0.0 if urgent or self._hurry else time.monotonic() + LATEST
        heapq.heappush(self._heap, (due, next(self._order), name, uid, resource))
        self._filled.set()

    async def run(self) -> None:
        """Work through the queue until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(WORKERS):
                group.create_task(self._work())

    async def _work(self) -> None:
        while True:
            while not self._heap:
                self._filled.clear()
                await self._filled.wait()
            if self._gate.is_busy and self._heap[0][0] > time.monotonic():
                await asyncio.sleep(LOOK_AGAIN)
                continue
            _, _, name, uid, resource = heapq.heappop(self._heap)
            self._queued.discard(uid)
            try:
                await self._take_off(name, uid, resource)
            except ObjectNotFound:
                self._failures.pop(uid, None)
            except (Exception, asyncio.CancelledError) as error:  # what ails one resource is no reason to stop
                if (task := asyncio.current_task()) is not None and task.cancelling():
                    raise  # a cancellation that nobody asked for leaks from a task that was waited for
                self._try_again(name, uid, error)
            else:
                self._failures.pop(uid, None)

    def _try_again(self, name: str, uid: str, error: Exception | asyncio.CancelledError) -> None:
        """Ever less often: what a policy or missing rights refuse isn't mended within seconds."""
        failures = self._failures[uid] = self._failures.get(uid, 0) + 1
        seconds = min(TRY_AGAIN * 2.0 ** min(failures - 1, 10), LATEST_AGAIN)
        unexpected = None if isinstance(error, KubeError) else error
        log.warning("finalizer of %s stays, again in %.0f s: %r", name, seconds, error, exc_info=unexpected)
        asyncio.get_running_loop().call_later(seconds, partial(self.add, name, uid, urgent=False))

    async def _take_off(self, name: str, uid: str, resource: Resource | None) -> None:
        while True:
            resource = resource or Resource(await self._sagas.get(name))
            if resource.uid != uid or not resource.has_finalizer:
                return
            # The last moment: after it, the resource may be deleted without another word.
            if not await self._stories.kept(resource) and not self._stories.may_go_without(resource):
                again = partial(self.add, name, uid, urgent=resource.deleting)
                asyncio.get_running_loop().call_later(TRY_AGAIN, again)
                return
            try:
                await self._writer.write("finalizer", name, resource.without_finalizer())
            except Conflict:
                resource = None
            else:
                return
