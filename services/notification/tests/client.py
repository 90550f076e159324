"""A caller of the notification service: what the operator says to it, and what an auditor looks at."""

from collections.abc import Callable, Sequence
from typing import Any

import httpx

from common.mongo import Database
from tests.support.service_client import ServiceClient


class NotificationClient(ServiceClient):
    """The notification service, called in this process."""

    prefix = "/api/notifications"
    step = "notification"

    def __init__(
        self,
        replicas: Sequence[httpx.AsyncClient],
        database: Database,
        *,
        sent: Callable[[str], int] | None = None,
    ) -> None:
        """`sent`: how many messages of an order its provider has got; without it the test provider's ledger says so."""
        super().__init__(replicas, database)
        self._sent = sent

    async def send(self, order_id: str, contact_ref: str = "c-17", **more: Any) -> httpx.Response:
        body = {
            "customer_id": "c-17",
            "notification_type": "order_confirmed",
            "contact_ref": contact_ref,
            "total_minor": 2500,
            "currency": "EUR",
            "items": [{"product_id": "p-mug", "quantity": 2}],
            **more,
        }
        return await self.saga_call("/send", order_id, "do", **body)

    async def cancel(self, order_id: str) -> httpx.Response:
        return await self.saga_call("/cancel", order_id, "undo", notification_type="order_confirmed")

    async def put_contact(self, contact_ref: str, email: str, *, create: bool = False) -> httpx.Response:
        headers = {"If-None-Match": "*"} if create else {}
        return await self.call("PUT", f"/contacts/{contact_ref}", json={"email": email}, headers=headers)

    async def contact(self, contact_ref: str) -> httpx.Response:
        return await self.call("GET", f"/contacts/{contact_ref}")

    async def notification(self, order_id: str) -> httpx.Response:
        return await self.call("GET", f"/ntf-{order_id}-order_confirmed")

    async def page(self, path: str) -> httpx.Response:
        """One of the pages that every service has."""
        return await next(self._next).get(path)

    async def messages(self, order_id: str) -> int:
        """How many messages were really sent."""
        if self._sent is not None:
            return self._sent(order_id)
        return await self.database["ledger"].count({"order_id": order_id, "kind": "message"})
