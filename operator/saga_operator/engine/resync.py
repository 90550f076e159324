"""The periodic resync: compares what the API server lists with what the engine works on, because wake-ups get lost."""

import asyncio
import logging
import time
from typing import Final

from common.kube import KubeError, ObjectNotFound, OrderSagas
from saga_operator import metrics
from saga_operator.engine.engine import Engine, Listing
from saga_operator.heartbeats import Heartbeats
from saga_operator.resource.about import about
from saga_operator.resource.body import LIVE, Resource

log = logging.getLogger(__name__)

SHARE: Final = 20
"""A list may take a twentieth of the time: with many sagas it comes less often."""
LONGEST: Final = 300.0
"""Seconds; the bound of that. A list may be slow for other reasons than many sagas (an API server that starts), and
nothing else notices a lost wake-up.
"""
ROUND: Final = 600.0
"""Seconds without another page of a list after which the resync counts as dead: a page has one minute."""
FIRST: Final = 60.0
"""Seconds after the start by which the first list is due. The watch shows all live sagas at its beginning: while that
goes on, a list would only be in its way, and show all of them once more. 10,000 take 10 to 20 s.
"""
BEGINS: Final = 5.0
"""Seconds after the start in which the watch begins to show them, if there are any."""
STILL: Final = 1.0
"""Seconds without a saga taken up, after which that is over."""
PAGE: Final = 2_000
"""Of metadata, about a kilobyte each."""
FEW: Final = 50
"""Resources that are read one by one; of more, all live ones are listed as a whole."""
AGAIN: Final = 2.0
"""Seconds after a list that failed: an API server that starts is not ready for lists at once."""


class Resync:
    """Starts live sagas that have no worker, and ends workers whose resource is gone."""

    def __init__(
        self,
        engine: Engine,
        sagas: OrderSagas,
        *,
        heartbeats: Heartbeats,
        interval: float,
    ) -> None:
        self._engine = engine
        self._sagas = sagas
        self._heartbeats = heartbeats
        self._interval = interval
        self.completed_at = time.monotonic()
        """When a resync last came to its end (or this was made), in monotonic seconds."""

    async def run(self) -> None:
        """Repeat `once` until cancelled. While the API server is in trouble, it is logged and tried again."""
        self._heartbeats.beat("resync", again_within=ROUND)
        began = time.monotonic()
        while True:
            first_at = min(max(began + BEGINS, self._engine.taken_up_at + STILL), began + FIRST)
            if (pause := first_at - time.monotonic()) <= 0:
                break
            await asyncio.sleep(pause)
        while True:
            started = time.monotonic()
            self._heartbeats.beat("resync", again_within=ROUND)
            try:
                await self.once()
            except KubeError as error:
                log.warning("the resync could not list the sagas: %s", error)
                await asyncio.sleep(error.retry_after or AGAIN)
                continue
            pause = pause_after(time.monotonic() - started, self._interval)
            self._heartbeats.beat("resync", again_within=pause + ROUND)
            await asyncio.sleep(pause)

    async def once(self) -> None:
        """Compare all live sagas once.

        Raises:
            KubeError: the API server could not list.
        """
        listing = self._engine.before_list()
        listed: set[str] = set()
        news: list[str] = []
        async for page in self._sagas.list(field_selector=LIVE, limit=PAGE, metadata_alone=True):
            self._heartbeats.beat("resync", again_within=ROUND)
            if not listed and int(page.resource_version) < listing.highest:
                self._engine.etcd_was_restored(int(page.resource_version))
            for found in map(Resource, page.items):
                listed.add(found.uid)
                if not self._engine.is_known(found, listing):
                    news.append(found.name)
        if len(news) > FEW:
            listing = self._engine.before_list()
            async for page in self._sagas.list(field_selector=LIVE):
                self._heartbeats.beat("resync", again_within=ROUND)
                for resource in map(Resource, page.items):
                    listed.add(resource.uid)
                    self._take_up(resource, listing)
        else:
            for name in news:
                if (found_now := await self._read(name)) is not None:
                    self._take_up(found_now, listing)
        for uid, name in list(self._engine.workers.items()):
            if uid in listing.versions and uid not in listed:
                await self._not_listed(uid, name)
        self.completed_at = time.monotonic()

    def _take_up(self, resource: Resource, listing: Listing) -> None:
        if self._engine.resource_seen(resource, listing):
            metrics.RESYNC_RESUMED.inc()
            log.info("the resync took up saga %s", resource.name, extra=about(resource))

    async def _read(self, name: str) -> Resource | None:
        try:
            return Resource(await self._sagas.get(name))
        except ObjectNotFound:
            return None

    async def _not_listed(self, uid: str, name: str) -> None:
        """A resource with a worker was not listed: it has finished meanwhile, or is gone."""
        resource = await self._read(name)
        if uid not in self._engine.workers:
            return
        if resource is None or resource.uid != uid:
            self._engine.stop_worker(uid)
        else:
            self._engine.resource_seen(resource)


def pause_after(took: float, interval: float) -> float:
    """Seconds from the end of a round that took so long to the next."""
    return max(interval, min(took * SHARE, LONGEST))
