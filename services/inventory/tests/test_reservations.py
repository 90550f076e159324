"""Reserve, release and dispatch on a real MongoDB, in every order."""

import asyncio

from services.inventory.tests.client import InventoryClient
from tests.support.order_service import OrderBook
from tests.support.service_client import code, fresh


async def test_an_order_reserves_all_its_lines(inventory: InventoryClient) -> None:
    mug, shirt, order = fresh("p"), fresh("p"), fresh("o")
    await inventory.stock(mug, 5)
    await inventory.stock(shirt, 1)
    answer = await inventory.reserve(order, {shirt: 1, mug: 2})
    lines = [{"product_id": shirt, "quantity": 1}, {"product_id": mug, "quantity": 2}]
    assert answer.status_code == 200
    assert answer.json() == {"order_id": order, "status": "reserved", "lines": lines}
    assert await inventory.reservation(order) == answer.json()
    assert (await inventory.call("GET", f"/reservations/{order}")).json() == answer.json()
    assert await inventory.product(mug) == {
        "product_id": mug,
        "name": "A thing",
        "stocked": 5,
        "reserved": 2,
        "available": 3,
        "price_minor": 1250,
        "currency": "EUR",
        "status": "in_stock",
    }
    assert (await inventory.product(shirt))["status"] == "out_of_stock"


async def test_an_order_that_wants_one_unit_too_many_gets_nothing_at_all(inventory: InventoryClient) -> None:
    mug, shirt, order = fresh("p"), fresh("p"), fresh("o")
    await inventory.stock(mug, 5)
    await inventory.stock(shirt, 1)
    refused = await inventory.reserve(order, {mug: 1, shirt: 2})
    assert code(refused) == (409, "out_of_stock")
    assert refused.json()["order_id"] == order
    assert (await inventory.product(mug))["reserved"] == 0
    assert await inventory.reservation(order) is None
    await inventory.stock(shirt, 10)
    assert (await inventory.reserve(order, {mug: 1, shirt: 2})).json() == refused.json(), "a refusal stays the same"


async def test_the_last_units_are_sold_once(replicated_inventory: InventoryClient) -> None:
    inventory, mug, orders = replicated_inventory, fresh("p"), [fresh("o") for _ in range(40)]
    await inventory.stock(mug, 25)
    answers = await asyncio.gather(*(inventory.reserve(order, {mug: 2}) for order in orders))
    won = [answer for answer in answers if answer.status_code == 200]
    lost = [answer for answer in answers if answer.status_code != 200]
    assert len(won) == 12
    assert {code(answer) for answer in lost} == {(409, "out_of_stock")}
    product = await inventory.product(mug)
    assert (product["stocked"], product["reserved"], product["available"]) == (25, 24, 1)


async def test_orders_for_the_same_products_in_another_order_dont_block_each_other(
    replicated_inventory: InventoryClient,
) -> None:
    inventory, mug, shirt = replicated_inventory, fresh("p"), fresh("p")
    await inventory.stock(mug, 20)
    await inventory.stock(shirt, 20)
    baskets = [{mug: 1, shirt: 1}, {shirt: 1, mug: 1}] * 10
    answers = await asyncio.gather(*(inventory.reserve(fresh("o"), basket) for basket in baskets))
    assert {answer.status_code for answer in answers} == {200}
    assert [(await inventory.product(p))["available"] for p in (mug, shirt)] == [0, 0]


async def test_a_reserve_sent_many_times_at_once_reserves_once(replicated_inventory: InventoryClient) -> None:
    inventory, mug, order = replicated_inventory, fresh("p"), fresh("o")
    await inventory.stock(mug, 10)
    answers = await asyncio.gather(*(inventory.reserve(order, {mug: 3}) for _ in range(12)))
    assert {(answer.status_code, answer.text) for answer in answers} == {(200, answers[0].text)}
    assert (await inventory.product(mug))["reserved"] == 3


async def test_the_same_key_with_another_body_is_refused(inventory: InventoryClient) -> None:
    mug, order = fresh("p"), fresh("o")
    await inventory.stock(mug, 10)
    await inventory.reserve(order, {mug: 3})
    assert code(await inventory.reserve(order, {mug: 4})) == (422, "key_reused")
    assert (await inventory.product(mug))["reserved"] == 3


async def test_a_price_or_currency_that_isnt_the_catalogues_is_refused(inventory: InventoryClient) -> None:
    mug = fresh("p")
    await inventory.stock(mug, 10)
    assert code(await inventory.reserve(fresh("o"), {mug: 1}, price_minor=1249)) == (409, "price_changed")
    assert code(await inventory.reserve(fresh("o"), {mug: 1}, currency="USD")) == (409, "price_changed")
    assert code(await inventory.reserve(fresh("o"), {fresh("p"): 1})) == (409, "product_unknown")


async def test_a_refusal_names_the_line_for_which_there_is_not_enough(inventory: InventoryClient) -> None:
    plenty, few = fresh("p-a"), fresh("p-b")
    await inventory.stock(plenty, 5)
    await inventory.stock(few, 1)
    refused = await inventory.reserve(fresh("o"), {plenty: 5, few: 3})
    assert code(refused) == (409, "out_of_stock")
    assert f"3 × {few} wanted, 1 available" in refused.json()["detail"]
    assert [(await inventory.product(p))["available"] for p in (plenty, few)] == [5, 1]


