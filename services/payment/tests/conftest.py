"""The payment service in this process."""

from collections.abc import AsyncIterator

import pytest

from common.settings import ServiceSettings
from services.payment.main import build
from services.payment.tests.client import PaymentClient
from tests.support.service_client import replicas_of


@pytest.fixture(scope="session")
async def payments(settings: ServiceSettings) -> AsyncIterator[PaymentClient]:
    async with replicas_of(build, settings) as (clients, app):
        yield PaymentClient(clients, app.database)
