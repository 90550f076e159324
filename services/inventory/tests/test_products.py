"""The catalogue: put, get, list, and what the routes refuse."""

import asyncio
from dataclasses import replace
from typing import cast

import pytest

from common.errors import Unavailable
from common.mongo import Database, Document, Mongo
from services.inventory.models import ProductRequest
from services.inventory.products import Products
from services.inventory.rules import Move
from services.inventory.tests.client import InventoryClient
from tests.support.service_client import code, fresh


async def test_stock_below_what_is_reserved_is_refused(inventory: InventoryClient) -> None:
    mug = fresh("p")
    await inventory.stock(mug, 5)
    await inventory.reserve(fresh("o"), {mug: 3})
    assert code(await inventory.stock(mug, 2)) == (409, "below_reserved")
    product = (await inventory.stock(mug, 3)).json()
    assert (product["stocked"], product["reserved"], product["available"], product["status"]) == (
        3,
        3,
        0,
        "out_of_stock",
    )


async def test_a_product_put_many_times_at_once_is_one_product(inventory: InventoryClient) -> None:
    mug = fresh("p")
    answers = await asyncio.gather(*(inventory.stock(mug, units) for units in range(10)))
    assert {answer.status_code for answer in answers} == {200}
    assert (await inventory.product(mug))["stocked"] in range(10)


async def test_a_product_that_others_change_all_the_time_is_put_later() -> None:
    looks = 0

    class Busy:
        """The products, of which somebody changes each right after it is read."""

        async def find_one(self, _: Document) -> Document:
            nonlocal looks
            looks += 1
            assert looks <= 1000, "it goes on for ever"
            return {"_id": "p-mug", "stocked": 5, "reserved": 0, "dispatched": 0}

        async def find_and_update(self, *_: object, **__: object) -> None:
            await asyncio.sleep(0)

    database = cast(Database, {"products": Busy(), "adjustments": None})
    request = ProductRequest(name="A thing", price_minor=1250, currency="EUR", stock=7)
    with pytest.raises(Unavailable) as refusal:
        await Products(database, cast(Mongo, None)).put("p-mug", request)
    assert (refusal.value.status, refusal.value.retryable) == (503, True)
    assert looks > 20, "ten at once are no reason to give up"


async def test_a_name_is_text_also_if_it_looks_like_an_expression(inventory: InventoryClient) -> None:
    mug = fresh("p")
    body = {"name": "$stocked", "stock": 1, "price_minor": 0, "currency": "EUR"}
    assert (await inventory.call("PUT", f"/{mug}", json=body)).json()["name"] == "$stocked"


async def test_products_are_listed_by_status_and_page(inventory: InventoryClient) -> None:
    mug, shirt = fresh("p"), fresh("p")
    await inventory.stock(mug, 5)
    await inventory.stock(shirt, 0)
    listed = (await inventory.call("GET", "", params={"status": "out_of_stock", "limit": 1000})).json()
    ids = [product["product_id"] for product in listed["items"]]
    assert shirt in ids
    assert mug not in ids
    assert ids == sorted(ids)
    assert (listed["total"], listed["limit"], listed["skip"]) == (len(ids), 1000, 0)
    first = (await inventory.call("GET", "", params={"limit": 1, "skip": 1})).json()
    assert len(first["items"]) == 1
    assert first["total"] > 1


async def test_an_unknown_product_is_not_found(inventory: InventoryClient) -> None:
    assert code(await inventory.call("GET", f"/{fresh('p')}")) == (404, "not_found")


@pytest.mark.parametrize(
    "body",
    [
        {"name": "x", "stock": -1, "price_minor": 1, "currency": "EUR"},
        {"name": "x", "stock": 1, "price_minor": 1.5, "currency": "EUR"},
        {"name": "x", "stock": 1, "price_minor": 1, "currency": "eur"},
        {"name": "x", "stock": 1, "price_minor": 1, "currency": "EUR", "colour": "red"},
        {"name": "", "stock": 1, "price_minor": 1, "currency": "EUR"},
        {},
    ],
)
async def test_a_product_that_cant_be_right_is_invalid(inventory: InventoryClient, body: dict[str, object]) -> None:
    assert code(await inventory.call("PUT", "/p-bad", json=body)) == (422, "invalid")


async def test_a_product_cant_hide_behind_a_path_of_the_service(inventory: InventoryClient) -> None:
    assert code(await inventory.stock("reservations", 1)) == (422, "invalid")


async def test_lists_are_bounded(inventory: InventoryClient) -> None:
    for params in ({"limit": 1001}, {"limit": 0}, {"skip": -1}, {"status": "sold"}):
        assert code(await inventory.call("GET", "", params=params)) == (422, "invalid")


async def test_a_post_without_its_key_is_told_one_that_works(inventory: InventoryClient) -> None:
    answer = await inventory.call("POST", "/release", json={"order_id": "o-1"})
    assert code(answer) == (400, "idempotency_key_required")
    assert "shop/o-1/inventory/undo" in answer.json()["detail"]


@pytest.mark.parametrize("move", [Move("", 0, 6), Move("", 0, -1), Move("", -6, 0), Move("", -6, -6)])
async def test_the_database_itself_refuses_a_move_that_the_numbers_dont_allow(
    database: Database, mongo: Mongo, move: Move
) -> None:
    products, mug = Products(database, mongo), fresh("p")
    before = await products.put(mug, ProductRequest(name="Mug", stock=5, price_minor=1, currency="EUR"))
    with pytest.raises(Unavailable, match=mug):
        await products.apply([replace(move, product_id=mug)], session=None)
    assert await products.get(mug) == before
