"""The inventory service in this process, alone and as several replicas."""

from collections.abc import AsyncIterator

import pytest

from common.mongo import Database
from common.settings import ServiceSettings
from services.inventory.main import build
from services.inventory.tests.client import InventoryClient
from tests.support.service_client import replicas_of


@pytest.fixture(scope="session")
async def inventory(settings: ServiceSettings) -> AsyncIterator[InventoryClient]:
    async with replicas_of(build, settings) as (clients, app):
        yield InventoryClient(clients, app.database)


@pytest.fixture(scope="session")
async def replicated_inventory(settings: ServiceSettings) -> AsyncIterator[InventoryClient]:
    """Three replicas of the service on one database; calls go to them in turn."""
    async with replicas_of(build, settings, 3) as (clients, app):
        yield InventoryClient(clients, app.database)


@pytest.fixture(scope="session")
async def database(inventory: InventoryClient) -> Database:
    return inventory.database
