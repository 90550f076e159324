"""A list never costs more memory than a service has: it is bounded in bytes, on a real MongoDB."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from common.errors import Unavailable
from common.mongo import Collection
from common.web import pagination
from common.web.pagination import Paging, page
from services.order.main import build
from services.order.settings import OrderSettings
from tests.support.service_client import fresh, own_databases, replicas_of

LINES = [{"product_id": f"p-{n:061}", "quantity": 10_000, "unit_price_minor": 1_000_000_000} for n in range(100)]
ORDERS = 150
"""Of 100 lines each: two mebibytes, which is more than a page has."""


def document(number: int, customer: str) -> dict[str, Any]:
    """An order as large as the rules allow, as earlier releases stored it: its answers repeat the lines."""
    order_id = f"{customer}-{number:04}"
    answered = {"fingerprint": "f", "state": "answered", "status": 200, "body": {"items": LINES}}
    return {
        "_id": order_id,
        "order_id": order_id,
        "customer_id": customer,
        "status": "CANCELLED",
        "items": LINES,
        "total_minor": 1_000_000_000_000,
        "currency": "EUR",
        "reason": None,
        "barrier": {"version": 3, "operations": {"create": answered, "confirm": answered}},
    }


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shop(mongodb_url: str) -> AsyncIterator[tuple[Any, Collection, str]]:
    customer = fresh("c")
    with own_databases(mongodb_url, "lists") as settings:
        async with replicas_of(build, OrderSettings(**settings.model_dump())) as (clients, app):
            collection = app.database["orders"]
            for number in range(ORDERS):
                await collection.insert(document(number, customer))
            yield clients[0], collection, customer


async def test_a_page_ends_early_when_its_items_are_large(shop: tuple[Any, Collection, str]) -> None:
    client, _, customer = shop
    answer = await client.get("/api/orders", params={"customer_id": customer, "limit": 1000})
    listed = answer.json()
    assert (listed["total"], listed["limit"], listed["skip"]) == (ORDERS, 1000, 0)
    assert 1 < len(listed["items"]) < ORDERS
    assert len(answer.content) < 2 * pagination.MAX_BYTES


async def test_who_goes_on_with_the_items_that_came_sees_each_order_once(shop: tuple[Any, Collection, str]) -> None:
    client, _, customer = shop
    seen: list[str] = []
    while True:
        params = {"customer_id": customer, "limit": 1000, "skip": len(seen)}
        listed = (await client.get("/api/orders", params=params)).json()
        seen += [item["order_id"] for item in listed["items"]]
        if len(seen) >= listed["total"]:
            break
    assert seen == [f"{customer}-{number:04}" for number in range(ORDERS)]


async def test_what_a_list_does_not_show_is_not_read(shop: tuple[Any, Collection, str]) -> None:
    _, collection, customer = shop
    listed = await page(collection, {"customer_id": customer}, Paging(limit=1, skip=0), dict)
    assert "barrier" not in listed.items[0]
    assert listed.items[0]["items"] == LINES


async def test_an_item_larger_than_a_page_is_a_page_of_its_own(
    shop: tuple[Any, Collection, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, collection, customer = shop
    monkeypatch.setattr(pagination, "MAX_BYTES", 10)
    listed = await page(collection, {"customer_id": customer}, Paging(limit=1000, skip=3), dict)
    assert [item["order_id"] for item in listed.items] == [f"{customer}-0003"]


async def test_only_a_few_pages_are_made_at_once() -> None:
    class Slow:
        """A collection that remembers how many looks at it were open at once."""

        looking = most = 0

        async def stream(self, *_: object, **__: object) -> AsyncIterator[dict[str, Any]]:
            self.looking += 1
            self.most = max(self.most, self.looking)
            await asyncio.sleep(0.01)
            self.looking -= 1
            yield {"_id": 1}

        async def count(self, _: object) -> int:
            return 1

    slow: Any = Slow()
    await asyncio.gather(*(page(slow, {}, Paging(limit=5, skip=0), dict) for _ in range(12)))
    assert slow.most == pagination.PAGES_AT_ONCE


class Kept:
    """A collection of documents, some of which can't be shown."""

    def __init__(self, *documents: Any) -> None:
        self.documents = [{"_id": number, "shown": each} for number, each in enumerate(documents)]

    async def stream(self, *_: object, skip: int, limit: int, **__: object) -> AsyncIterator[dict[str, Any]]:
        for each in self.documents[skip : skip + limit]:
            yield each

    async def count(self, _: object) -> int:
        return len(self.documents)


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
@pytest.mark.parametrize("kept", ["x1234", "12x34", "1234x", "xx1xx2xx3x4xx", "1234", "x", ""])
async def test_a_document_that_can_not_be_shown_hides_no_other(kept: str, limit: int) -> None:
    collection: Any = Kept(*kept)
    seen: list[int] = []
    skip = 0
    for _ in range(100):
        listed = await page(collection, {}, Paging(limit=limit, skip=skip), lambda document: int(document["shown"]))
        seen += listed.items
        skip += len(listed.items)
        if skip >= listed.total:
            break
    else:
        raise AssertionError("it never ends")
    assert sorted(set(seen)) == [int(each) for each in kept if each != "x"]


async def test_whoever_waits_too_long_for_the_lists_of_others_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stuck(Kept):
        async def stream(self, *_: object, **__: object) -> AsyncIterator[dict[str, Any]]:
            await asyncio.Event().wait()
            yield {}

    monkeypatch.setattr(pagination, "TURN_SECONDS", 0.05)
    stuck: Any = Stuck()
    others = [
        asyncio.create_task(page(stuck, {}, Paging(limit=1, skip=0), dict)) for _ in range(pagination.PAGES_AT_ONCE)
    ]
    await asyncio.sleep(0)
    collection: Any = Kept("1")
    with pytest.raises(Unavailable):
        async with asyncio.timeout(10):
            await page(collection, {}, Paging(limit=1, skip=0), dict)
    for other in others:
        other.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    assert len((await page(collection, {}, Paging(limit=1, skip=0), dict)).items) == 1
