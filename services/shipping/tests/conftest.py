"""The shipping service in this process, and the same with a carrier whose answers get lost."""

from collections.abc import AsyncIterator, Callable

import pytest

from common.mongo import Database
from common.settings import ServiceSettings
from common.web.app import Service
from common.web.dependencies import provide
from services.shipping.main import build
from services.shipping.store import Addresses, Shipments
from services.shipping.testprovider import TestProvider
from services.shipping.tests.client import ShippingClient
from tests.support.order_service import OrderBook
from tests.support.service_client import replicas_of


class ForgetfulProvider(TestProvider):
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


@pytest.fixture(scope="session")
def order_book() -> OrderBook:
    """The order service: every order is confirmed, but for those that a test names."""
    return OrderBook()


@pytest.fixture(scope="session")
async def shipping(settings: ServiceSettings, order_book: OrderBook) -> AsyncIterator[ShippingClient]:
    async with replicas_of(build, settings, prepare=behind(order_book, TestProvider)) as (clients, app):
        yield ShippingClient(clients, app.database)


@pytest.fixture(scope="session")
async def forgetful(settings: ServiceSettings, order_book: OrderBook) -> AsyncIterator[ShippingClient]:
    """The service with a carrier whose first answers get lost."""
    async with replicas_of(build, settings, prepare=behind(order_book, ForgetfulProvider)) as (clients, app):
        yield ShippingClient(clients, app.database)


def behind(order_book: OrderBook, carrier: type[TestProvider]) -> Callable[[Service], None]:
    """The service with such a carrier, which asks these orders."""

    def prepare(app: Service) -> None:
        provider = carrier(app.database)
        addresses = Addresses(app.database, order_book.orders())
        provide(app, addresses, Shipments(app.database, addresses, provider, app.errands, order_book.orders()))

    return prepare
