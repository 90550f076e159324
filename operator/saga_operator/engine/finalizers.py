"""Takes our finalizer off finished sagas: the dearest write of all, so it waits behind live sagas, never for long."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import logging
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, Literal

from common.kube import FINALIZER, Conflict, KubeError, ObjectNotFound, OrderSagas
from common.wire import Json

log = logging.getLogger(__name__)

Write = Callable[[Literal["status", "finalizer"], str, Json], Awaitable[Json]]

LATEST: Final = 60.0
"""Seconds that a finished saga keeps its finalizer at the most while there is other work."""
WORKERS: Final = 4
LOOK_AGAIN: Final = 0.1
"""Seconds between two looks whether the engine is still busy."""
TRY_AGAIN: Final = 5.0
"""Seconds after the API server failed; a deletion is waiting at worst."""


class FinalizerQueue:
    """A queue of lower priority than everything that a live saga does."""

    def __init__(self, write: Write, sagas: OrderSagas, is_busy: Callable[[], bool]) -> None:
        self._write = write
        self._sagas = sagas
        self._is_busy = is_busy
        self._heap: list[tuple[float, int, str, str, Json | None]] = []
        self._queued: set[str] = set()
        self._order = itertools.count()
        self._filled = asyncio.Event()

    def __len__(self) -> int:
        return len(self._queued)

    def add(self, name: str, uid: str, *, urgent: bool, resource: Json | None = None) -> None:
        """Queue a finished saga; `urgent` when its deletion waits for us. Known ones are not queued twice."""
        if uid in self._queued and not urgent:
            return
        self._queued.add(uid)
        due = 0.0 if urgent else time.monotonic() + LATEST
        heapq.heappush(self._heap, (due, next(self._order), name, uid, resource))
        self._filled.set()

    async def work(self) -> None:
        """Work the queue off, for ever."""
        async with asyncio.TaskGroup() as group:
            for _ in range(WORKERS):
                group.create_task(self._worker())

    async def _worker(self) -> None:
        while True:
            while not self._heap:
                self._filled.clear()
                await self._filled.wait()
            if self._is_busy() and self._heap[0][0] > time.monotonic():
                await asyncio.sleep(LOOK_AGAIN)
                continue
            _, _, name, uid, resource = heapq.heappop(self._heap)
            self._queued.discard(uid)
            try:
                await self._take_off(name, uid, resource)
            except ObjectNotFound:
                continue
            except KubeError as error:
                log.warning("finalizer of %s stays for now: %s", name, error)
                asyncio.get_running_loop().call_later(TRY_AGAIN, partial(self.add, name, uid, urgent=False))

    async def _take_off(self, name: str, uid: str, resource: Json | None) -> None:
        while True:
            resource = resource or await self._sagas.get(name)
            metadata = resource["metadata"]
            if metadata["uid"] != uid or FINALIZER not in (metadata.get("finalizers") or ()):
                return
            rest = [finalizer for finalizer in metadata["finalizers"] if finalizer != FINALIZER]
            patch = {"metadata": {"resourceVersion": metadata["resourceVersion"], "finalizers": rest}}
            try:
                await self._write("finalizer", name, patch)
            except Conflict:
                resource = None
            else:
                return
