"""A caller of the payment service: what the operator says to it, and what an auditor looks at."""

import asyncio
from typing import Any

import httpx

from common.wire import Json
from tests.support.service_client import ServiceClient


def payment_of(order_id: str, method_ref: str = "test-ok", **more: Any) -> Json:
    """The body of a charge."""
    known = {"customer_id": "c-17", "amount_minor": 2500, "currency": "EUR", "method_ref": method_ref}
    return {"order_id": order_id, **known, **more}


class PaymentClient(ServiceClient):
    """The payment service, called in this process."""

    prefix = "/api/payments"
    step = "payment"

    async def process(self, order_id: str, method_ref: str = "test-ok", **more: Any) -> httpx.Response:
        return await self.saga_call("/process", direction="do", **payment_of(order_id, method_ref, **more))

    async def refund(self, order_id: str) -> httpx.Response:
        return await self.saga_call("/refund", order_id, "undo")

    async def repair(self, order_id: str) -> httpx.Response:
        return await self.call("POST", "/test/repair", json={"order_id": order_id})

    async def payment(self, order_id: str) -> Json:
        found: Json = (await self.call("GET", f"/order/{order_id}")).json()
        return found

    async def settled(self, location: str) -> httpx.Response:
        """Poll a 202's Location, as the operator does, for at most five seconds."""
        for _ in range(50):
            answer = await self.call("GET", location.removeprefix(self.prefix))
            if answer.status_code != 202:
                return answer
            await asyncio.sleep(0.1)
        raise AssertionError("not settled after five seconds")

    async def ledger(self, order_id: str) -> list[tuple[str, int]]:
        """What really moved, in order."""
        entries = await self.database["ledger"].find({"order_id": order_id}, sort="at")
        return [(entry["kind"], entry["amount_minor"]) for entry in entries]
