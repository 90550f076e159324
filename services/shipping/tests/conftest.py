"""The shipping service in this process, on a real MongoDB and a database of its own."""

import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import httpx
import pytest
from pymongo import MongoClient

from common.mongo import Database
from common.settings import ServiceSettings
from services.shipping.main import build
from services.shipping.provider import Carrier, TestCarrier
from services.shipping.store import Shipments
from services.shipping.tests.client import Parcels


class ForgetfulCarrier(TestCarrier):
    """Does what it is asked, and loses the first answer of each kind for every order."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._lost: set[tuple[str, str]] = set()

    async def book(self, order_id: str) -> str:
        number = await super().book(order_id)
        self._lose("book", order_id)
        return number

    async def cancel(self, order_id: str) -> None:
        await super().cancel(order_id)
        self._lose("cancel", order_id)

    def _lose(self, what: str, order_id: str) -> None:
        if (what, order_id) not in self._lost:
            self._lost.add((what, order_id))
            raise TimeoutError("the carrier's answer got lost")


@asynccontextmanager
async def running(settings: ServiceSettings, carrier: type[Carrier] | None = None) -> AsyncIterator[Parcels]:
    app = build(settings)
    async with app.router.lifespan_context(app):
        await app.ensure_indexes()
        if carrier is not None:
            app.state.shipments = Shipments(app.database, app.state.addresses, carrier(app.database))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shipping") as client:
            yield Parcels(client, app.database)


@pytest.fixture(scope="session")
def settings(mongodb_url: str) -> Iterator[ServiceSettings]:
    settings = ServiceSettings(mongodb_url=mongodb_url, database_prefix=f"test_{uuid.uuid4().hex[:8]}_")
    yield settings
    with MongoClient[dict[str, object]](mongodb_url) as client:
        client.drop_database(f"{settings.database_prefix}shipping")


@pytest.fixture(scope="session")
async def parcels(settings: ServiceSettings) -> AsyncIterator[Parcels]:
    async with running(settings) as parcels:
        yield parcels


@pytest.fixture(scope="session")
async def forgetful(settings: ServiceSettings) -> AsyncIterator[Parcels]:
    async with running(settings, ForgetfulCarrier) as parcels:
        yield parcels
