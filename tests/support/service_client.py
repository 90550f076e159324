"""Services in this process on a real MongoDB, and what all their tests need to call them."""

import itertools
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Any, TypeVar

import httpx
from pymongo import MongoClient

from common.mongo import Database
from common.settings import ServiceSettings
from common.web.app import Service

Settings = TypeVar("Settings", bound=ServiceSettings)


class ServiceClient:
    """Calls one replica of a service, or several in turn. `database` is theirs, for a look from outside."""

    prefix: str
    """The path that all routes of the service have in common."""
    step: str
    """The step of the saga that the service is, for the Idempotency-Key."""

    def __init__(self, replicas: Sequence[httpx.AsyncClient], database: Database) -> None:
        self._next = itertools.cycle(replicas)
        self.database = database

    async def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        """A request to a path below `prefix`."""
        return await next(self._next).request(method, f"{self.prefix}{path}", **options)

    async def ready(self) -> httpx.Response:
        """What a readiness probe is told."""
        return await next(self._next).get("/ready")

    async def saga_call(
        self, path: str, order_id: str, direction: str, *, step: str | None = None, **body: Any
    ) -> httpx.Response:
        """A call of the saga, as the operator makes it."""
        headers = {"Idempotency-Key": f"shop/{order_id}/{step or self.step}/{direction}"}
        return await self.call("POST", path, json={"order_id": order_id, **body}, headers=headers)


def fresh(prefix: str) -> str:
    """An id that no other test uses."""
    return f"{prefix}-{uuid.uuid4().hex[:10]}"


def code(answer: httpx.Response) -> tuple[int, str]:
    """Status and problem code of an answer."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["code"]


@contextmanager
def own_databases(mongodb_url: str, prefix: str = "test") -> Iterator[ServiceSettings]:
    """Settings with databases of their own, which are dropped at the end."""
    settings = ServiceSettings(
        mongodb_url=mongodb_url,
        database_prefix=f"{prefix}_{uuid.uuid4().hex[:8]}_",
        authentication="development",  # who may call is a claim of its own, tried where callers have tokens
        log_level="ERROR",
    )
    yield settings
    with MongoClient[dict[str, object]](mongodb_url) as client:
        for name in client.list_database_names():
            if name.startswith(settings.database_prefix):
                client.drop_database(name)


@asynccontextmanager
async def replicas_of(
    build: Callable[[Settings], Service],
    settings: Settings,
    number: int = 1,
    *,
    prepare: Callable[[Service], None] = lambda _: None,
) -> AsyncIterator[tuple[list[httpx.AsyncClient], Service]]:
    """Clients of that many apps with these settings, each for as long as its lifespan; and the first of the apps.

    `prepare` gives each app what it is to have in place of its own (`common.web.dependencies.provide`).
    """
    apps, clients = [], []
    async with AsyncExitStack() as stack:
        for _ in range(number):
            app = build(settings)
            await stack.enter_async_context(app.router.lifespan_context(app))
            await app.indexes.ensure(app.database)
            prepare(app)
            client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=f"http://{app.name}")
            clients.append(await stack.enter_async_context(client))
            apps.append(app)
        yield clients, apps[0]
