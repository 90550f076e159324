"""The payment service in this process, on a real MongoDB and a database of its own."""

import uuid
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
import pytest_asyncio
from pymongo import MongoClient

from common.settings import ServiceSettings
from services.payment.main import build
from services.payment.tests.client import Till


@pytest.fixture(scope="session")
def settings(mongodb_url: str) -> Iterator[ServiceSettings]:
    settings = ServiceSettings(mongodb_url=mongodb_url, database_prefix=f"test_{uuid.uuid4().hex[:8]}_")
    yield settings
    with MongoClient[dict[str, object]](mongodb_url) as client:
        for name in client.list_database_names():
            if name.startswith(settings.database_prefix):
                client.drop_database(name)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def till(settings: ServiceSettings) -> AsyncIterator[Till]:
    app = build(settings)
    async with app.router.lifespan_context(app):
        await app.ensure_indexes()
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://payment") as client:
            yield Till(client, app.database)


@pytest.fixture
def order_id() -> str:
    return f"o-{uuid.uuid4().hex[:10]}"
