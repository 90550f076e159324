"""What the tests say to the shipping service, in their own words."""

import uuid
from collections import Counter
from typing import Any

import httpx

from common.mongo import Database

HOME = {
    "name": "Ada Example",
    "street": "Secret Lane 17",
    "city": "Hiddenburg",
    "postal_code": "10115",
    "country": "DE",
}


def fresh(prefix: str) -> str:
    """An id that no other test uses."""
    return f"{prefix}-{uuid.uuid4().hex[:10]}"


class Parcels:
    """A client of the service, and a look at its books from outside."""

    def __init__(self, client: httpx.AsyncClient, database: Database) -> None:
        self._client = client
        self.database = database

    async def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        return await self._client.request(method, f"/api/shipping{path}", **options)

    async def address(self, ref: str, *, once: bool = False, **changes: str) -> httpx.Response:
        headers = {"If-None-Match": "*"} if once else {}
        return await self.call("PUT", f"/addresses/{ref}", json={**HOME, **changes}, headers=headers)

    async def home(self, **changes: str) -> str:
        """The reference of a new address."""
        ref = fresh("a")
        assert (await self.address(ref, **changes)).status_code == 200
        return ref

    async def schedule(self, order_id: str, address_ref: str, customer_id: str = "c-17") -> httpx.Response:
        return await self._post("schedule", "do", order_id, customer_id=customer_id, address_ref=address_ref)

    async def cancel(self, order_id: str) -> httpx.Response:
        return await self._post("cancel", "undo", order_id)

    async def status(self, order_id: str, status: str) -> httpx.Response:
        return await self.call("PUT", f"/s-{order_id}/status", json={"status": status})

    async def shipment(self, order_id: str) -> httpx.Response:
        return await self.call("GET", f"/order/{order_id}")

    async def ledger(self, order_id: str) -> Counter[str]:
        """How often the carrier did what for the order."""
        return Counter(entry["kind"] for entry in await self.database["ledger"].find({"order_id": order_id}))

    async def _post(self, path: str, direction: str, order_id: str, **body: Any) -> httpx.Response:
        headers = {"Idempotency-Key": f"shop/{order_id}/shipping/{direction}"}
        return await self.call("POST", f"/{path}", json={"order_id": order_id, **body}, headers=headers)


def code(answer: httpx.Response) -> tuple[int, str]:
    """Status and problem code of an answer."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["code"]
