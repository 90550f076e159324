"""The public routes of a service on a port of their own, for an Ingress, a Route or a gateway.

Only what a service lists as public is there. The saga's own steps don't exist on that port, so no spelling of a path
reaches them, whatever the proxy in front of it compares or decodes.
"""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Generator, Iterable, Sequence
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from fastapi import APIRouter
from fastapi.routing import APIRoute
from starlette.types import ASGIApp

from common.certificate import Certificate
from common.listening import listen
from common.settings import ServiceSettings
from common.web.connections import punctual

log = logging.getLogger("ordersaga.public")

KEEP_ALIVE_SECONDS = 75
"""Longer than any proxy keeps an idle connection (nginx: 60 s), so that it is never this side that closes one."""
GRACE_SECONDS = 10
"""For answers in flight when the service stops; as long as on its other port."""


class _Server(uvicorn.Server):
    """A second server of this process: signals are the first one's business."""

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


def only(wanted: Sequence[str], routers: Iterable[APIRouter]) -> APIRouter:
    """The routes of `routers` that `wanted` names, each as "GET /api/orders/{order_id}".

    Raises:
        ValueError: there is no such route: a misspelt one would be missing in silence.
    """
    chosen, found = APIRouter(), set[str]()
    for router in routers:
        for route in router.routes:
            if not isinstance(route, APIRoute):
                continue
            names = {f"{method} {route.path}" for method in route.methods or ()}
            if names & set(wanted):
                chosen.routes.append(route)
                found |= names
    if unknown := set(wanted) - found:
        raise ValueError(f"there are no such routes: {', '.join(sorted(unknown))}")
    return chosen


class PublicPort:
    """Whether a public port is served, if there is to be one."""

    def __init__(self, server: uvicorn.Server | None = None, serving: "asyncio.Task[None] | None" = None) -> None:
        self._server = server
        self._serving = serving

    def why_not_served(self) -> str | None:
        """None if clients get through, or none are to."""
        server, serving = self._server, self._serving
        if server is None or serving is None:
            return None
        if server.started and not serving.done() and all(listener.is_serving() for listener in server.servers):
            return None
        return "the public port isn't served yet, or not any more: then this process ends, and another serves it"


@asynccontextmanager
async def listening(
    app: ASGIApp, settings: ServiceSettings, certificate: Certificate | None = None
) -> AsyncIterator[PublicPort]:
    """Serve `app` at the public port until the block ends, and finish its answers. Without a port nothing listens.
    With a certificate it is served with TLS.

    If it can't be served any more before that, the process is told to end: a new one serves it again.
    """
    if settings.public_port is None:
        yield PublicPort()
        return
    config = uvicorn.Config(
        app,
        host=settings.public_host,
        port=settings.public_port,
        lifespan="off",  # the app on the first port has begun what both need
        log_config=None,
        access_log=False,
        server_header=False,
        http=punctual(settings.request_timeout_seconds),
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
        ssl_context_factory=None if certificate is None else lambda *_: certificate.context,
    )
    server = _Server(config)
    socket = listen(settings.public_host, settings.public_port)  # a port that is taken ends the process here
    serving = asyncio.create_task(server.serve([socket]), name="public port")

    def ended(task: asyncio.Task[None]) -> None:
        if not server.should_exit:
            why = "it was cancelled" if task.cancelled() else repr(task.exception())
            log.critical("the public port %d isn't served any more: %s; the process ends", settings.public_port, why)
            signal.raise_signal(signal.SIGTERM)  # the server of the other port finishes its answers

    serving.add_done_callback(ended)
    try:
        yield PublicPort(server, serving)
    finally:
        server.should_exit = True
        await asyncio.wait({serving}, timeout=GRACE_SECONDS + 2)
        serving.cancel()
        for listener in server.servers if server.started else ():  # one that has died has left its loop listening
            listener.close()
        socket.close()
