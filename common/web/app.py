"""The app factory: what every service has in common, so that its main.py is nothing but its routes.

    router = APIRouter(prefix="/api/payments", tags=["payments"])

    @asynccontextmanager
    async def lifespan(app: Service) -> AsyncIterator[None]:
        app.state.payments = Payments(app.database, app.mongo)     # connecting is lazy: no database is needed here
        yield

    def build(settings: ServiceSettings | None = None) -> Service:
        return create_app("payment", "Charges and refunds.", routers=[router], indexes=INDEXES,
                          lifespan=lifespan, settings=settings)

    app = build()

It gives GET / (name, version, links), /health (the process lives), /ready (database, replica set, indexes), /metrics,
/docs, problem+json for every error, correlation id, one log format, and bodies within bounds. Indexes are created in
the background, again and again until they exist: a service starts without its database and becomes ready later.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.metadata import version
from itertools import groupby
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.responses import Response
from fastapi.routing import APIRoute
from starlette.types import Receive, Scope, Send

from common.errors import ProblemBody, Unavailable, documented
from common.logs import configure_logging
from common.mongo import Database, Index, Mongo, PyMongoError
from common.settings import ServiceSettings
from common.web.background import in_background
from common.web.metrics import CONTENT_TYPE, ServiceMetrics
from common.web.middleware import bounded, observed
from common.web.problems import install_problem_handlers, respond

__all__ = ["NoAnswer", "Service", "create_app", "respond"]

logger = logging.getLogger("ordersaga.app")

INDEX_RETRY_SECONDS = 1.0
"""How long a service that waits for its database looks dead to a person who has just started it: a second."""


class Service(FastAPI):
    """A FastAPI app with its database. `mongo` and `database` exist from the start of the lifespan on."""

    mongo: Mongo
    database: Database

    def __init__(self, name: str, settings: ServiceSettings, indexes: Sequence[Index], **options: Any) -> None:
        super().__init__(**options)
        self.name = name
        self.settings = settings
        self.metrics = ServiceMetrics(name)
        self.routers: list[APIRouter] = []
        self.indexes = tuple(indexes)
        self.indexes_exist = not indexes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI: everything that is said about requests is said around the whole framework."""
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        receive = bounded(scope, receive, limit=self.settings.max_body_bytes)
        await observed(scope, receive, send, answer=self._answer, metrics=self.metrics)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        except ConnectionResetError:
            raise  # NoAnswer without a server: whoever called in-process sees the connection break
        except Exception:
            # Starlette's outermost handler has answered 500 (common.web.problems has logged it) and raises again for a
            # server that would log it once more.
            if scope.get("ordersaga.code") != "internal":
                raise

    def methods_at(self, path: str) -> set[str]:
        """What a path understands, over all its routes (the framework's own 405 names the first one's only)."""
        routes = [route for router in self.routers for route in router.routes if isinstance(route, APIRoute)]
        return {method for route in routes if route.path_regex.match(path) for method in route.methods or ()}

    async def ensure_indexes(self) -> None:
        """Create what doesn't exist yet; raises PyMongoError if the database doesn't answer."""
        by_collection = sorted(self.indexes, key=lambda index: index.collection)
        for collection, indexes in groupby(by_collection, key=lambda index: index.collection):
            await self.database[collection].ensure(list(indexes))
        self.indexes_exist = True

    async def trouble(self) -> str | None:
        """Why this service isn't ready, in one sentence that says what to do, or None."""
        if trouble := await self.mongo.trouble():
            return trouble
        if not self.indexes_exist:
            return "the database's indexes are being created: wait; if this stays, the log has the reason"
        return None


Lifespan = Callable[[Service], AbstractAsyncContextManager[None]]


def create_app(
    name: str,
    description: str,
    *,
    routers: Sequence[APIRouter],
    indexes: Sequence[Index] = (),
    lifespan: Lifespan | None = None,
    settings: ServiceSettings | None = None,
) -> Service:
    """The app of service `name` (payment, …), with its database `{database_prefix}{name}`."""
    settings = settings or ServiceSettings()
    configure_logging(name, format=settings.log_format, level=settings.log_level)

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        assert isinstance(app, Service)  # noqa: S101 - it is the one made below
        app.mongo = Mongo(settings.mongodb_url, driver=settings.mongodb_driver, timeout_ms=settings.mongodb_timeout_ms)
        app.database = app.mongo[f"{settings.database_prefix}{name}"]
        try:
            async with in_background(_keep_indexing(app), name="indexes"), (lifespan or _nothing_more)(app):
                yield
        finally:
            await app.mongo.close()

    app = Service(
        name,
        settings,
        indexes,
        title=f"OrderSaga {name} service",
        description=description,
        version=version("ordersaga"),
        lifespan=life,
        redoc_url=None,
        responses=documented(413, 422, 503),
    )
    install_problem_handlers(app)
    app.routers = [_common_routes(app), *routers]
    for router in app.routers:
        app.include_router(router)
    _describe_problems(app)
    return app


class NoAnswer(Response):
    """Drops the connection without an answer, as a crash would: for the test providers' `test-silent`."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        transport = getattr(getattr(scope["ordersaga.send"], "__self__", None), "transport", None)
        if transport is None:
            raise ConnectionResetError("the connection is dropped without an answer, as asked by the test provider")
        transport.abort()
        await asyncio.sleep(0)  # lets the server see the loss before it looks for the answer


@asynccontextmanager
async def _nothing_more(app: Service) -> AsyncIterator[None]:
    yield


async def _keep_indexing(app: Service) -> None:
    while not app.indexes_exist:
        try:
            await app.ensure_indexes()
        except PyMongoError as error:
            logger.warning("no indexes yet: %s", str(error)[:200])
            await asyncio.sleep(INDEX_RETRY_SECONDS)
    logger.info("the indexes exist")


def _common_routes(app: Service) -> APIRouter:
    router = APIRouter(tags=["service"])

    @router.get("/")
    async def about() -> dict[str, Any]:
        """Which service this is, and where to look further."""
        links = {"docs": "/docs", "openapi": "/openapi.json", "health": "/health", "ready": "/ready"}
        return {"name": f"{app.name}-service", "version": app.version, "links": {**links, "metrics": "/metrics"}}

    @router.get("/health")
    async def health() -> dict[str, str]:
        """The process lives."""
        return {"status": "ok"}

    @router.get("/ready", responses=documented(503))
    async def ready() -> dict[str, str]:
        """The database answers, has transactions, and has its indexes."""
        if trouble := await app.trouble():
            raise Unavailable(trouble, retry_after=2)
        return {"status": "ready"}

    @router.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        return Response(app.metrics.render(), media_type=CONTENT_TYPE)

    return router


def _describe_problems(app: Service) -> None:
    """Put ProblemBody into the OpenAPI document: routes refer to it by name (common.errors.documented)."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        schema = generate()
        schema.setdefault("components", {}).setdefault("schemas", {})["ProblemBody"] = ProblemBody.model_json_schema()
        return schema

    app.openapi = openapi  # type: ignore[method-assign]
