"""How often each call of an order asks the database, as docs/participants.md has it: its table is the claim."""

import asyncio
import itertools
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from pymongo import AsyncMongoClient
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

from common.kube import KubeClient
from common.settings import ServiceSettings
from common.wire import Json
from dev.stack.pytest_plugin import TestControlPlane
from ordersaga.conformance.subject import Route
from services.order.main import build as build_order
from services.order.settings import OrderSettings
from tests.contract.answers.test_placing_with_other_services import listening
from tests.contract.participants import CONFIRMATION, INVENTORY, NOTIFICATION, ORDER, PAYMENT, SHIPPING, Participant
from tests.support.service_client import fresh, own_databases, replicas_of

PAGE = Path(__file__).parents[3] / "docs" / "participants.md"
_ROW = re.compile(r"\| `(/api/[a-z/]+)` \| (\d+) \| (.*) \|")
_PLACING = re.compile(r"\| ((?:with|the same) [a-z, ]+) \| (.*) \| (.*) \|")
_TRIP = re.compile(r"`((?:find|findAndModify|insert|update) [a-z]+|commit)`")
_METHOD = re.compile(r"`([A-Z]+)`")
PARTICIPANTS = (ORDER, INVENTORY, PAYMENT, SHIPPING, CONFIRMATION, NOTIFICATION)


def documented() -> dict[str, list[str]]:
    """The round trips of each path; the number in the row is how many there are."""
    rows = _ROW.findall(PAGE.read_text())
    trips = {path: _TRIP.findall(why) for path, _, why in rows}
    assert {path: len(named) for path, named in trips.items()} == {path: int(number) for path, number, _ in rows}
    return trips


class Trips(CommandListener):
    """Every command of our clients about documents."""

    def __init__(self) -> None:
        self.made: list[str] = []

    def started(self, event: CommandStartedEvent) -> None:
        name = event.command_name
        if name in ("find", "insert", "update", "delete", "aggregate", "getMore", "findAndModify", "count"):
            self.made.append(f"{name} {event.command[name]}")
        elif name in ("commitTransaction", "abortTransaction"):
            self.made.append(name.removesuffix("Transaction"))

    def succeeded(self, event: CommandSucceededEvent) -> None:
        pass

    def failed(self, event: CommandFailedEvent) -> None:
        pass


@pytest.fixture
def trips(monkeypatch: pytest.MonkeyPatch) -> Trips:
    trips = Trips()

    def client(url: str, **options: Any) -> Any:
        return AsyncMongoClient(url, **{**options, "event_listeners": [*options["event_listeners"], trips]})

    monkeypatch.setattr("common.mongo.clients.AsyncMongoClient", client)
    return trips


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def settings(mongodb_url: str) -> AsyncIterator[ServiceSettings]:
    with own_databases(mongodb_url, "trips") as settings:
        yield settings


@pytest.mark.parametrize("participant", PARTICIPANTS, ids=lambda participant: participant.name)
async def test_a_call_asks_the_database_as_often_as_the_page_says(
    participant: Participant, settings: ServiceSettings, trips: Trips
) -> None:
    claimed = documented()
    async with replicas_of(participant.build, settings) as ((client,), _):
        await participant.seed(client)

        async def made_by(route: Route, order_id: str, epoch: int) -> list[str]:
            trips.made.clear()
            headers = {"Idempotency-Key": route.key(order_id), "Saga-Epoch": str(epoch)}
            answer = await client.post(route.path, json=route.body(order_id), headers=headers)
            assert answer.status_code == 200, answer.text
            # Another task of the service may look for what waits for a settlement.
            return [trip for trip in trips.made if trip != "find waiting"]

        epochs = itertools.count(10**12)
        for turn in range(2):  # the first one makes collections
            order_id = fresh("o")
            if participant.before is not None:
                await made_by(participant.before, order_id, next(epochs))
            made = await made_by(participant.do, order_id, next(epochs))
            if turn:
                assert made == claimed.pop(participant.do.path)
            if participant.takes_back:
                made = await made_by(participant.undo, order_id, next(epochs))
                if turn:
                    assert made == claimed[participant.undo.path]
        if participant is CONFIRMATION:
            order_id = fresh("o")
            await made_by(ORDER.do, order_id, next(epochs))
            assert await made_by(participant.undo, order_id, next(epochs)) == claimed[participant.undo.path]


