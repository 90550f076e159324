"""What becomes of finished sagas: their finalizer is taken off, and their resource goes when its time to live is over.

A loop of its own, beside the resync: tens of thousands may be over at once, and one of them may not be deletable.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from common.kube import Conflict, Forbidden, KubeError, ObjectInvalid, ObjectNotFound, OrderSagas
from saga_operator.clock import Clock
from saga_operator.engine.records.finalizers import FinalizerQueue
from saga_operator.engine.records.stories import Stories
from saga_operator.engine.resync import AGAIN, pause_after
from saga_operator.process.saga import FINISHED
from saga_operator.resource.body import Resource

log = logging.getLogger(__name__)

AT_ONCE: Final = 8
"""Deletions at a time: enough for a hundred in a second, and an eighth of the connections to the API server."""
FIRST_PAUSE: Final = 60.0
LONGEST_PAUSE: Final = 600.0
"""Seconds until a resource that may not be deleted is tried again, and told about: the first pause, and the longest."""
EXPIRED: Final = 410
"""The list's snapshot is gone: what was deleted meanwhile took too long."""


@dataclass(frozen=True, slots=True)
class _Refusal:
    """A resource that may not be deleted."""

    pause: float
    until: float


class Retention:
    """Cleans up after finished sagas."""

    def __init__(
        self,
        sagas: OrderSagas,
        finalizers: FinalizerQueue,
        stories: Stories,
        clock: Clock,
        *,
        interval: float,
        first_pause: float = FIRST_PAUSE,
    ) -> None:
        self._sagas = sagas
        self._finalizers = finalizers
        self._stories = stories
        self._clock = clock
        self._interval = interval
        self._first_pause = first_pause
        self._refused: dict[str, _Refusal] = {}

    async def run(self) -> None:
        """Repeat `once` until cancelled. While the API server is in trouble, it is logged and tried again."""
        while True:
            started = time.monotonic()
            try:
                await self.once()
            except KubeError as error:
                log.warning("finished sagas could not be listed: %s", error)
                await asyncio.sleep(error.retry_after or AGAIN)
                continue
            await asyncio.sleep(pause_after(time.monotonic() - started, self._interval))

    async def once(self) -> None:
        """Look at every finished saga once.

        Raises:
            KubeError: the API server could not list.
        """
        seen: set[str] = set()
        for phase in sorted(FINISHED):
            while not await self._all_of(f"status.phase={phase}", seen):
                pass
        self._refused = {uid: refusal for uid, refusal in self._refused.items() if uid in seen}

    async def _all_of(self, selector: str, seen: set[str]) -> bool:
        """Whether the list came to its end. Its snapshot lasts some minutes: what was removed by then stays so."""
        removed = 0
        try:
            async for page in self._sagas.list(field_selector=selector):
                resources = [Resource(item) for item in page.items]
                seen.update(resource.uid for resource in resources)
                removed += await self._look_at(resources)
        except KubeError as error:
            if error.status != EXPIRED or not removed:
                raise
            return False
        return True

    async def _look_at(self, resources: Sequence[Resource]) -> int:
        """Clean up after these; the number of resources that were removed."""
        turns = asyncio.Semaphore(AT_ONCE)

        async def remove(resource: Resource) -> bool:
            async with turns:
                try:
                    return await self._remove(resource)
                except Exception as error:  # whatever ails one resource is no reason to clean up no others
                    self._note_refusal(resource, repr(error))
                    return False

        expired = []
        for resource in resources:
            try:
                if resource.has_finalizer:
                    self._finalizers.add(resource.name, resource.uid, urgent=resource.deleting)
                elif self._is_over(resource):
                    expired.append(resource)
            except Exception as error:  # of this one alone: it was stored under another definition, say
                self._note_refusal(resource, f"it can't be read: {error!r}")
        return sum(await asyncio.gather(*map(remove, expired)))

    def _is_over(self, resource: Resource) -> bool:
        if resource.deleting:
            return False  # another program's finalizer holds it
        expires = resource.expires
        return expires is not None and self._clock.now() >= expires

    async def _remove(self, resource: Resource) -> bool:
        """Delete exactly this version of this object, and only after the order service has its story."""
        refusal, name = self._refused.get(resource.uid), resource.name
        if refusal is not None and time.monotonic() < refusal.until:
            return False
        if not await self._stories.kept(resource):
            return False
        try:
            await self._sagas.delete(name, resource.uid, resource.resource_version)
        except (Conflict, ObjectNotFound):
            return False  # it was changed or deleted meanwhile: the next round looks again
        except (Forbidden, ObjectInvalid) as error:
            self._note_refusal(resource, str(error))
            return False
        except KubeError as error:
            log.warning("saga %s was not removed: %s", name, error)
            return False
        log.info("saga %s removed: its time to live is over", name, extra={"order": name})
        return True

    def _note_refusal(self, resource: Resource, why: str) -> None:
        before = self._refused.get(resource.uid)
        if before is not None and time.monotonic() < before.until:
            return
        pause = self._first_pause if before is None else min(2 * before.pause, LONGEST_PAUSE)
        self._refused[resource.uid] = _Refusal(pause, time.monotonic() + pause)
        log.warning("saga %s stays, though its time to live is over: %s", resource.name, why)
