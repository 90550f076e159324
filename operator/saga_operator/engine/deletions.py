"""Finished sagas, by their metadata: deletions are seen at once, by a watch that begins now, and by one look at all.
That look shows as well when their time to live is over.

The other watch leaves finished sagas out, and they are too many to be listed again and again. Here only their changes
come by, two for each saga: that it has ended, and that its finalizer is off. Both are let by unread.

What was deleted before the watch began is found beside it, in one list of their metadata from the API server's memory:
with 100,000 of them that takes it a third of the CPU of pages, and a ninth of that of a watch from the start.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, contextmanager, suppress
from typing import Final

import aiohttp

from common.kube import OrderSagas
from common.kube.client import METADATA, METADATA_LIST
from common.kube.stream import items_of
from common.kube.watching import WatchRefused, changes, opened
from common.wire import Json
from saga_operator.engine.records.finalizers import FinalizerQueue
from saga_operator.engine.retention import Retention
from saga_operator.resource.body import ENDED, Resource

log = logging.getLogger(__name__)

SECONDS: Final = 300
"""Of one watch; then it is resumed, with the credentials as they are then."""
AGAIN: Final = 2.0
"""Seconds until it is tried again."""
LATEST_AGAIN: Final = 60.0
"""Seconds until the look at all is, if it fails again and again: it costs the API server some seconds."""
DAY: Final = 24 * 3600.0
"""Seconds between two looks at all. Nothing depends on it but what got lost: a finished saga that nobody noted."""
GONE: Final = 410
CHUNK: Final = 2**16
"""Bytes of the list that are read in one go: some sixty finished sagas, two milliseconds."""


class Deletions:
    """Has the finalizer taken off finished sagas, at once if their deletion is requested; tells of all there are."""

    def __init__(self, sagas: OrderSagas, finalizers: FinalizerQueue, retention: Retention) -> None:
        self._sagas = sagas
        self._finalizers = finalizers
        self._retention = retention
        self._version = ""
        self._missed = asyncio.Event()

    async def run(self) -> None:
        """Watch until cancelled. While the API server is in trouble, it is tried again."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._again_and_again(self._watch, AGAIN))
            group.create_task(self._again_and_again(self._look, LATEST_AGAIN))

    def look_at_all(self) -> None:
        """Look at all that are finished: some may have been missed."""
        self._missed.set()

    async def _again_and_again(self, work: Callable[[], Awaitable[None]], longest: float) -> None:
        said, failures = "", 0
        while True:
            try:
                await work()
                said, failures = "", 0
            except Exception as error:  # whatever stands in the API server's place may say anything
                if (why := f"{error!r}") != said:
                    said = why
                    log.info("the deletions of finished sagas can't be seen just now: %s", why)
                await asyncio.sleep(getattr(error, "retry_after", None) or min(AGAIN * 2.0**failures, longest))
                failures = min(failures + 1, 10)

    async def _watch(self) -> None:
        if not self._version:
            self._version = await self._sagas.version_now()
            self.look_at_all()
        began = time.monotonic()
        with self._version_may_be_gone():
            async for kind, found in self._changes():
                self._take_note(kind, found)
        if time.monotonic() < began + AGAIN:  # it lasts minutes, as a rule
            await asyncio.sleep(AGAIN)

    async def _look(self) -> None:
        """Look once at all that had ended before the watch began, when somebody wants it, and once a day."""
        with suppress(TimeoutError):
            async with asyncio.timeout(DAY):
                await self._missed.wait()
        self._missed.clear()
        try:
            # Without a limit, and from any version on: only then no release of Kubernetes reads them from etcd.
            not_older = {"resourceVersion": await self._sagas.version_now(), "resourceVersionMatch": "NotOlderThan"}
            self._retention.list_begins()  # before it is asked for: what ends from now on may not be in it
            async with self._all(not_older) as answer:
                async for item in items_of(answer.content.iter_chunked(CHUNK)):
                    resource = Resource(item)
                    self._note(resource)
                    self._retention.listed(resource)
        except BaseException:
            self._missed.set()
            raise

    def _take_note(self, kind: str, found: Json) -> None:
        self._version = str(found["metadata"]["resourceVersion"])
        if kind in ("ADDED", "MODIFIED") and (resource := Resource(found)).deleting:
            self._note(resource)

    def _note(self, resource: Resource) -> None:
        if resource.has_finalizer:
            self._finalizers.add(resource.name, resource.uid, urgent=resource.deleting)

    def _changes(self) -> AsyncIterator[tuple[str, Json]]:
        query = {"resourceVersion": self._version, "fieldSelector": ENDED}
        return changes(self._sagas.client, self._sagas.path, query, seconds=SECONDS, accept=METADATA)

    def _all(self, query: Mapping[str, str]) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        ended = {**query, "fieldSelector": ENDED}
        return opened(self._sagas.client, self._sagas.path, ended, accept=METADATA_LIST)

    @contextmanager
    def _version_may_be_gone(self) -> Iterator[None]:
        try:
            yield
        except (WatchRefused, aiohttp.ClientResponseError) as error:
            if GONE in (getattr(error, "code", None), getattr(error, "status", None)):
                self._version = ""
            raise
