"""The notification service in this process, with a contact."""

from collections.abc import AsyncIterator

import pytest

from common.settings import ServiceSettings
from services.notification.main import build
from services.notification.tests.client import NotificationClient
from tests.support.service_client import replicas_of


@pytest.fixture(scope="session")
async def notifications(settings: ServiceSettings) -> AsyncIterator[NotificationClient]:
    async with replicas_of(build, settings) as (clients, app):
        client = NotificationClient(clients, app.database)
        await client.put_contact("c-17", "c17@example.com")
        yield client
