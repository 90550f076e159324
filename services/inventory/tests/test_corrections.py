"""Corrections of the stock: a number that is outdated can't bring back what has been sold."""

import asyncio
from typing import Any

import httpx
import pytest

from common.mongo import Collection
from services.inventory.tests.client import InventoryClient
from tests.support.service_client import code, fresh


async def put(inventory: InventoryClient, product: str, *, etag: str | None = None, **form: Any) -> httpx.Response:
    body = {"name": "A mug", "price_minor": 1250, "currency": "EUR", **form}
    return await inventory.call("PUT", f"/{product}", json=body, headers={} if etag is None else {"If-Match": etag})


async def adjust(inventory: InventoryClient, product: str, delta: int, key: str) -> httpx.Response:
    return await inventory.call("POST", f"/{product}/adjust", json={"delta": delta}, headers={"Idempotency-Key": key})


async def etag_of(inventory: InventoryClient, product: str) -> str:
    return (await inventory.call("GET", f"/{product}")).headers["ETag"]


async def sell(inventory: InventoryClient, product: str, units: int) -> None:
    order = fresh("o")
    assert (await inventory.reserve(order, {product: units})).status_code == 200
    assert (await inventory.dispatch(order)).status_code == 200


async def test_yesterdays_form_doesnt_bring_sold_units_back(inventory: InventoryClient) -> None:
    mug = fresh("p")
    await put(inventory, mug, stock=10)
    etag = await etag_of(inventory, mug)
    await sell(inventory, mug, 3)
    assert code(await put(inventory, mug, etag=etag, name="A blue mug", stock=10)) == (412, "precondition_failed")
    refused = await put(inventory, mug, name="A blue mug", stock=10)
    assert code(refused) == (428, "precondition_required")
    assert f"/api/inventory/{mug}/adjust" in refused.json()["detail"]
    assert (await inventory.product(mug))["stocked"] == 7


async def test_a_change_of_the_name_needs_no_stock(inventory: InventoryClient) -> None:
    mug = fresh("p")
    assert code(await put(inventory, mug)) == (422, "invalid"), "a new product has to have one"
    await put(inventory, mug, stock=10)
    await sell(inventory, mug, 3)
    renamed = (await put(inventory, mug, name="A blue mug")).json()
    assert (renamed["name"], renamed["stocked"]) == ("A blue mug", 7)
    assert (await put(inventory, mug, stock=7)).status_code == 200, "the total that it has brings nothing back"


async def test_whoever_has_seen_the_product_as_it_is_may_set_its_stock(inventory: InventoryClient) -> None:
    mug = fresh("p")
    await put(inventory, mug, stock=10)
    await sell(inventory, mug, 3)
    etag = await etag_of(inventory, mug)
    await inventory.reserve(fresh("o"), {mug: 1})
    assert await etag_of(inventory, mug) == etag, "orders that come in don't outdate the form"
    answer = await put(inventory, mug, etag=f'"something-else", {etag}', stock=20)
    assert (answer.status_code, answer.json()["stocked"]) == (200, 20)
    assert answer.headers["ETag"] == await etag_of(inventory, mug) != etag
    assert (await put(inventory, mug, stock=30)).status_code == 200, "nothing has left since"
    assert code(await put(inventory, fresh("p"), etag="*", stock=1)) == (412, "precondition_failed")


async def test_of_forms_made_from_the_same_page_one_is_taken(inventory: InventoryClient) -> None:
    mug = fresh("p")
    await put(inventory, mug, stock=10)
    etag = await etag_of(inventory, mug)
    answers = await asyncio.gather(*(put(inventory, mug, etag=etag, stock=stock) for stock in range(11, 17)))
    assert sorted(answer.status_code for answer in answers) == [200, 412, 412, 412, 412, 412]


async def test_an_adjustment_is_right_whatever_happens_meanwhile_and_happens_once(inventory: InventoryClient) -> None:
    mug, key = fresh("p"), fresh("delivery")
    await put(inventory, mug, stock=10)
    await asyncio.gather(adjust(inventory, mug, 5, key), adjust(inventory, mug, 5, key), sell(inventory, mug, 3))
    assert (await adjust(inventory, mug, 5, key)).json()["stocked"] == 12
    assert code(await adjust(inventory, mug, 6, key)) == (422, "key_reused")
    assert (await adjust(inventory, mug, -2, fresh("loss"))).json()["available"] == 10


async def test_what_orders_have_reserved_cant_be_adjusted_away(inventory: InventoryClient) -> None:
    mug, key = fresh("p"), fresh("loss")
    await put(inventory, mug, stock=5)
    await inventory.reserve(fresh("o"), {mug: 3})
    assert code(await adjust(inventory, mug, -3, key)) == (409, "below_reserved")
    assert (await adjust(inventory, mug, -2, key)).json()["available"] == 0, "a refusal uses no key up"
    assert code(await adjust(inventory, mug, 10_000_000, fresh("k"))) == (422, "invalid")
    assert code(await adjust(inventory, fresh("p"), 1, fresh("k"))) == (404, "not_found")


@pytest.mark.parametrize("key", ["", "two words", "x" * 129])
async def test_an_adjustment_needs_a_key(inventory: InventoryClient, key: str) -> None:
    mug = fresh("p")
    await put(inventory, mug, stock=5)
    assert (await adjust(inventory, mug, 1, key)).status_code == 422
    missing = await inventory.call("POST", f"/{mug}/adjust", json={"delta": 1})
    assert code(missing) == (400, "idempotency_key_required")


async def test_a_product_that_somebody_else_makes_at_that_moment_is_not_made_twice(
    inventory: InventoryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second one looked before the first one wrote, and writes after it and after an order."""
    mug = fresh("p")
    find_one, looked = Collection.find_one, 0

    async def slowly(self: Collection, *args: Any, **options: Any) -> Any:
        nonlocal looked
        found = await find_one(self, *args, **options)
        looked += 1
        if looked == 1:
            assert found is None
            assert (await put(inventory, mug, stock=10)).status_code == 200
            assert (await inventory.reserve(fresh("o"), {mug: 8})).status_code == 200
        return found

    monkeypatch.setattr(Collection, "find_one", slowly)
    assert code(await put(inventory, mug, stock=5)) == (409, "below_reserved")
    now = await inventory.product(mug)
    assert (now["stocked"], now["reserved"], now["available"]) == (10, 8, 2)


async def test_a_put_that_is_only_to_create_a_product_changes_none(inventory: InventoryClient) -> None:
    mug, only_create = fresh("p"), {"If-None-Match": "*"}
    form = {"name": "A mug", "price_minor": 1250, "currency": "EUR"}
    assert (await inventory.call("PUT", f"/{mug}", json={**form, "stock": 5}, headers=only_create)).status_code == 200
    again = await inventory.call("PUT", f"/{mug}", json={**form, "stock": 9}, headers=only_create)
    assert code(again) == (412, "precondition_failed")
    assert (await inventory.product(mug))["stocked"] == 5