async def test_a_release_gives_the_units_back_once(inventory: InventoryClient) -> None:
    mug, order = fresh("p"), fresh("o")
    await inventory.stock(mug, 5)
    reserved = (await inventory.reserve(order, {mug: 5})).json()
    released = await inventory.release(order)
    assert released.status_code == 200
    assert released.json() == {**reserved, "status": "released", "effect": "undone"}
    assert (await inventory.release(order)).json() == released.json()
    product = await inventory.product(mug)
    assert (product["reserved"], product["available"], product["status"]) == (0, 5, "in_stock")
    assert (await inventory.reservation(order)) == {**reserved, "status": "released"}


async def test_a_late_reserve_meets_the_tombstone(inventory: InventoryClient) -> None:
    mug, order = fresh("p"), fresh("o")
    await inventory.stock(mug, 5)
    assert (await inventory.release(order)).json() == {"order_id": order, "effect": "none"}
    assert code(await inventory.reserve(order, {mug: 1})) == (409, "compensated")
    assert (await inventory.product(mug))["reserved"] == 0
    assert await inventory.reservation(order) is None
    assert code(await inventory.call("GET", f"/reservations/{order}")) == (404, "not_found")


async def test_a_reserve_that_was_released_doesnt_come_back(inventory: InventoryClient) -> None:
    mug, order = fresh("p"), fresh("o")
    await inventory.stock(mug, 5)
    await inventory.reserve(order, {mug: 1})
    await inventory.release(order)
    assert code(await inventory.reserve(order, {mug: 1})) == (409, "compensated")
    assert (await inventory.product(mug))["reserved"] == 0


async def test_a_refused_reserve_is_released_without_effect(inventory: InventoryClient) -> None:
    mug, order = fresh("p"), fresh("o")
    await inventory.stock(mug, 1)
    await inventory.reserve(order, {mug: 2})
    assert (await inventory.release(order)).json() == {"order_id": order, "effect": "none"}
    assert (await inventory.product(mug))["available"] == 1


async def test_reserve_and_release_at_once_leave_no_units_behind(replicated_inventory: InventoryClient) -> None:
    inventory, mug = replicated_inventory, fresh("p")
    await inventory.stock(mug, 100)
    orders = [fresh("o") for _ in range(10)]
    calls = [call for order in orders for call in (inventory.reserve(order, {mug: 1}), inventory.release(order))]
    answers = await asyncio.gather(*calls)
    assert {answer.status_code for answer in answers} <= {200, 409}
    assert (await inventory.product(mug))["reserved"] == 0


async def test_a_dispatch_takes_the_units_out_of_the_warehouse_once(replicated_inventory: InventoryClient) -> None:
    inventory, mug, order = replicated_inventory, fresh("p"), fresh("o")
    await inventory.stock(mug, 5)
    reserved = (await inventory.reserve(order, {mug: 2})).json()
    answers = await asyncio.gather(*(inventory.dispatch(order) for _ in range(5)))
    assert [answer.json() for answer in answers] == [{**reserved, "status": "dispatched"}] * 5
    product = await inventory.product(mug)
    assert (product["stocked"], product["reserved"], product["available"]) == (3, 0, 3)
    assert (await inventory.reserve(order, {mug: 2})).json() == reserved, "the reserve's answer stays what it was"
    assert code(await inventory.release(order)) == (409, "already_dispatched")
    assert (await inventory.product(mug))["stocked"] == 3


async def test_a_dispatch_that_comes_too_early_may_be_asked_for_again(inventory: InventoryClient) -> None:
    mug, order = fresh("p"), fresh("o")
    await inventory.stock(mug, 5)
    assert code(await inventory.dispatch(order)) == (404, "not_found")
    await inventory.reserve(order, {mug: 2})
    assert (await inventory.dispatch(order)).json()["status"] == "dispatched"


async def test_what_was_released_is_never_dispatched(inventory: InventoryClient) -> None:
    mug, order = fresh("p"), fresh("o")
    await inventory.stock(mug, 5)
    await inventory.reserve(order, {mug: 2})
    await inventory.release(order)
    assert code(await inventory.dispatch(order)) == (409, "compensated")
    assert (await inventory.product(mug))["stocked"] == 5


async def test_units_stay_until_their_order_is_confirmed(inventory: InventoryClient, order_book: OrderBook) -> None:
    """Until then the order may be rolled back, and units that have left can't be released any more."""
    mug = fresh("p")
    await inventory.stock(mug, 5)
    for status, answer in (
        ("PENDING", (409, "order_not_confirmed")),
        ("CANCELLING", (409, "order_not_confirmed")),
        (None, (409, "order_not_confirmed")),
    ):
        order = fresh("o")
        order_book.status[order] = status
        await inventory.reserve(order, {mug: 1})
        assert code(await inventory.dispatch(order)) == answer, status
        order_book.down = True
        try:
            assert code(await inventory.dispatch(order)) == (503, "unavailable")
        finally:
            order_book.down = False
        assert (await inventory.reservation(order) or {})["status"] == "reserved"
        order_book.status[order] = "CONFIRMED"
        dispatched = await inventory.dispatch(order)
        assert dispatched.json()["status"] == "dispatched", "the refusal wasn't stored"
        order_book.status[order] = None
        assert (await inventory.dispatch(order)).json() == dispatched.json(), "a repetition asks nobody"
