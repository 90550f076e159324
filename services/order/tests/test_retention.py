"""What finished orders refer to goes so many days after their ends, and nobody has to ask."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import timedelta

import pytest
from pymongo import MongoClient

from common.background import Rounds
from common.settings import ServiceSettings
from common.shop.erasure import ERASED
from common.shop.order_spec import spec_of
from common.web.dependencies import provided
from common.wire import utcnow
from dev.stack.pytest_plugin import TestControlPlane
from services.order.clients import ERASE
from services.order.retention import Retention
from services.order.store import Orders
from services.order.tests.conftest import Cluster
from services.order.tests.erasing import Order, Shop, erasing
from tests.support.service_client import fresh, own_databases

DAYS = 30
FULFILLED = ("PROCESSING", "SHIPPED", "DELIVERED")


@pytest.fixture
def own(mongodb_url: str) -> Iterator[ServiceSettings]:
    """A database of this test alone: what is due is looked for among all orders."""
    with own_databases(mongodb_url) as settings:
        yield settings


@pytest.fixture
async def shop(
    own: ServiceSettings, control_plane: TestControlPlane, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Shop]:
    async with erasing(own, control_plane.identity("order-service"), monkeypatch, personal_data_days=DAYS) as shop:
        yield shop


@pytest.fixture
def later(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Callable[[float], "Later"]:
    return lambda days: Later(shop, monkeypatch, days)


class Later:
    """A look at that many days from now."""

    def __init__(self, shop: Shop, monkeypatch: pytest.MonkeyPatch, days: float) -> None:
        self._retention = provided(shop.app, Retention)
        monkeypatch.setattr("services.order.retention.utcnow", lambda: utcnow() + timedelta(days=days))

    async def look(self) -> int:
        await self._retention.note_ends(Rounds())
        return await self._retention.erase_due(Rounds())


Looking = Callable[[float], Later]


async def delivered(order: Order) -> Order:
    await order.made("create", "confirm")
    await order.ended(phase="Completed")
    for status in FULFILLED:
        answer = await order.api.put(f"/api/orders/{order.order_id}/status", json={"status": status})
        assert answer.status_code == 200
    return order


async def cancelled(order: Order) -> Order:
    await order.made("create", "reject", "cancel")
    await order.ended()
    return order


@pytest.mark.parametrize("finished", [delivered, cancelled])
async def test_it_goes_so_many_days_after_the_end_and_nobody_has_asked(
    shop: Shop, later: Looking, finished: Callable[[Order], Awaitable[Order]]
) -> None:
    order = await finished(Order(shop.client, fresh("o")))
    assert await later(0).look() == await later(DAYS - 1).look() == 0
    assert shop.called == []
    await later(DAYS + 1).look()
    for service in ERASE:
        assert shop.told(service)[0] == {order.order_id}
    assert shop.told("shipping")[1] == {order.address}
    assert shop.told("notification")[1] == {order.contact}
    document = await provided(shop.app, Orders).document(order.order_id)
    assert document is not None
    assert (document["ship_to"]["address_ref"], document["erased"]) == (ERASED, True)
    assert order.contact not in json.dumps(await order.story())
    shop.called.clear()
    await later(2 * DAYS).look()
    assert shop.called == [], "once is enough"


async def test_an_order_that_is_not_finished_keeps_everything(shop: Shop, later: Looking) -> None:
    open_order, confirmed, undone = (Order(shop.client, fresh("o")) for _ in range(3))
    await open_order.made("create")
    await confirmed.made("create", "confirm")
    await confirmed.ended(phase="Completed")
    await undone.made("create", "reject", "cancel")  # its saga hasn't ended
    await later(0).look()
    await later(1000).look()
    assert shop.called == []
    await undone.ended()
    await later(0).look()
    assert shop.called == [], "it counts from its end"


async def test_an_address_goes_with_the_last_order_that_names_it(shop: Shop, later: Looking) -> None:
    first, second = Order(shop.client, fresh("o")), Order(shop.client, fresh("o"))
    second.content |= first.changes
    await cancelled(first)
    await second.made("create", "confirm")
    await later(0).look()
    await later(DAYS + 1).look()
    assert shop.told("shipping") == ({first.order_id}, set())
    assert shop.told("notification") == ({first.order_id}, set())
    await second.ended(phase="Completed")
    for status in FULFILLED:
        await second.api.put(f"/api/orders/{second.order_id}/status", json={"status": status})
    await later(0).look()
    await later(DAYS + 1).look()
    assert shop.told("shipping") == ({first.order_id, second.order_id}, {first.address})
    assert shop.told("notification")[1] == {first.contact}


async def test_what_a_new_order_names_stays_before_it_has_a_document(
    shop: Shop, later: Looking, cluster: Cluster
) -> None:
    old = await cancelled(Order(shop.client, fresh("o")))
    new = {**old.content, "order_id": fresh("o")}
    assert (await shop.client.post("/api/orders", json=new)).status_code == 202
    await later(0).look()
    await later(DAYS + 1).look()
    assert shop.told("shipping") == ({old.order_id}, set())
    assert shop.told("notification") == ({old.order_id}, set())
    cluster.lose(new["order_id"])


async def test_a_finished_order_whose_resource_was_made_again_is_left_alone(
    shop: Shop, later: Looking, cluster: Cluster
) -> None:
    order = await cancelled(Order(shop.client, fresh("o")))
    cluster.apply(order.order_id, spec_of(order.content))
    await later(0).look()
    assert await later(DAYS + 1).look() == 0
    assert shop.called == []
    cluster.lose(order.order_id)
    await later(DAYS + 1).look()
    assert shop.told("shipping") == ({order.order_id}, {order.address})


async def test_a_story_of_an_order_that_never_came_to_be_goes_by_its_own_age(shop: Shop, later: Looking) -> None:
    never = Order(shop.client, fresh("o"))
    uid = await never.ended()
    await later(DAYS - 1).look()
    assert never.contact in json.dumps(await never.story())
    await later(DAYS + 1).look()
    assert never.contact not in json.dumps(await never.story())
    await never.ended(uid=uid)  # the operator is told that it wasn't archived, and repeats it
    assert never.contact in json.dumps(await never.story())
    await later(DAYS + 1).look()
    assert never.contact not in json.dumps(await never.story())


async def test_a_story_that_is_archived_again_after_its_erasure_is_erased_again(shop: Shop, later: Looking) -> None:
    order = Order(shop.client, fresh("o"))
    await order.made("create", "reject", "cancel")
    uid = await order.ended()
    await later(0).look()
    await later(DAYS + 1).look()
    await order.ended(uid=uid)
    assert order.contact not in json.dumps(await order.story())


async def test_an_order_that_can_not_be_erased_holds_up_no_other(shop: Shop, later: Looking) -> None:
    broken = await cancelled(Order(shop.client, fresh("o")))
    await provided(shop.app, Orders)._collection.update({"_id": broken.order_id}, {"$set": {"ship_to": None}})
    await later(0).look()
    others = [await cancelled(Order(shop.client, fresh("o"))) for _ in range(2)]
    await later(0).look()
    assert await later(DAYS + 1).look() == 1
    assert shop.told("payment")[0] == {order.order_id for order in others}


async def test_a_look_reads_what_it_finds_and_not_what_was_erased_before(
    shop: Shop, own: ServiceSettings, later: Looking, mongodb_url: str
) -> None:
    due = await cancelled(Order(shop.client, fresh("o")))
    await later(0).look()
    with MongoClient[dict[str, object]](mongodb_url) as client:
        database = client[f"{own.database_prefix}order"]
        common = {"customer_id": "c-1", "over_since": utcnow()}
        database.orders.insert_many(
            [{"_id": f"erased-{n}", "status": "DELIVERED", "erased": True, **common} for n in range(500)]
            + [{"_id": f"open-{n}", "status": "CONFIRMED", "saga_ended": True, **common} for n in range(500)]
        )
        database.command("profile", 2)
        await later(DAYS + 1).look()
        database.command("profile", 0)
        ours = {"ns": f"{database.name}.orders", "op": "query", "command.filter.erased": {"$exists": True}}
        read = [each["docsExamined"] for each in database.system.profile.find(ours)]
    assert shop.told("payment")[0] == {due.order_id}
    assert read, "there were looks"
    assert max(read) <= 1


async def test_without_a_number_of_days_nothing_goes(
    own: ServiceSettings, control_plane: TestControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.order.retention.utcnow", lambda: utcnow() + timedelta(days=5000))
    monkeypatch.setattr("services.order.retention.PAUSE", 0.05)
    async with erasing(own, control_plane.identity("order-service"), monkeypatch, personal_data_days=0) as shop:
        order = await cancelled(Order(shop.client, fresh("o")))
        orders = provided(shop.app, Orders)
        while "over_since" not in (await orders.document(order.order_id) or {}):  # noqa: ASYNC110 - the look is its own
            await asyncio.sleep(0.05)
        health = (await shop.client.get("/health")).json()
        assert health["background"]["erasing what is old"]["state"] == "ok"
        assert shop.called == []
