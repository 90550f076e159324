"""The periodic resync: compares what the API server lists with what the engine works on, because wake-ups get lost."""

import asyncio
import logging
import time
from typing import Final

import aiohttp
import httpx

from common.kube import Conflict, KubeError, ObjectNotFound, OrderSagas
from saga_operator import metrics
from saga_operator.clock import Clock
from saga_operator.engine.engine import Engine
from saga_operator.engine.finalizers import FinalizerQueue
from saga_operator.engine.participants import Participants
from saga_operator.process.saga import FINISHED
from saga_operator.resource.body import LIVE, Resource

log = logging.getLogger(__name__)

SHARE: Final = 20
"""A resync may take a twentieth of the time: with many finished sagas it comes less often."""
LONGEST: Final = 300.0
"""Seconds; the bound of that. A resync may be slow for other reasons than many sagas (an API server that starts), and
nothing else notices a lost wake-up.
"""
AGAIN: Final = 2.0
"""Seconds after a resync that failed: an API server that starts is not ready for lists at once."""


class Resync:
    """Starts live sagas that have no worker, ends workers whose resource is gone, and cleans up after finished ones."""

    def __init__(
        self,
        engine: Engine,
        sagas: OrderSagas,
        finalizers: FinalizerQueue,
        participants: Participants,
        clock: Clock,
        *,
        interval: float,
    ) -> None:
        self._engine = engine
        self._sagas = sagas
        self._finalizers = finalizers
        self._participants = participants
        self._clock = clock
        self._interval = interval

    async def run(self) -> None:
        """Repeat `once` until cancelled. While the API server is in trouble, it is logged and tried again."""
        while True:
            started = time.monotonic()
            try:
                await self.once()
            except KubeError as error:
                log.warning("the resync could not list the sagas: %s", error)
                await asyncio.sleep(error.retry_after or AGAIN)
                continue
            await asyncio.sleep(pause_after(time.monotonic() - started, self._interval))

    async def once(self) -> None:
        """Compare everything once.

        Raises:
            KubeError: the API server could not list.
        """
        await self._live()
        for phase in sorted(FINISHED):
            await self._finished(f"status.phase={phase}")

    async def _live(self) -> None:
        listing = self._engine.before_list()
        listed: set[str] = set()
        async for page in self._sagas.list(field_selector=LIVE):
            if not listed and int(page.resource_version) < listing.highest:
                self._engine.etcd_was_restored(int(page.resource_version))
            for resource in map(Resource, page.items):
                listed.add(resource.uid)
                if self._engine.resource_seen(resource, listing):
                    metrics.RESYNC_RESUMED.inc()
                    log.info("the resync took up saga %s", resource.name)
        for uid, name in self._engine.workers.items():
            if uid in listing.versions and uid not in listed:
                await self._not_listed(uid, name)

    async def _not_listed(self, uid: str, name: str) -> None:
        """A resource with a worker was not listed: it has finished meanwhile, or is gone."""
        try:
            resource = Resource(await self._sagas.get(name))
        except ObjectNotFound:
            resource = None
        if uid not in self._engine.workers:
            return
        if resource is None or resource.uid != uid:
            self._engine.stop_worker(uid)
        else:
            self._engine.resource_seen(resource)

    async def _finished(self, selector: str) -> None:
        async for page in self._sagas.list(field_selector=selector):
            for resource in map(Resource, page.items):
                if resource.has_finalizer:
                    self._finalizers.add(resource.name, resource.uid, urgent=resource.deleting)
                elif resource.expires is not None and self._clock.now() >= resource.expires:
                    await self._remove(resource)

    async def _remove(self, resource: Resource) -> None:
        """Delete exactly this version of this object, and only after the order service has archived it."""
        name = resource.name
        try:
            await self._participants.archive(resource)
        except (httpx.HTTPError, aiohttp.ClientError, OSError) as error:
            log.warning("saga %s stays: it could not be archived (%s)", name, error)
            return
        try:
            await self._sagas.delete(name, resource.uid, resource.resource_version)
        except (Conflict, ObjectNotFound):
            return  # it was changed or deleted meanwhile: the next resync looks again
        log.info("saga %s removed: its time to live is over", name, extra={"order": name})


def pause_after(took: float, interval: float) -> float:
    """Seconds from the end of a resync that took so long to the next."""
    return max(interval, min(took * SHARE, LONGEST))
