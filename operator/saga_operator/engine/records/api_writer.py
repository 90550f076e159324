"""The way to the API server that all live sagas share: every write is counted, only some travel at once, and after a
failure everybody waits before the next attempt.
"""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Final, Literal

from common.kube import ApiUnavailable, KubeError, ObjectNotFound, OrderSagas
from common.wire import Json
from saga_operator import metrics
from saga_operator.echoes import Echoes
from saga_operator.engine.records.write_room import WriteRoom
from saga_operator.resource.about import about_name
from saga_operator.resource.body import Resource

log = logging.getLogger(__name__)

BACKOFF_MAX: Final = 10.0
"""Seconds between two attempts while the API server is away."""


REFUSED_MAX: Final = 30.0
"""Seconds between two attempts while it refuses: what a person has to mend isn't mended within a second."""
ASKED_MAX: Final = 60.0
"""Seconds that the API server may ask for; it asks for one or a few. What asks for a day is something in its place."""


class ApiWriter:
    """Reads and writes OrderSagas. Usable inside one event loop."""

    def __init__(self, sagas: OrderSagas, *, max_writes: int, echoes: Echoes | None = None) -> None:
        self._sagas = sagas
        self._echoes = Echoes() if echoes is None else echoes
        self._turns = asyncio.Semaphore(max_writes)
        self.room = WriteRoom()
        """Where what can wait waits, and what tells it when."""

    def turn(self) -> AbstractAsyncContextManager[None]:
        """Wait for one's turn among the writes of live sagas.

        The patch is made inside, not before, so that a saga whose turn comes late writes all that happened meanwhile.
        """
        return self._turns

    async def write_status(self, resource: Resource, status: Json) -> Resource:
        """Put this status in the place of this version's, once; return the resource after it. Raises `KubeError`."""
        version = resource.resource_version
        return await self._write("status", self._sagas.replace_status(resource.name, resource.uid, version, status))

    async def patch_finalizer(self, name: str, patch: Json) -> Resource:
        """Send one merge patch, once; return the resource after it. Raises `KubeError`."""
        return await self._write("finalizer", self._sagas.patch(name, patch))

    async def _write(self, kind: Literal["status", "finalizer"], write: Awaitable[Json]) -> Resource:
        self.room.sent()
        seconds, began = None, time.monotonic()
        try:
            answer = await write
            seconds = time.monotonic() - began
        except KubeError as error:
            metrics.written(kind, metrics.of_api_server(error.reason)).inc()
            raise
        finally:
            self.room.ended(seconds)
        metrics.written(kind, "OK").inc()
        return Resource(answer)

    def taken_over(self, resource: Resource) -> Resource:
        """To be called with the answer from which its saga goes on: the watch needn't show it. Returns it."""
        self._echoes.expect(resource.resource_version, resource.uid)
        return resource

    async def read(self, name: str) -> Resource:
        """Read the resource of that name, however long the API server is away. Raises `ObjectNotFound`."""
        attempt = 0
        while True:
            try:
                return Resource(await self._sagas.get(name))
            except ObjectNotFound:
                raise
            except KubeError as error:
                attempt += 1
                await self.pause(attempt, error, about_name(self._sagas.namespace, name))

    async def pause(self, attempt: int, error: KubeError, fields: Mapping[str, str]) -> None:
        """Wait after the failed attempt with that number (from 1 on): at least as long as the API server asked for.

        What it refuses (a policy, missing rights) is tried less often than what it could not do just now. `fields` go
        with the line in the log.
        """
        refused = not isinstance(error, ApiUnavailable)
        if attempt & (attempt - 1) == 0:  # the 1st, 2nd, 4th, 8th, …
            level = logging.ERROR if refused else logging.WARNING
            log.log(level, "the API server did not do it (attempt %d): %s", attempt, error, extra=fields)
        longest = REFUSED_MAX if refused else BACKOFF_MAX
        seconds = (0.5 + random.random() / 2) * min(longest, 0.1 * 2.0 ** min(attempt, 10))  # noqa: S311 - jitter
        await asyncio.sleep(max(seconds, min(error.retry_after or 0.05, ASKED_MAX)))
