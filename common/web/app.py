"""The app factory: what all services have in common, so that a service's main.py has only its routes.

    router = APIRouter(prefix="/api/payments", tags=["payments"])

    @asynccontextmanager
    async def lifespan(app: Service) -> AsyncIterator[None]:
        provide(app, Payments(app.database, app.mongo))     # common.web.dependencies; connecting is lazy
        yield

    def build(settings: ServiceSettings | None = None) -> Service:
        return create_app("payment", "Charges and refunds.", routers=[router], indexes=INDEXES,
                          lifespan=lifespan, settings=settings)

    app = build()

It gives GET / (name, version, links), /health (the process lives), /ready (database, replica set, indexes), /metrics,
/docs, problem+json for every error, correlation id, one log format, and bodies within bounds. Indexes are created in
the background, again and again until they exist: a service starts without its database and becomes ready later.
"""

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.responses import Response
from fastapi.routing import APIRoute
from fastapi.telemetry import TelemetryConfig
from starlette.types import Receive, Scope, Send
from uvicorn import Config

from common.background import Background
from common.certificate import Certificate
from common.collector import calm_collector
from common.errands import Errands
from common.errors import Problem, Unavailable, documented
from common.logs import configure_logging
from common.mongo import Database, Index, Mongo
from common.settings import ServiceSettings
from common.tracing.export import open_spans
from common.variables import refuse_unknown
from common.web.ambiguity import unambiguous
from common.web.certificate import certificate_of, renewed
from common.web.connections import config_of, listen_everywhere, make_punctual
from common.web.description import complete
from common.web.direct import DirectWays
from common.web.guard import OPEN_TO_CLIENTS, Door, Guard, Table
from common.web.identification import Identification, identification
from common.web.indexes import SILENT_SECONDS, Indexes
from common.web.metrics import ServiceMetrics, raise_if_several
from common.web.middleware import bounded, observed, refuse_account_numbers
from common.web.problems import answered, install_problem_handlers, refusal, respond
from common.web.public import PublicPort, listening, only
from common.web.request_state import RequestState
from common.web.security import docs_page
from common.web.tracing import RequestSpans

__all__ = ["Service", "answered", "create_app", "respond"]

FINISH_SECONDS = 9.0
"""How long a process that is told to end waits for calls of providers, which have 8 s. Kubernetes kills it after 30."""


NO_TELEMETRY: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}
"""FastAPI's own, which an environment variable would turn on: it records what a body that was refused had in it. Ours
is in `common.web.tracing`, `common.web.metrics` and `common.logs`.
"""


