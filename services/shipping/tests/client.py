"""A caller of the shipping service: what the operator says to it, and what an auditor looks at."""

from collections import Counter

import httpx

from tests.support.service_client import ServiceClient, fresh

HOME = {
    "name": "Ada Example",
    "street": "Secret Lane 17",
    "city": "Hiddenburg",
    "postal_code": "10115",
    "country": "DE",
}


class ShippingClient(ServiceClient):
    """The shipping service, called in this process."""

    prefix = "/api/shipping"
    step = "shipping"

    async def address(
        self, ref: str, *, once: bool = False, owner: str | None = None, **changes: str
    ) -> httpx.Response:
        headers = {"If-None-Match": "*"} if once else {}
        whose = {"customer_id": owner} if owner else {}
        return await self.call("PUT", f"/addresses/{ref}", json={**HOME, **changes}, headers=headers, params=whose)

    async def home(self, **changes: str) -> str:
        """The reference of a new address."""
        ref = fresh("a")
        assert (await self.address(ref, **changes)).status_code == 200
        return ref

    async def schedule(self, order_id: str, address_ref: str, customer_id: str = "c-17") -> httpx.Response:
        return await self.saga_call("/schedule", order_id, "do", customer_id=customer_id, address_ref=address_ref)

    async def cancel(self, order_id: str) -> httpx.Response:
        return await self.saga_call("/cancel", order_id, "undo")

    async def status(self, order_id: str, status: str) -> httpx.Response:
        return await self.call("PUT", f"/s-{order_id}/status", json={"status": status})

    async def shipment(self, order_id: str) -> httpx.Response:
        return await self.call("GET", f"/order/{order_id}")

    async def ledger(self, order_id: str) -> Counter[str]:
        """How often the carrier did what for the order."""
        return Counter(entry["kind"] for entry in await self.database["ledger"].find({"order_id": order_id}))
