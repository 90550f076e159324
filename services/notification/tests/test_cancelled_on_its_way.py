"""A message is cancelled while a process that has stopped for a moment is about to send it."""

import asyncio
from datetime import timedelta

from common.settings import ServiceSettings
from common.web.dependencies import provide, provided
from services.notification.delivery.outlet import Outlet
from services.notification.main import build
from services.notification.provider import Message
from services.notification.store import Contacts, Notifications
from services.notification.testprovider import TestProvider
from services.notification.tests.client import NotificationClient
from tests.support.service_client import replicas_of


class Stopped(TestProvider):
    """A provider whose caller stands still just before its request leaves."""

    def __init__(self, *given: object) -> None:
        super().__init__(*given)  # type: ignore[arg-type]
        self.reached, self.goes_on = asyncio.Event(), asyncio.Event()

    async def send(self, message: Message) -> None:
        self.reached.set()
        await self.goes_on.wait()
        await super().send(message)


async def test_what_was_answered_cancelled_doesnt_go_out_later(
    notifications: NotificationClient, settings: ServiceSettings, order_id: str
) -> None:
    async with replicas_of(build, settings) as (clients, app):
        provider = Stopped(app.database)
        provide(
            app,
            Notifications(
                *(app.database, provided(app, Contacts), provider, provided(app, Outlet).wordings, app.errands),
                delivered_by="test",
            ),
        )
        slow = asyncio.create_task(NotificationClient(clients, app.database).send(order_id))
        await provider.reached.wait()

        # It has stood still for longer than its lease, however late anybody knows the server's clock.
        where = {"_id": f"{order_id}-order_confirmed"}
        over = {
            "$set": {"barrier.operations.do.until": app.database.now() - timedelta(minutes=1)},
            "$inc": {"barrier.version": 1},
        }
        assert await app.database["notifications"].update(where, over)
        answer = await notifications.cancel(order_id)
        assert (answer.status_code, answer.json()["effect"], answer.json()["status"]) == (200, "none", "cancelled")

        provider.goes_on.set()
        late = await slow
        assert (late.status_code, late.json()["code"]) == (409, "compensated")
        assert "rolled back" not in late.json()["detail"], "nobody has rolled the order back"
    assert await notifications.messages(order_id) == 0
    assert (await notifications.notification(order_id)).json()["status"] == "cancelled"
    assert (await notifications.cancel(order_id)).json() == answer.json()
