"""A caller of the payment service: what the engine says to it, and what an auditor looks at."""

import asyncio
from typing import Any

import httpx

from common.mongo import Database
from common.wire import Json


def order(order_id: str, method_ref: str = "test-ok", **more: Any) -> Json:
    return {
        "order_id": order_id,
        "customer_id": "c-17",
        "amount_minor": 2500,
        "currency": "EUR",
        "method_ref": method_ref,
        **more,
    }


class Till:
    """The service behind a client, and its database."""

    def __init__(self, client: httpx.AsyncClient, database: Database) -> None:
        self.client = client
        self.database = database

    async def process(self, order_id: str, method_ref: str = "test-ok", **more: Any) -> httpx.Response:
        headers = {"Idempotency-Key": f"shop/{order_id}/payment/do"}
        return await self.client.post(
            "/api/payments/process", json=order(order_id, method_ref, **more), headers=headers
        )

    async def refund(self, order_id: str) -> httpx.Response:
        headers = {"Idempotency-Key": f"shop/{order_id}/payment/undo"}
        return await self.client.post("/api/payments/refund", json={"order_id": order_id}, headers=headers)

    async def repair(self, order_id: str) -> httpx.Response:
        return await self.client.post("/api/payments/test/repair", json={"order_id": order_id})

    async def payment(self, order_id: str) -> Json:
        found: Json = (await self.client.get(f"/api/payments/order/{order_id}")).json()
        return found

    async def settled(self, location: str) -> httpx.Response:
        """Poll a 202's Location, as the engine does, for at most five seconds."""
        for _ in range(50):
            answer = await self.client.get(location)
            if answer.status_code != 202:
                return answer
            await asyncio.sleep(0.1)
        raise AssertionError("not settled after five seconds")

    async def ledger(self, order_id: str) -> list[tuple[str, int]]:
        """What really moved, in order."""
        entries = await self.database["ledger"].find({"order_id": order_id}, sort="at")
        return [(entry["kind"], entry["amount_minor"]) for entry in entries]
