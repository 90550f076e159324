"""The kopf shell: login, settings, one watch. Its only handler hands each event to the engine and never awaits I/O.

What kopf would keep on the resources (progress, last-handled configuration, its own finalizer) is switched off: the
status is the log, and the engine writes it (docs/adr/0002).
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any, Final

import kopf

from common.kube import KubeError, OrderSagas
from common.order_saga import GROUP, PLURAL
from saga_operator.engine.engine import Engine
from saga_operator.heartbeats import Heartbeats
from saga_operator.resource.body import LIVE, Resource
from saga_operator.watch_connection import LOOK, WatchConnection

log = logging.getLogger(__name__)

Stop = Callable[[], Awaitable[None]]

WATCH_INACTIVITY: Final = 70.0
"""Seconds; the API server sends bookmarks about every minute, so a watch that is silent for longer is dead."""
DEAF: Final = 180.0
"""Seconds without a word, if only a bookmark, after which the watch counts as dead: kopf has ended two of them by then.
"""
WATCH_TIMEOUT: Final = 300
"""Seconds after which the server ends a watch and kopf resumes it. This bounds how long a stalled connection can hide
events.
"""


STARTED: Final = 0.1
"""Seconds after which kopf has surely taken over the signals, which it does at once."""


class _EndlessBackoffs:
    """Back-offs in seconds without an end. After the last one kopf gives up, and the whole process ends with it.

    An API server that starts, has lost its database or stands behind a load balancer may answer 403 or 5xx for longer
    than any list of numbers lasts, and the back-offs and circuit breakers of all sagas would be lost with the process.
    """

    def __iter__(self) -> Iterator[float]:
        yield from (0.1, 0.3, 1.0)
        while True:
            yield 1.5  # a wish is to be seen within two seconds of the API server's return


class _NoProgress(kopf.ProgressStorage):
    """Keeps nothing: the one handler has no progress of its own."""

    def fetch(self, *, key: str, body: kopf.Body) -> Any:
        return None

    def store(self, *, key: str, record: Any, body: kopf.Body, patch: kopf.Patch) -> None:
        return None

    def purge(self, *, key: str, body: kopf.Body, patch: kopf.Patch) -> None:
        return None

    def touch(self, *, body: kopf.Body, patch: kopf.Patch, value: str | None) -> None:
        return None

    def clear(self, *, essence: Any) -> Any:
        return essence


class _NoDiff(kopf.DiffBaseStorage):
    """Keeps nothing and compares nothing, which saves two deep copies of the resource for each event."""

    def build(self, *, body: kopf.Body, extra_fields: Iterable[Any] | None = None, **_: Any) -> Any:
        return {}

    def fetch(self, *, body: kopf.Body) -> Any:
        return {}

    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: Any) -> None:
        return None


def registry_for(engine: Engine, connection: WatchConnection, on_stop: Stop) -> kopf.OperatorRegistry:
    """The kopf handlers, bound to one engine and one connection. `on_stop` runs as soon as the watch is to stop."""
    registry = kopf.OperatorRegistry()

    @kopf.on.startup(registry=registry)
    async def configure(settings: kopf.OperatorSettings, **_: Any) -> None:
        settings.persistence.progress_storage = _NoProgress()
        settings.persistence.diffbase_storage = _NoDiff()
        settings.posting.enabled = False  # the engine sends its own Events, beside the sagas
        settings.scanning.disabled = True  # one namespace, one resource: no cluster-wide rights needed
        settings.peering.standalone = True  # the Lease decides who works
        settings.queueing.idle_timeout = 0.2  # kopf keeps 7 KB for each resource seen within this time
        settings.networking.request_timeout = 10.0
        settings.networking.connect_timeout = 3.0
        settings.networking.error_backoffs = _EndlessBackoffs()
        settings.watching.server_timeout = WATCH_TIMEOUT
        settings.watching.inactivity_timeout = WATCH_INACTIVITY
        settings.watching.connect_timeout = 5.0
        settings.watching.initial_streaming = True  # no list: see `WatchConnection`
        settings.watching.field_selectors[GROUP, PLURAL] = LIVE

    @kopf.on.cleanup(registry=registry)
    async def stop(**_: Any) -> None:
        await on_stop()  # here, because kopf waits up to 5 s for our tasks before it returns

    @kopf.on.login(registry=registry)
    async def login(**_: Any) -> kopf.AiohttpSession:
        return await connection.login()

    @kopf.on.event(GROUP, PLURAL, registry=registry)
    async def seen(event: kopf.RawEvent, **_: Any) -> None:
        body: Any = event["object"]
        resource = Resource(body)
        if event["type"] == "DELETED":
            engine.resource_deleted(resource)
        else:
            engine.resource_seen(resource)

    return registry


async def watch(
    engine: Engine,
    connection: WatchConnection,
    sagas: OrderSagas,
    stop_signal: asyncio.Event,
    *,
    heartbeats: Heartbeats,
    on_stop: Stop,
    on_start: Callable[[], None],
) -> None:
    """Watch until `stop_signal` is set. `on_start` is called when kopf has begun, and has taken the signals over."""
    if not await _until_served(connection, sagas, stop_signal):
        return
    registry = registry_for(engine, connection, on_stop)
    async with asyncio.TaskGroup() as group:
        keeping = group.create_task(keep_watch(engine, connection, heartbeats, on_start), name="watch keeper")
        await kopf.operator(registry=registry, namespaces=[sagas.namespace], standalone=True, stop_flag=stop_signal)
        keeping.cancel()


async def _until_served(connection: WatchConnection, sagas: OrderSagas, stop_signal: asyncio.Event) -> bool:
    """Wait until the definition is there: kopf looks once, at its start. False if it is to stop before."""
    said = ""
    while not stop_signal.is_set():
        why = "its definition isn't installed"
        try:
            connection.kind_is_served = await sagas.is_served()
        except KubeError as error:
            why = str(error)
        if connection.kind_is_served:
            return True
        if why != said:
            said = why
            log.warning("OrderSaga can't be watched yet: %s", why)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOK):
                await stop_signal.wait()
    return False


async def keep_watch(
    engine: Engine, connection: WatchConnection, heartbeats: Heartbeats, on_start: Callable[[], None]
) -> None:
    """Note when the watch was heard, and begin it anew when etcd was found to be restored."""
    known = engine.restorations
    await asyncio.sleep(STARTED)
    on_start()
    while True:
        await asyncio.sleep(LOOK)
        if connection.kind_is_served:
            heartbeats.beat("watch", again_within=connection.heard_at + DEAF - time.monotonic())
        else:
            heartbeats.forget("watch")
        if engine.restorations != known:
            known = engine.restorations
            connection.begin_anew()
