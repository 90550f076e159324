"""No client asks for more than its share: of requests, and of open orders."""

import asyncio
from collections.abc import AsyncIterator, Collection
from typing import Any

import pytest

from common.identity.callers import Caller, Role
from common.settings import ServiceSettings
from dev.stack.pytest_plugin import TestControlPlane
from services.order import open_orders
from services.order.door import door
from services.order.tests.doors import Shop, guarded
from tests.support.service_client import code, fresh

FEW = {"clients_rate": 0.5, "clients_burst": 4, "clients_open_orders": 3, "clients_staff_open_orders": 100_000}


@pytest.fixture(scope="module")
async def shop(settings: ServiceSettings, control_plane: TestControlPlane) -> AsyncIterator[Shop]:
    async with guarded(settings, control_plane, **FEW) as shop:
        yield shop


@pytest.fixture(scope="module")
async def roomy(settings: ServiceSettings, control_plane: TestControlPlane) -> AsyncIterator[Shop]:
    async with guarded(settings, control_plane, **FEW | {"clients_rate": 1000, "clients_burst": 1000}) as shop:
        yield shop


async def test_above_its_rate_a_client_is_told_when_to_come_again(shop: Shop) -> None:
    ada, eve = await shop.customer(), await shop.customer()
    answers = [await ada.get("/api/orders") for _ in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 4 + [429] * 2
    assert code(answers[-1]) == (429, "too_many_requests")
    assert answers[-1].json()["retryable"] is True
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 2
    assert (await eve.get("/api/orders")).status_code == 200, "another client goes on"
    second = await shop.customer(ada.customer_id)
    assert (await second.get("/api/orders")).status_code == 429, "a second key is no second share"


async def test_an_address_that_tries_out_credentials_is_slowed_down_and_known_clients_are_not(
    settings: ServiceSettings, control_plane: TestControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "REFUSALS", 0.1)
    monkeypatch.setattr(door, "REFUSALS_AT_ONCE", 5)
    async with guarded(settings, control_plane) as shop:
        ada, eve = await shop.customer(), await shop.customer()
        assert (await ada.get("/api/orders")).status_code == 200
        made_up = [await shop.visitor("osk_" + "A" * 43).get("/api/orders") for _ in range(7)]
        assert [answer.status_code for answer in made_up] == [401] * 5 + [429] * 2
        assert (await eve.get("/api/orders")).status_code == 429, "who isn't known waits as well"
        assert (await ada.get("/api/orders")).status_code == 200


async def test_a_customer_has_so_many_open_orders_and_a_repetition_is_none(
    roomy: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await roomy.customer()
    first = [await ada.placed() for _ in range(3)]
    answer = await ada.place(order_id=fresh("o"))
    assert code(answer) == (429, "too_many_open_orders")
    assert int(answer.headers["Retry-After"]) >= 1
    assert (await ada.place(order_id=first[0])).status_code == 202, "it is a repetition"
    assert (await (await roomy.customer()).place(order_id=fresh("o"))).status_code == 202
    monkeypatch.setattr(open_orders, "NEW_ENOUGH", 0.0)
    for order_id in first:
        await roomy.step(order_id, ada.customer_id, "create")
    assert code(await ada.place(order_id=fresh("o"))) == (429, "too_many_open_orders"), "they are still open"
    await roomy.step(first[0], ada.customer_id, "confirm")
    assert (await ada.place(order_id=fresh("o"))).status_code == 202
    assert code(await ada.place(order_id=fresh("o"))) == (429, "too_many_open_orders")


async def test_orders_that_come_at_the_same_time_are_counted_as_well(roomy: Shop) -> None:
    ada = await roomy.customer()
    answers = await asyncio.gather(*(ada.place(order_id=fresh("o")) for _ in range(12)))
    assert sorted(answer.status_code for answer in answers) == [202] * 3 + [429] * 9


async def test_a_replica_that_has_just_begun_counts_what_others_have_placed(
    roomy: Shop, settings: ServiceSettings, control_plane: TestControlPlane
) -> None:
    ada = await roomy.customer()
    for _ in range(3):
        await roomy.step(await ada.placed(), ada.customer_id, "create")
    async with guarded(settings, control_plane, **FEW) as other:
        ada.http = other.public
        assert (await ada.place(order_id=fresh("o"))).status_code == 202, "it is counted beside the first call"
        await asyncio.sleep(0.5)
        assert code(await ada.place(order_id=fresh("o"))) == (429, "too_many_open_orders")


async def test_what_was_not_placed_takes_no_room(roomy: Shop) -> None:
    ada = await roomy.customer()
    for _ in range(5):
        assert (
            await ada.place(order_id=fresh("o"), items=[{"product_id": "p-none", "quantity": 1}])
        ).status_code >= 400
    assert (await ada.place(order_id=fresh("o"))).status_code == 202


async def test_an_order_that_comes_to_be_known_while_they_are_counted_counts_once() -> None:
    known: set[str] = set()

    class Database:
        async def known_of(self, order_ids: set[str]) -> set[str]:
            found = known & order_ids
            known.add("o-1")
            return found

        async def count_open(self, customer_id: str | None, most: int, *, beside: Collection[str] = ()) -> int:
            return len(known - set(beside))

    orders: Any = Database()
    rooms = open_orders.OpenOrders(orders, customers=2, staff=8)
    for order_id in ("o-1", "o-2"):
        async with rooms.room(open_orders.Client(Caller("customer:c", Role.CUSTOMER, "c")), order_id):
            await asyncio.sleep(0.01)


async def test_staff_places_no_more_while_the_shop_has_too_many_open_orders() -> None:
    class Database:
        async def known_of(self, order_ids: set[str]) -> set[str]:
            return set()

        async def count_open(self, customer_id: str | None, most: int, *, beside: Collection[str] = ()) -> int:
            return 7 if customer_id is None else 0

    orders: Any = Database()
    rooms = open_orders.OpenOrders(orders, customers=3, staff=8)
    clerk = open_orders.Client(Caller("staff:ada", Role.STAFF))
    async with rooms.room(clerk, "o-1"):
        pass
    await asyncio.sleep(0.01)
    with pytest.raises(open_orders.TooMany):
        async with rooms.room(clerk, "o-2"):
            pass
    async with rooms.room(open_orders.Client(Caller("customer:c", Role.CUSTOMER, "c")), "o-3"):
        pass
