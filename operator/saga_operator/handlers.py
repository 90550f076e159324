"""The kopf shell: login, settings, one watch. Its only handler hands each event to the engine and never awaits I/O.

What kopf would keep on the resources (progress, last-handled configuration, its own finalizer) is switched off: the
status is the log, and the engine writes it (docs/adr/0002).
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator
from typing import Any, Final

import kopf

from common.order_saga import GROUP, PLURAL
from saga_operator.engine.engine import Engine
from saga_operator.resource.body import LIVE, Resource

Stop = Callable[[], Awaitable[None]]

WATCH_INACTIVITY: Final = 70.0
"""Seconds; the API server sends bookmarks about every minute, so a watch that is silent for longer is dead."""
WATCH_TIMEOUT: Final = 300
"""Seconds after which the server ends a watch and kopf resumes it. This bounds how long a stalled connection can hide
events.
"""
LIST_CHUNK: Final = 500
"""Resources in a page of the first list: small, so that tens of thousands of live sagas don't fill the memory."""


class _EndlessBackoffs:
    """Back-offs in seconds without an end. After the last one kopf gives up, and the whole process ends with it.

    An API server that starts, has lost its database or stands behind a load balancer may answer 403 or 5xx for longer
    than any list of numbers lasts, and the back-offs and circuit breakers of all sagas would be lost with the process.
    """

    def __iter__(self) -> Iterator[float]:
        yield from (0.1, 0.3, 1.0, 2.0)
        while True:
            yield 5.0


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


def registry_for(engine: Engine, on_stop: Stop) -> kopf.OperatorRegistry:
    """The kopf handlers, bound to one engine. `on_stop` runs as soon as the process is told to stop."""
    registry = kopf.OperatorRegistry()

    @kopf.on.startup(registry=registry)
    async def configure(settings: kopf.OperatorSettings, **_: Any) -> None:
        settings.persistence.progress_storage = _NoProgress()
        settings.persistence.diffbase_storage = _NoDiff()
        settings.posting.enabled = False  # the engine sends its own Events, beside the sagas
        settings.scanning.disabled = True  # one namespace, one resource: no cluster-wide rights needed
        settings.peering.standalone = True  # the Lease decides who works
        settings.queueing.idle_timeout = 1.0  # kopf keeps 7 KB for each resource seen within this time
        settings.networking.request_timeout = 10.0
        settings.networking.connect_timeout = 3.0
        settings.networking.error_backoffs = _EndlessBackoffs()
        settings.watching.server_timeout = WATCH_TIMEOUT
        settings.watching.inactivity_timeout = WATCH_INACTIVITY
        settings.watching.connect_timeout = 5.0
        settings.watching.chunk_size = LIST_CHUNK
        settings.watching.field_selectors[GROUP, PLURAL] = LIVE

    @kopf.on.cleanup(registry=registry)
    async def stop(**_: Any) -> None:
        await on_stop()  # here, because kopf waits up to 5 s for our tasks before it returns

    @kopf.on.login(registry=registry)
    def login(**kwargs: Any) -> kopf.ConnectionInfo | None:
        return kopf.login_via_client(**kwargs)

    @kopf.on.event(GROUP, PLURAL, registry=registry)
    async def seen(event: kopf.RawEvent, **_: Any) -> None:
        body: Any = event["object"]
        if event["type"] == "DELETED":
            engine.resource_deleted(Resource(body))
        else:
            engine.resource_seen(Resource(body))

    return registry


async def watch(engine: Engine, namespaces: Collection[str], stop_signal: asyncio.Event, *, on_stop: Stop) -> None:
    """Watch until the process is told to stop: by `stop_signal`, SIGTERM or SIGINT."""
    await kopf.operator(
        registry=registry_for(engine, on_stop), namespaces=namespaces, standalone=True, stop_flag=stop_signal
    )
