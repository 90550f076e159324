"""A decided order has its OrderSaga or a story that tells its end; one that has neither gets its resource back."""

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry
from pymongo import MongoClient

from common.mongo import Database, Mongo
from common.settings import ServiceSettings
from common.shop.order_spec import spec_of
from dev.stack.pytest_plugin import TestControlPlane
from services.order.lost import LostSagas, Mode
from services.order.models import EXAMPLE_CONTENT
from services.order.sagas import Sagas
from services.order.store import INDEXES, Orders
from services.order.stories import Stories
from services.order.tests.conftest import Cluster, Saga, Serve
from services.order.tests.losing import EPOCH, archive, lost_order, metric
from services.order.tests.test_clients import place
from tests.support.service_client import own_databases

NewId = Callable[[], str]


@pytest.fixture
async def database(settings: ServiceSettings) -> AsyncIterator[Database]:
    mongo = Mongo(settings.mongodb_url)
    yield mongo[f"{settings.database_prefix}order"]
    await mongo.close()


async def saga_ended(database: Database, order_id: str) -> object:
    document = await database["orders"].find_one({"_id": order_id})
    assert document is not None
    return document.get("saga_ended")


@pytest.mark.parametrize("fulfilled", [(), ("PROCESSING", "SHIPPED")], ids=["confirmed", "shipped"])
async def test_a_confirmed_order_gets_its_resource_back(
    quiet: httpx.AsyncClient, serve: Serve, cluster: Cluster, new_id: NewId, fulfilled: tuple[str, ...]
) -> None:
    order_id = new_id()
    before = await lost_order(quiet, cluster, order_id, "create", "confirm")
    for status in fulfilled:
        assert (await quiet.put(f"/api/orders/{order_id}/status", json={"status": status})).status_code == 200
    async with serve() as shop:
        assert (await cluster.given_back(order_id))["spec"] == before["spec"], "it goes forward"
        await metric(shop, "ordersaga_sagas_restored_total", 1)


Look = Callable[..., Awaitable[int]]


@pytest.fixture
async def look(database: Database, control_plane: TestControlPlane) -> AsyncIterator[Look]:
    """One look at these orders. How many have been left without a resource."""
    sagas = Sagas("shop", control_plane.identity("order-service"))

    async def with_mode(*order_ids: str, mode: Mode = "restore") -> int:
        registry = CollectorRegistry()
        lost = LostSagas(Orders(database), Stories(database), sagas, mode=mode, seconds=60, registry=registry)
        return await lost.look_at(order_ids)

    yield with_mode
    await sagas.aclose()


async def test_also_where_lost_orders_are_cancelled(
    quiet: httpx.AsyncClient, look: Look, cluster: Cluster, new_id: NewId
) -> None:
    order_id = new_id()
    before = await lost_order(quiet, cluster, order_id, "create", "confirm")
    assert await look(order_id, mode="report") == 1
    assert await look(order_id, mode="cancel") == 0
    assert (await cluster.given_back(order_id))["spec"] == before["spec"]
    assert (await quiet.get(f"/api/orders/{order_id}")).json()["status"] == "CONFIRMED"


async def test_an_order_that_somebody_cancelled_over_its_saga_is_rolled_back(
    quiet: httpx.AsyncClient, look: Look, cluster: Cluster, new_id: NewId
) -> None:
    order_id = new_id()
    await place(quiet, order_id=order_id)
    await Saga(quiet, order_id)("create", epoch=EPOCH)
    await Saga(quiet, order_id)("cancel")  # by a stranger: what the saga has done is done
    cluster.lose(order_id)
    assert await look(order_id) == 0
    assert (await cluster.given_back(order_id))["spec"]["state"] == "Cancelled"


@pytest.mark.parametrize(
    "other",
    [
        {"phase": "Running"},
        {"phase": "Compensated"},
        {"namespace": "elsewhere"},
        {"customer_id": "c-18"},
    ],
    ids=["not of the end", "of another end", "of another namespace", "of other content"],
)
async def test_a_story_that_does_not_tell_the_order_s_end_is_none(
    *, quiet: httpx.AsyncClient, look: Look, cluster: Cluster, new_id: NewId, other: dict[str, Any]
) -> None:
    order_id = new_id()
    await lost_order(quiet, cluster, order_id, "create", "confirm")
    await archive(quiet, order_id, **({"phase": "Completed"} | other))
    assert await look(order_id) == 0
    assert cluster.found(order_id) is not None


OF_THE_NEXT_RELEASE = {"delivery": "standard", "items.0.gift": False}
"""What a document may have more: it is the same order still, though its fields aren't equal to those that are known."""


