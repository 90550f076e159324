"""The shipping service in this process, and the same with a carrier whose answers get lost."""

from collections.abc import AsyncIterator

import pytest

from common.mongo import Database, Mongo
from common.settings import ServiceSettings
from common.web.dependencies import provide, provided
from services.shipping.main import build
from services.shipping.store import Addresses, Shipments
from services.shipping.testprovider import TestProvider
from services.shipping.tests.client import ShippingClient
from tests.support.service_client import replicas_of


class ForgetfulProvider(TestProvider):
    """Does what it is asked, and loses the first answer of each kind for every order."""

    def __init__(self, mongo: Mongo, database: Database) -> None:
        super().__init__(mongo, database)
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
async def shipping(settings: ServiceSettings) -> AsyncIterator[ShippingClient]:
    async with replicas_of(build, settings) as (clients, app):
        yield ShippingClient(clients, app.database)


@pytest.fixture(scope="session")
async def forgetful(settings: ServiceSettings) -> AsyncIterator[ShippingClient]:
    """The service with a carrier whose first answers get lost."""
    async with replicas_of(build, settings) as (clients, app):
        carrier = ForgetfulProvider(app.mongo, app.database)
        provide(app, Shipments(app.database, provided(app, Addresses), carrier, app.errands))
        yield ShippingClient(clients, app.database)