PLACED: Json = {
    "customer_id": "c-17",
    "currency": "EUR",
    "items": [{"product_id": "p-mug", "quantity": 2}],
    "payment": {"method_ref": "test-ok"},
    "ship_to": {"address_ref": "a-17"},
}
OWN = {"address": {"name": "Ada", "street": "Lane 1", "city": "Berlin", "postal_code": "10115", "country": "DE"}}


@pytest_asyncio.fixture(loop_scope="session")
async def shop(
    settings: ServiceSettings, trips: Trips, control_plane: TestControlPlane
) -> AsyncIterator[httpx.AsyncClient]:
    """The order service, with those that it asks."""
    async with AsyncExitStack() as stack:
        inventory = await stack.enter_async_context(listening(INVENTORY.build(settings)))
        shipping = await stack.enter_async_context(listening(SHIPPING.build(settings)))
        await INVENTORY.seed(await stack.enter_async_context(httpx.AsyncClient(base_url=inventory)))
        own = OrderSettings(
            **settings.model_dump(exclude={"kubeconfig"}),
            kubeconfig=control_plane.identity("order-service"),
            inventory_url=inventory,
            shipping_url=shipping,
            lost_sagas_seconds=3600,
        )
        (clients, _) = await stack.enter_async_context(replicas_of(build_order, own))
        yield clients[0]


async def test_an_order_is_placed_with_as_few_round_trips_as_the_page_says(
    shop: httpx.AsyncClient, trips: Trips, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    send = KubeClient.request

    async def request(self: KubeClient, method: str, path: str, **options: Any) -> Json:
        asked.append(method)
        return await send(self, method, path, **options)

    monkeypatch.setattr(KubeClient, "request", request)
    for turn in range(2):  # the first one makes collections
        key = {"Idempotency-Key": fresh("key")}
        made = {}
        for kind, headers, change in (
            ("with a key", key, {}),
            ("with a key and an id", {"Idempotency-Key": fresh("key")}, {"order_id": fresh("o")}),
            ("with an id", {}, {"order_id": fresh("o")}),
            ("with a key, and its own address", {"Idempotency-Key": fresh("key")}, {"ship_to": OWN}),
            ("with an id, and its own address", {}, {"order_id": fresh("o"), "ship_to": OWN}),
            ("the same key again", key, {}),
        ):
            trips.made.clear()
            asked.clear()
            answer = await shop.post("/api/orders", json=PLACED | change, headers=headers)
            assert answer.status_code == 202, answer.text
            made[kind] = (list(trips.made), list(asked))
        if turn:
            rows = _PLACING.findall(PAGE.read_text())
            assert made == {kind: (_TRIP.findall(trips), _METHOD.findall(api)) for kind, trips, api in rows}


async def test_reservations_at_the_same_time_share_their_round_trips(settings: ServiceSettings, trips: Trips) -> None:
    async with replicas_of(INVENTORY.build, settings) as ((client,), _):
        products = [fresh("p") for _ in range(4)]
        for product in products:
            body = {"name": "A thing", "stock": 1000, "price_minor": 100, "currency": "EUR"}
            assert (await client.put(f"/api/inventory/{product}", json=body)).status_code == 200

        async def reserve(product: str) -> int:
            order_id = fresh("o")
            items = [{"product_id": product, "quantity": 1, "unit_price_minor": 100}]
            body = {"order_id": order_id, "currency": "EUR", "items": items}
            headers = {"Idempotency-Key": INVENTORY.do.key(order_id)}
            return (await client.post(INVENTORY.do.path, json=body, headers=headers)).status_code

        trips.made.clear()
        assert set(await asyncio.gather(*(reserve(product) for product in products * 16))) == {200}
        # The first one goes alone, and the others while it is under way: 64 in a handful of transactions.
        assert trips.made.count("commit") <= 8, trips.made
        for product in products:
            assert (await client.get(f"/api/inventory/{product}")).json()["reserved"] == 16


def test_the_page_has_every_call_of_an_order() -> None:
    calls = {participant.do.path for participant in PARTICIPANTS}
    undos = {participant.undo.path for participant in PARTICIPANTS if participant is not NOTIFICATION}
    assert set(documented()) == calls | undos
