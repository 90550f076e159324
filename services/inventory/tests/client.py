"""What the tests say to the inventory service, in their own words."""

import itertools
import uuid
from collections.abc import Sequence
from typing import Any

import httpx

PRICE = 1250


def fresh(prefix: str) -> str:
    """An id that no other test uses."""
    return f"{prefix}-{uuid.uuid4().hex[:10]}"


class Shop:
    """A client of one replica or of several in turn."""

    def __init__(self, replicas: Sequence[httpx.AsyncClient]) -> None:
        self._next = itertools.cycle(replicas)

    async def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        return await next(self._next).request(method, f"/api/inventory{path}", **options)

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
        return await self._post("reserve", "inventory/do", order_id, currency=currency, items=items)

    async def release(self, order_id: str) -> httpx.Response:
        return await self._post("release", "inventory/undo", order_id)

    async def dispatch(self, order_id: str) -> httpx.Response:
        return await self._post("dispatch", "dispatch/do", order_id)

    async def reservation(self, order_id: str) -> dict[str, Any] | None:
        found = (await self.call("GET", "/reservations", params={"order_id": order_id})).json()
        assert found["total"] == len(found["items"]) <= 1
        return found["items"][0] if found["items"] else None

    async def _post(self, path: str, key: str, order_id: str, **body: Any) -> httpx.Response:
        headers = {"Idempotency-Key": f"shop/{order_id}/{key}"}
        return await self.call("POST", f"/{path}", json={"order_id": order_id, **body}, headers=headers)


def code(answer: httpx.Response) -> tuple[int, str]:
    """Status and problem code of an answer."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["code"]
