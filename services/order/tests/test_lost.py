"""Open orders whose OrderSaga has vanished get it back. No operator works on them here."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry

from common.background import Rounds
from common.errors import Unavailable
from common.mongo import Mongo
from common.settings import ServiceSettings
from dev.stack.pytest_plugin import TestControlPlane
from services.order import lost
from services.order.lost import LostSagas
from services.order.tests.conftest import Cluster, Saga, Serve, served
from services.order.tests.losing import EPOCH, archive, lost_order, metric
from services.order.tests.test_clients import place

NewId = Callable[[], str]


async def test_an_open_order_gets_the_same_resource_back(
    quiet: httpx.AsyncClient, serve: Serve, cluster: Cluster, new_id: NewId
) -> None:
    order_id = new_id()
    before = await lost_order(quiet, cluster, order_id, "create")
    async with serve() as shop:
        after = await cluster.given_back(order_id)
        assert after["spec"] == before["spec"]
        assert after["metadata"]["finalizers"] == ["ordersaga.io/compensation"]
        assert "ordersaga.io/restored" in after["metadata"]["annotations"]
        await metric(shop, "ordersaga_sagas_restored_total", 1)
        assert (await shop.get(f"/api/orders/{order_id}")).json()["saga"]["phase"] == "Pending"


async def test_an_order_that_was_being_rolled_back_goes_on_being_rolled_back(
    quiet: httpx.AsyncClient, serve: Serve, cluster: Cluster, new_id: NewId
) -> None:
    order_id = new_id()
    await lost_order(quiet, cluster, order_id, "create", "reject")
    async with serve():
        assert (await cluster.given_back(order_id))["spec"]["state"] == "Cancelled"


async def test_replicas_that_look_at_once_make_one_resource(
    quiet: httpx.AsyncClient, serve: Serve, cluster: Cluster, new_id: NewId
) -> None:
    order_ids = [new_id() for _ in range(5)]
    for order_id in order_ids:
        await lost_order(quiet, cluster, order_id, "create")
    async with serve(), serve() as other:
        uids = [(await cluster.given_back(order_id))["metadata"]["uid"] for order_id in order_ids]
        last = new_id()
        await lost_order(quiet, cluster, last, "create")
        await cluster.given_back(last)  # both have looked again since
        assert [(await cluster.given_back(order_id))["metadata"]["uid"] for order_id in order_ids] == uids
        assert (await other.get("/ready")).status_code == 200


async def test_what_has_ended_and_what_no_operator_has_worked_on_stays_as_it_is(
    quiet: httpx.AsyncClient, serve: Serve, cluster: Cluster, new_id: NewId
) -> None:
    confirmed, cancelled, strange, last = new_id(), new_id(), new_id(), new_id()
    await lost_order(quiet, cluster, confirmed, "create", "confirm")
    await archive(quiet, confirmed, phase="Completed")
    await lost_order(quiet, cluster, cancelled, "create", "reject", "cancel")
    await archive(quiet, cancelled, phase="Compensated")
    await lost_order(quiet, cluster, strange, "create", epoch=None)
    async with serve() as shop:
        await lost_order(quiet, cluster, last, "create")
        await cluster.given_back(last)
        await metric(shop, "ordersaga_orders_without_saga", 1)
        assert [cluster.found(each) for each in (confirmed, cancelled, strange)] == [None] * 3


async def test_an_order_that_cannot_be_read_delays_no_other(
    quiet: httpx.AsyncClient, serve: Serve, cluster: Cluster, new_id: NewId, settings: ServiceSettings
) -> None:
    poisoned, sound = sorted((new_id(), new_id()))
    for order_id in (poisoned, sound):
        await lost_order(quiet, cluster, order_id, "create")
    mongo = Mongo(settings.mongodb_url)
    orders = mongo[f"{settings.database_prefix}order"]["orders"]
    await orders.update({"_id": poisoned}, {"$set": {"items": "a line"}})
    async with serve():
        await cluster.given_back(sound)
    await orders.delete({"_id": poisoned})
    await mongo.close()


async def test_a_setting_makes_that_a_cancel(
    quiet: httpx.AsyncClient, serve: Serve, cluster: Cluster, new_id: NewId
) -> None:
    order_id = new_id()
    await lost_order(quiet, cluster, order_id, "create")
    async with serve(lost_sagas="cancel") as shop:
        assert (await cluster.given_back(order_id))["spec"]["state"] == "Cancelled"
        assert (await shop.get(f"/api/orders/{order_id}")).json()["status"] == "CANCELLING"


async def test_or_a_report(quiet: httpx.AsyncClient, serve: Serve, cluster: Cluster, new_id: NewId) -> None:
    order_id = new_id()
    await lost_order(quiet, cluster, order_id, "create")
    async with serve(lost_sagas="report") as shop:
        await metric(shop, "ordersaga_orders_without_saga", 1)
        assert cluster.found(order_id) is None


async def test_a_client_s_cancel_gives_the_order_its_resource_back(
    quiet: httpx.AsyncClient, cluster: Cluster, new_id: NewId
) -> None:
    order_id = new_id()
    await lost_order(quiet, cluster, order_id, "create")
    for _ in range(2):
        cancelled = await quiet.post(f"/api/orders/{order_id}/cancel")
        assert (cancelled.status_code, cancelled.json()["status"]) == (202, "CANCELLING")
        assert cancelled.json()["saga"] == {"namespace": "shop", "name": order_id, "phase": "Pending"}
    found = cluster.found(order_id)
    assert found is not None
    assert found["spec"]["state"] == "Cancelled"


async def until(done: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(60):
        while not await done():  # noqa: ASYNC110 - the API server sets no event of ours
            await asyncio.sleep(0.1)


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Path:
    return tmp_path / "kubeconfig"


async def test_the_look_waits_for_the_api_server(
    *,
    quiet: httpx.AsyncClient,
    serve: Serve,
    cluster: Cluster,
    new_id: NewId,
    kubeconfig: Path,
    control_plane: TestControlPlane,
) -> None:
    order_id = new_id()
    await lost_order(quiet, cluster, order_id, "create")
    async with serve(kubeconfig=kubeconfig) as shop:
        assert (await shop.get(f"/api/orders/{order_id}")).json()["saga"]["phase"] == "Unknown"
        shutil.copy(control_plane.identity("order-service"), kubeconfig)
        await cluster.given_back(order_id)


@pytest.mark.parametrize("crashed", [False, True], ids=["by the same process", "by the next one"])
async def test_a_cancel_reaches_the_saga_later(
    *,
    quiet: httpx.AsyncClient,
    serve: Serve,
    cluster: Cluster,
    new_id: NewId,
    kubeconfig: Path,
    control_plane: TestControlPlane,
    crashed: bool,
) -> None:
    order_id = new_id()
    await place(quiet, order_id=order_id)
    await Saga(quiet, order_id)("create", epoch=EPOCH)

    async def asked() -> bool:
        found = cluster.found(order_id)
        return found is not None and found["spec"]["state"] == "Cancelled"

    async with serve(kubeconfig=kubeconfig, lost_sagas_seconds=3600) as shop:
        assert (await shop.post(f"/api/orders/{order_id}/cancel")).status_code == 503
        assert not await asked()
        if not crashed:
            shutil.copy(control_plane.identity("order-service"), kubeconfig)
            await until(asked)
    if crashed:
        async with serve():
            await until(asked)
    closed = await Saga(quiet, order_id)("cancel", reason="compensated")  # what the saga has seen
    assert closed.json()["reason"] == "cancelled", "the client's is the first reason"


async def test_a_cancel_that_the_api_server_refuses_keeps_no_other_from_being_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lost, "CANCEL_AGAIN_SECONDS", 0.0)
    refused, odd, good = "o-1", "o-2", ("o-3", "o-4")
    told, all_told = list[str](), asyncio.Event()

    async def cancel(order_id: str, *, client: str) -> None:
        if order_id == refused:
            raise Unavailable("a policy is against this order")
        if order_id == odd:
            raise ZeroDivisionError("a defect that this order alone meets")
        assert client == "web"
        told.append(order_id)
        if set(told) == set(good):
            all_told.set()

    sagas: Any = SimpleNamespace(cancel=cancel, namespace="shop")
    none: Any = None
    sagas_lost = LostSagas(none, none, sagas, mode="restore", seconds=60, registry=CollectorRegistry())
    for order_id in (refused, odd, *good):
        sagas_lost.cancel_again(order_id, client="web")
    telling = asyncio.create_task(sagas_lost.keep_cancelling(Rounds()))
    await asyncio.wait_for(all_told.wait(), 20)
    telling.cancel()
    assert sorted(told) == sorted(good)


async def test_a_search_that_fails_is_seen_by_whoever_looks_and_takes_nobody_their_answers(
    settings: ServiceSettings, tmp_path: Path, new_id: NewId
) -> None:
    search = "looking for lost OrderSagas"
    async with served(settings, kubeconfig=tmp_path / "none", lost_sagas_seconds=0.1) as shop:
        assert (await Saga(shop, new_id())("create", epoch=EPOCH)).status_code == 200
        async with asyncio.timeout(60):
            while (health := (await shop.get("/health")).json())["background"][search]["state"] != "failing":  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert health["status"] == "degraded"
        assert health["background"][search]["failing_since"]
        assert "API server" in health["background"][search]["why"]
        await metric(shop, f'ordersaga_background_failing_seconds{{service="order",work="{search}"}}', 0.001)
        assert (await shop.get("/health")).status_code == 200, "a new process would be none the wiser"
        assert (await shop.get("/ready")).status_code == 200, "it answers as well as ever"
