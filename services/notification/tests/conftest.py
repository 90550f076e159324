"""The notification service in this process, on a real MongoDB and a database of its own."""

import uuid
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
import pytest_asyncio
from pymongo import MongoClient

from common.settings import ServiceSettings
from services.notification.main import build
from services.notification.tests.client import Desk


@pytest.fixture(scope="session")
def settings(mongodb_url: str) -> Iterator[ServiceSettings]:
    settings = ServiceSettings(mongodb_url=mongodb_url, database_prefix=f"test_{uuid.uuid4().hex[:8]}_")
    yield settings
    with MongoClient[dict[str, object]](mongodb_url) as client:
        client.drop_database(f"{settings.database_prefix}notification")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def desk(settings: ServiceSettings) -> AsyncIterator[Desk]:
    app = build(settings)
    async with app.router.lifespan_context(app):
        await app.ensure_indexes()
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://notification") as client:
            desk = Desk(client, app.database)
            await desk.put_contact("c-17", "c17@example.com")
            yield desk


@pytest.fixture
def order_id() -> str:
    return f"o-{uuid.uuid4().hex[:10]}"