@pytest.mark.parametrize("more", [{}, OF_THE_NEXT_RELEASE], ids=["of this release", "of the next release"])
async def test_from_its_story_on_an_order_is_looked_for_no_more(
    quiet: httpx.AsyncClient, database: Database, new_id: NewId, more: dict[str, Any]
) -> None:
    order_id = new_id()
    await place(quiet, order_id=order_id)
    for action in ("create", "confirm", "confirm"):
        await Saga(quiet, order_id)(action, epoch=EPOCH)
    if more:
        await database["orders"].update({"_id": order_id}, {"$set": more})
    assert await saga_ended(database, order_id) is False
    await archive(quiet, order_id, phase="Completed")
    assert await saga_ended(database, order_id) is True
    await Saga(quiet, order_id)("confirm", epoch=EPOCH)  # from a resource that is applied again
    assert await saga_ended(database, order_id) is True


async def test_a_story_that_the_release_before_has_kept_counts(
    *, quiet: httpx.AsyncClient, look: Look, cluster: Cluster, database: Database, new_id: NewId
) -> None:
    order_id = new_id()
    await lost_order(quiet, cluster, order_id, "create", "confirm")
    story = {
        "namespace": "shop",
        "spec": spec_of(EXAMPLE_CONTENT | {"order_id": order_id}),
        "status": {"phase": "Completed"},
    }
    await database["sagas"].insert({"_id": str(uuid.uuid4()), "order_id": order_id, **story})
    assert await look(order_id) == 0
    assert cluster.found(order_id) is None
    assert await saga_ended(database, order_id) is True


async def test_what_the_release_before_has_confirmed_is_left_alone(
    *, quiet: httpx.AsyncClient, look: Look, cluster: Cluster, database: Database, new_id: NewId
) -> None:
    order_id = new_id()
    await lost_order(quiet, cluster, order_id, "create", "confirm")
    await database["orders"].update({"_id": order_id}, {"$unset": {"saga_ended": ""}})
    assert await look(order_id) == 0
    assert cluster.found(order_id) is None
    assert order_id not in await Orders(database).unended_ids("shop", after="", limit=1000)


async def test_what_no_operator_has_worked_on_is_not_looked_for_once_it_is_decided(
    api: httpx.AsyncClient, look: Look, database: Database, new_id: NewId
) -> None:
    order_id = new_id()
    for action in ("create", "confirm"):
        await Saga(api, order_id)(action)
    assert await look(order_id) == 0
    assert order_id not in await Orders(database).unended_ids("shop", after="", limit=1000)
    await Saga(api, order_id)("confirm", epoch=EPOCH)  # now one has
    assert order_id in await Orders(database).unended_ids("shop", after="", limit=1000)


async def test_an_order_whose_name_another_resource_has_taken_is_told_of(
    quiet: httpx.AsyncClient, look: Look, cluster: Cluster, new_id: NewId
) -> None:
    order_id = new_id()
    before = await lost_order(quiet, cluster, order_id, "create", "confirm")
    cluster.apply(order_id, {**before["spec"], "customerID": "c-18"})
    assert await look(order_id) == 1


async def test_a_story_is_kept_also_if_its_order_cannot_be_read(
    quiet: httpx.AsyncClient, database: Database, new_id: NewId
) -> None:
    order_id = new_id()
    await Saga(quiet, order_id)("create", epoch=EPOCH)
    await database["orders"].update({"_id": order_id}, {"$unset": {"barrier": "", "status": ""}})
    await archive(quiet, order_id, phase="Completed")


FINISHED = 2000


async def test_a_look_costs_the_same_however_many_orders_have_ended(mongodb_url: str) -> None:
    def document(number: int, **fields: object) -> dict[str, Any]:
        return {"_id": f"o-{number:05}", "barrier": {"namespace": "shop", "epoch": EPOCH}, **fields}

    with own_databases(mongodb_url) as own, MongoClient[dict[str, Any]](mongodb_url) as client:
        native = client[f"{own.database_prefix}order"]
        native["orders"].insert_many(document(n, status="CONFIRMED", saga_ended=True) for n in range(FINISHED))
        native["orders"].insert_many(
            [
                document(FINISHED, status="PENDING"),
                document(FINISHED + 1, status="CONFIRMED", saga_ended=False),
                document(FINISHED + 2, status="CANCELLED", saga_ended=False),
            ]
        )
        mongo = Mongo(mongodb_url)
        database = mongo[f"{own.database_prefix}order"]
        await database["orders"].ensure(INDEXES)
        native.command("profile", 2)
        found = await Orders(database).unended_ids("shop", after="", limit=1000)
        assert found == [f"o-{FINISHED + n:05}" for n in range(3)]
        assert await Orders(database).unended_ids("shop", after=found[0], limit=1) == found[1:2]
        native.command("profile", 0)
        await mongo.close()
        looks = list(native["system.profile"].find({"ns": f"{native.name}.orders"}))
        assert len(looks) == 4
        assert sum(each["keysExamined"] + each["docsExamined"] for each in looks) < 50
