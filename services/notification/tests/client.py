"""A caller of the notification service: what the engine says to it, and what an auditor looks at."""

from typing import Any

import httpx

from common.mongo import Database


class Desk:
    """The service behind a client, and its database."""

    def __init__(self, client: httpx.AsyncClient, database: Database) -> None:
        self.client = client
        self.database = database

    async def send(self, order_id: str, contact_ref: str = "c-17", **more: Any) -> httpx.Response:
        body = {
            "order_id": order_id,
            "customer_id": "c-17",
            "notification_type": "order_confirmed",
            "contact_ref": contact_ref,
            "total_minor": 2500,
            "currency": "EUR",
            "items": [{"product_id": "p-mug", "quantity": 2}],
            **more,
        }
        headers = {"Idempotency-Key": f"shop/{order_id}/notification/do"}
        return await self.client.post("/api/notifications/send", json=body, headers=headers)

    async def cancel(self, order_id: str) -> httpx.Response:
        body = {"order_id": order_id, "notification_type": "order_confirmed"}
        headers = {"Idempotency-Key": f"shop/{order_id}/notification/undo"}
        return await self.client.post("/api/notifications/cancel", json=body, headers=headers)

    async def put_contact(self, contact_ref: str, email: str, *, create: bool = False) -> httpx.Response:
        headers = {"If-None-Match": "*"} if create else {}
        path = f"/api/notifications/contacts/{contact_ref}"
        return await self.client.put(path, json={"email": email}, headers=headers)

    async def notification(self, order_id: str) -> httpx.Response:
        return await self.client.get(f"/api/notifications/ntf-{order_id}-order_confirmed")

    async def messages(self, order_id: str) -> int:
        """How many messages were really sent."""
        return await self.database["ledger"].count({"order_id": order_id, "kind": "message"})