class Service(FastAPI):
    """A FastAPI app with its database. `mongo`, `database` and `errands` exist once the lifespan has begun."""

    mongo: Mongo
    database: Database
    errands: Errands
    public: "Service"
    """The public routes alone, on a port of their own; they share the stores."""

    def __init__(
        self,
        name: str,
        settings: ServiceSettings,
        *,
        indexes: Sequence[Index],
        ready_checks: Sequence["ReadyCheck"],
        callers: Table,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.name = name
        self.settings = settings
        self.callers = callers
        self.metrics = ServiceMetrics(name)
        self.background = Background(name, self.metrics.registry)
        self.spans: RequestSpans | None = None
        self.public_port = PublicPort()
        self.is_public = False
        self.config: Config | None = None
        """Of the server that it runs in, once its lifespan has begun."""
        self.certificate: Certificate | None = None
        self.routers: list[APIRouter] = []
        self.ways = DirectWays(self, ())
        self.identification = Identification()
        self.guard: Guard | None = None
        self.open_to_clients = False
        """It has routes for clients, and doesn't ask who they are: in development."""
        self.indexes = Indexes(indexes)
        self._ready_checks = tuple(ready_checks)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI: requests are bounded, logged and counted outside the framework, so that none escapes."""
        if scope["type"] == "lifespan":
            self.config = config_of(receive)
            listen_everywhere(self.config)
            self.certificate = certificate_of(self.config)
            if make_punctual(receive, self.settings.request_timeout_seconds):
                calm_collector()
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        limit, seconds = self.settings.max_body_bytes, self.settings.request_timeout_seconds
        namespace = self.settings.namespace
        receive = bounded(scope, receive, limit=limit, seconds=seconds)
        await observed(
            scope,
            receive,
            send,
            handle=self._handle,
            metrics=self.metrics,
            namespace=namespace,
            spans=self.spans,
            public=self.is_public,
        )

    async def _handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            refuse_account_numbers(scope)
            if self.guard is not None:
                await self.guard.admit(scope)
            await self.ways.take(scope, receive, send, otherwise=super().__call__)
        except Problem as problem:  # of the guard: what a route raises was answered
            await refusal(scope, problem)(scope, receive, send)
        except ConnectionResetError:
            raise  # a silence without a server: an in-process caller sees the connection break
        except Exception:
            # The error is answered with 500 and logged (common.web.problems); Starlette raises it again for the server,
            # which would log it a second time.
            if RequestState.of(scope).problem_code != "internal":
                raise

    def methods_at(self, path: str) -> set[str]:
        """The methods of all routes with this path (the framework's own 405 names only those of the first)."""
        routes = [route for router in self.routers for route in router.routes if isinstance(route, APIRoute)]
        return {method for route in routes if route.path_regex.match(path) for method in route.methods or ()}

    async def why_not_ready(self) -> str | None:
        """None if this service is ready, else what is missing and what to do about it, all at once."""
        checks = [await check(self) for check in self._ready_checks]
        identified = await self.identification.why_not_ready()
        tls = None if self.certificate is None else self.certificate.why_not_ready()
        reasons = [tls, self.public_port.why_not_served(), await self._why_no_database(), identified, *checks]
        return "; ".join(reason for reason in reasons if reason) or None

    async def _why_no_database(self) -> str | None:
        return await self.mongo.why_not_ready() or self.indexes.why_not_ready()

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document, with what our routes have in common (`common.web.description`)."""
        document = super().openapi()
        complete(document, self.callers)
        return document


ReadyCheck = Callable[[Service], Awaitable[str | None]]
"""None if what the service needs is there, else one sentence: what is missing, and what to do."""
Lifespan = Callable[[Service], AbstractAsyncContextManager[None]]
Doors = Callable[[Service], AbstractAsyncContextManager[Door | None]]


def create_app(
    name: str,
    description: str,
    *,
    routers: Sequence[APIRouter],
    indexes: Sequence[Index] = (),
    lifespan: Lifespan | None = None,
    public: Sequence[str] = (),
    callers: Table | None = None,
    doors: Doors | None = None,
    ready_checks: Sequence[ReadyCheck] = (),
    settings: ServiceSettings | None = None,
) -> Service:
    """The app of service `name` (payment, …), with its database `{database_prefix}{name}`.

    `public` names the routes ("GET /api/orders") that are served at `settings.public_port` as well, where nothing else
    is. `callers` says for each route which callers may use it, and `doors` makes what judges the clients among them,
    or nothing in development. `ready_checks` name what the service needs besides its database; `settings` default to
    the environment.
    """
    settings = settings or ServiceSettings()
    configure_logging(name, log_format=settings.log_format, level=settings.log_level)

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        assert isinstance(app, Service)  # noqa: S101 - it is the one made below
        raise_if_several(app.config)
        if app.config is not None:
            refuse_unknown(os.environ)
        app.mongo = Mongo(
            settings.mongodb_url,
            url_file=settings.mongodb_url_file,
            ca_file=settings.mongodb_ca_file,
            driver=settings.mongodb_driver,
            timeout_ms=settings.mongodb_timeout_ms,
            watch=app.metrics.database_operations.count,
        )
        app.database = app.mongo[f"{settings.database_prefix}{name}"]
        app.errands = Errands()
        spans = open_spans(f"{name}-service", on_drop=app.metrics.spans_dropped)
        if spans is not None:
            app.spans, app.public.spans = RequestSpans(spans, public=False), RequestSpans(spans, public=True)
        try:
            identifying = identification(name, settings, on_call=app.metrics.api_requests.count)
            async with app.metrics.loop_lag.watched(), identifying as app.identification, AsyncExitStack() as stack:
                door = await stack.enter_async_context(doors(app)) if doors is not None else None
                app.open_to_clients = app.public.open_to_clients = doors is not None and door is None
                app.public.identification = app.identification
                for port in (app, app.public):  # before either is served; the first router has every service's pages
                    port.guard = app.identification.guard(name, app.callers, port.routers[1:], settings, door)
                indexing = partial(app.indexes.keep_creating, app.database)
                async with (
                    app.background.doing(indexing, name="indexes", silent=SILENT_SECONDS),
                    renewed(app.certificate, name, app.background, app.metrics.registry),
                    (lifespan or _nothing_more)(app),
                    listening(app.public, settings, app.certificate) as app.public_port,
                ):
                    yield
        finally:
            await app.errands.finish(FINISH_SECONDS)
            await app.mongo.close()
            if spans is not None:
                await spans.close()

    about: dict[str, Any] = {
        "title": f"OrderSaga {name} service",
        "description": description,
        "version": version("ordersaga"),
        "docs_url": None,  # it is a page of ours: see _common_routes
        "redoc_url": None,
        # A slash too many is a 404. The Location of a redirect would be absolute, and made of a Host and a scheme that
        # a proxy in front may have changed: an order with an address would be sent on in the clear.
        "redirect_slashes": False,
        "responses": documented(413, 422, 503),
        "dependencies": [Depends(unambiguous)],
        "telemetry": NO_TELEMETRY,
        "callers": callers or {},
    }
    app = Service(name, settings, indexes=indexes, ready_checks=ready_checks, lifespan=life, **about)
    _serve(app, [_common_routes(app), *routers])
    app.public = Service(name, settings, indexes=(), ready_checks=(), **about)
    app.public.is_public = True
    app.public.state, app.public.metrics = app.state, app.metrics
    _serve(app.public, [_common_routes(app, public=True), only(public, routers)])
    return app


def _serve(app: Service, routers: list[APIRouter]) -> None:
    install_problem_handlers(app)
    app.routers = routers
    for router in routers:
        app.include_router(router)
    app.ways = DirectWays(app, routers)


@asynccontextmanager
async def _nothing_more(app: Service) -> AsyncIterator[None]:
    yield


def _common_routes(app: Service, *, public: bool = False) -> APIRouter:
    router = APIRouter(tags=["service"])

    @router.get("/")
    async def about() -> dict[str, Any]:
        """The service's name and version, and links to its other pages."""
        links = {"docs": "/docs", "openapi": "/openapi.json", "health": "/health", "ready": "/ready"}
        if not public:
            links["metrics"] = "/metrics"
        return {"name": f"{app.name}-service", "version": app.version, "links": links}

    page, policy = docs_page(app.title)

    @router.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        return Response(page, media_type="text/html", headers={"Content-Security-Policy": policy})

    @router.get("/health")
    async def health() -> dict[str, Any]:
        """Whether the process is alive, which it is if it answers."""
        if public:
            return {"status": "ok"}
        return {
            "status": "ok" if app.background.is_well else "degraded",
            "background": app.background.described(),
        }

    @router.get("/ready", responses=documented(unavailable="`unavailable`: the detail says what is missing."))
    async def ready() -> dict[str, str]:
        """Whether the service can work: its database answers and has transactions and indexes."""
        if reason := await app.why_not_ready():
            raise Unavailable(reason, retry_after=2)
        opened = {"clients": OPEN_TO_CLIENTS} if app.open_to_clients else {}
        tls = "off" if app.certificate is None else f"certificate until {app.certificate.until}"
        return {"status": "ready", "callers": app.identification.mode, "tls": tls, **opened}

    if public:
        return router

    @router.get("/metrics", include_in_schema=False)
    async def metrics(request: Request) -> Response:
        text, kind = app.metrics.render(request.headers.get("accept", ""))
        return Response(text, media_type=kind)

    return router
