"""What the chart runs besides the services: the hook before an uninstallation, and the database's replica set."""

import asyncio
import json
import threading
import time
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pymongo import MongoClient

from common import replicaset
from common.kube import KubeClient, OrderSagas
from common.mongo import Mongo, PyMongoError, Session
from common.order_saga import FINALIZER
from common.wire import Json
from dev.setup.binaries import find
from dev.stack.processes import Process, free_port, is_listening, wait_ready
from dev.stack.pytest_plugin import TestControlPlane
from ordersaga.drain import OpenOrder, advice, drained
from tests.support import asking
from tests.support.samples import ended, order


@pytest.fixture
async def sagas(control_plane: TestControlPlane) -> AsyncIterator[OrderSagas]:
    """The orders of a namespace of its own, where no operator works."""
    namespace = f"drain-{uuid.uuid4().hex[:8]}"
    made = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
    control_plane.kubectl("create", "-f", "-", input=json.dumps(made))
    async with KubeClient.from_config(control_plane.kubeconfig, user_agent="test") as client:
        yield OrderSagas(client, namespace)


async def place(sagas: OrderSagas, name: str, phase: str | None = None, *, finalizer: bool = True) -> Json:
    """Create an order in that phase, with or without our finalizer."""
    saga = await sagas.create(order(name, finalizers=(FINALIZER,) if finalizer else ()))
    if phase == "Completed":
        saga = await recorded(sagas, saga, ended(phase))
    elif phase:
        saga = await recorded(sagas, saga, {"phase": phase, "currentStep": "payment"})
    return saga


async def recorded(sagas: OrderSagas, saga: Json, status: Json) -> Json:
    metadata = saga["metadata"]
    return await sagas.replace_status(metadata["name"], metadata["uid"], metadata["resourceVersion"], status)


async def test_nothing_is_waited_for_where_every_order_has_ended(sagas: OrderSagas) -> None:
    await place(sagas, "o-done", "Completed", finalizer=False)
    assert await drained(sagas, seconds=30) == []


async def test_an_order_that_ends_meanwhile_is_waited_for_until_its_finalizer_is_gone(sagas: OrderSagas) -> None:
    saga = await place(sagas, "o-running", "Running")
    waiting = asyncio.create_task(drained(sagas, seconds=60))
    await asyncio.sleep(0.3)
    await recorded(sagas, saga, ended("Completed"))
    await asyncio.sleep(1.3)
    assert not waiting.done(), "its finalizer would keep it from being deleted"
    await sagas.patch("o-running", {"metadata": {"finalizers": []}})
    assert await waiting == []


async def test_an_order_that_does_not_end_is_named_when_the_time_is_over(sagas: OrderSagas) -> None:
    await place(sagas, "o-new", finalizer=False)
    await place(sagas, "o-stays", "Compensating")
    left = await drained(sagas, seconds=0.2)
    assert left == [
        OpenOrder("o-new", "Pending", "-", deleting=False),
        OpenOrder("o-stays", "Compensating", "payment", deleting=False),
    ]


async def test_what_only_a_person_can_end_is_not_waited_for(sagas: OrderSagas) -> None:
    await place(sagas, "o-failed", "Failed")
    await place(sagas, "o-suspended", "Suspended")
    started = time.monotonic()
    left = await drained(sagas, seconds=60)
    assert [order.name for order in left] == ["o-failed", "o-suspended"]
    assert time.monotonic() - started < 30


def test_the_advice_names_orders_and_says_how_to_let_them_go() -> None:
    left = [OpenOrder(f"o-{number}", "Running", "payment", deleting=False) for number in range(25)]
    text = advice(left, namespace="shop", release="e-commerce-saga")
    assert "events.sink" not in text
    untold = OpenOrder("o-untold", "Completed", "-", deleting=False)
    assert "events.sink" in advice([*left, untold], namespace="shop", release="e-commerce-saga")
    assert "25 orders are still open in namespace shop" in text
    assert "o-19  Running  payment" in text
    assert "and 5 more" in text
    assert "helm uninstall e-commerce-saga -n shop --no-hooks" in text
    assert """patch ordersaga o-0 --type=merge -p '{"metadata":{"finalizers":null}}'""" in text


def test_an_empty_mongod_becomes_a_replica_set_and_again_when_it_lost_everything(tmp_path: Path) -> None:
    port, health, stopped = free_port(), free_port(), threading.Event()
    url = f"mongodb://127.0.0.1:{port}/?directConnection=true"
    settings = replicaset.ReplicaSetSettings(mongodb_url=url, health_port=health)
    keeper = threading.Thread(target=replicaset.keep, args=(settings, stopped))
    keeper.start()
    try:
        for life in ("first", "second"):
            mongod = _mongod(tmp_path / life, port)
            mongod.start()
            try:
                wait_ready([mongod])
                _until(200, health)
                with MongoClient[Json](url) as client, client.start_session() as session, session.start_transaction():
                    client.test.things.insert_one({"of": "a transaction"}, session=session)
            finally:
                mongod.kill()
            if life == "first":
                _until(503, health)
    finally:
        stopped.set()
        keeper.join()


@pytest.mark.parametrize("driver", ["pymongo", "motor"])
async def test_a_client_that_connected_before_there_was_a_replica_set_has_transactions_after_it(
    tmp_path: Path, driver: str
) -> None:
    port = free_port()
    url = f"mongodb://127.0.0.1:{port}/?directConnection=true"
    mongod = _mongod(tmp_path, port)
    mongod.start()
    mongo = Mongo(url, driver=driver)
    things = mongo["test"]["things"]

    async def put(session: Session) -> None:
        await things.insert({"of": "a transaction"}, session=session)

    try:
        await asyncio.to_thread(wait_ready, [mongod])
        assert "no transactions" in str(await mongo.why_not_ready())
        with pytest.raises(PyMongoError):
            await mongo.transaction(put)
        await asyncio.to_thread(_form, url)
        assert await mongo.why_not_ready() is None
        await asyncio.gather(*(mongo.transaction(put) for _ in range(5)))
        assert await things.count({}) == 5
    finally:
        await mongo.close()
        mongod.kill()


def _form(url: str) -> None:
    with MongoClient[Json](url) as client:
        while not replicaset.ensure_primary(client):
            time.sleep(0.1)


def _mongod(folder: Path, port: int) -> Process:
    data = folder / "data"
    data.mkdir(parents=True)
    options = [*("--dbpath", data, "--port", str(port), "--bind_ip", "127.0.0.1", "--nounixsocket")]
    return Process(
        "mongod",
        [find("mongod"), *options, "--replSet", replicaset.NAME, "--wiredTigerCacheSizeGB", "0.25"],
        log=folder / "mongod.log",
        ready=lambda: is_listening(port),
    )


def _until(status: int, port: int) -> None:
    """Wait until the keeper answers with that status; AssertionError if it doesn't within a minute."""
    deadline = time.monotonic() + 60
    while (answered := asking.get(f"http://127.0.0.1:{port}/").status_code) != status:
        assert time.monotonic() < deadline, answered
        time.sleep(0.1)
