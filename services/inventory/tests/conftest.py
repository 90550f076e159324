"""The inventory service in this process, on a real MongoDB and a database of its own."""

import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager

import httpx
import pytest
from pymongo import MongoClient

from common.mongo import Database, Mongo
from common.settings import ServiceSettings
from services.inventory.main import build
from services.inventory.tests.client import Shop


@asynccontextmanager
async def running(settings: ServiceSettings) -> AsyncIterator[httpx.AsyncClient]:
    app = build(settings)
    async with app.router.lifespan_context(app):
        await app.ensure_indexes()
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://inventory") as client:
            yield client


@pytest.fixture(scope="session")
def settings(mongodb_url: str) -> Iterator[ServiceSettings]:
    settings = ServiceSettings(mongodb_url=mongodb_url, database_prefix=f"test_{uuid.uuid4().hex[:8]}_")
    yield settings
    with MongoClient[dict[str, object]](mongodb_url) as client:
        client.drop_database(f"{settings.database_prefix}inventory")


@pytest.fixture(scope="session")
async def shop(settings: ServiceSettings) -> AsyncIterator[Shop]:
    async with running(settings) as client:
        yield Shop([client])


@pytest.fixture(scope="session")
async def replicated_shop(settings: ServiceSettings) -> AsyncIterator[Shop]:
    """Three replicas of the service on one database; calls go to them in turn."""
    async with AsyncExitStack() as stack:
        yield Shop([await stack.enter_async_context(running(settings)) for _ in range(3)])


@pytest.fixture(scope="session")
async def database(settings: ServiceSettings) -> AsyncIterator[Database]:
    mongo = Mongo(settings.mongodb_url)
    yield mongo[f"{settings.database_prefix}inventory"]
    await mongo.close()
