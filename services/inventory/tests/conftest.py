"""The inventory service in this process, alone and as several replicas."""

from collections.abc import AsyncIterator, Callable

import pytest

from common.mongo import Database, Mongo
from common.settings import ServiceSettings
from common.web.app import Service
from common.web.dependencies import provide, provided
from services.inventory.main import build
from services.inventory.products import Products
from services.inventory.store import Reservations
from services.inventory.tests.client import InventoryClient
from tests.support.order_service import OrderBook
from tests.support.service_client import replicas_of


@pytest.fixture(scope="session")
def order_book() -> OrderBook:
    """The order service: every order is confirmed, but for those that a test names."""
    return OrderBook()


@pytest.fixture(scope="session")
async def inventory(settings: ServiceSettings, order_book: OrderBook) -> AsyncIterator[InventoryClient]:
    async with replicas_of(build, settings, prepare=behind(order_book)) as (clients, app):
        yield InventoryClient(clients, app.database)


@pytest.fixture(scope="session")
async def replicated_inventory(settings: ServiceSettings, order_book: OrderBook) -> AsyncIterator[InventoryClient]:
    """Three replicas of the service on one database; calls go to them in turn."""
    async with replicas_of(build, settings, 3, prepare=behind(order_book)) as (clients, app):
        yield InventoryClient(clients, app.database)


def behind(order_book: OrderBook) -> Callable[[Service], None]:
    """The service asks these orders."""

    def prepare(app: Service) -> None:
        reservations = Reservations(app.database, app.mongo, provided(app, Products), order_book.orders())
        provide(app, reservations)

    return prepare


@pytest.fixture(scope="session")
async def database(inventory: InventoryClient) -> Database:
    return inventory.database


@pytest.fixture
async def mongo(settings: ServiceSettings) -> AsyncIterator[Mongo]:
    """A client of its own."""
    mongo = Mongo(settings.mongodb_url)
    yield mongo
    await mongo.close()
