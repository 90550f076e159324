"""A caller of the inventory service: what the operator says to it, and what an auditor looks at."""

from typing import Any

import httpx

from tests.support.service_client import ServiceClient

PRICE = 1250


class InventoryClient(ServiceClient):
    """The inventory service, called in this process."""

    prefix = "/api/inventory"
    step = "inventory"

    async def stock(self, product_id: str, units: int, *, price_minor: int = PRICE) -> httpx.Response:
        body = {"name": "A thing", "stock": units, "price_minor": price_minor, "currency": "EUR"}
        return await self.call("PUT", f"/{product_id}", json=body)

    async def product(self, product_id: str) -> dict[str, Any]:
        answer = await self.call("GET", f"/{product_id}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def reserve(
        self, order_id: str, lines: dict[str, int], *, price_minor: int = PRICE, currency: str = "EUR"
    ) -> httpx.Response:
        items = [{"product_id": p, "quantity": q, "unit_price_minor": price_minor} for p, q in lines.items()]
        return await self.saga_call("/reserve", order_id, "do", currency=currency, items=items)

    async def release(self, order_id: str) -> httpx.Response:
        return await self.saga_call("/release", order_id, "undo")

    async def dispatch(self, order_id: str) -> httpx.Response:
        return await self.saga_call("/dispatch", order_id, "do", step="dispatch")

    async def reservation(self, order_id: str) -> dict[str, Any] | None:
        found = (await self.call("GET", "/reservations", params={"order_id": order_id})).json()
        assert found["total"] == len(found["items"]) <= 1
        return found["items"][0] if found["items"] else None
