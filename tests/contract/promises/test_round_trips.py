"""How often each call of an order asks the database, as docs/participants.md has it: its table is the claim."""

import itertools
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from pymongo import AsyncMongoClient
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

from common.settings import ServiceSettings
from ordersaga.conformance.subject import Route
from tests.contract.participants import CONFIRMATION, INVENTORY, NOTIFICATION, ORDER, PAYMENT, SHIPPING, Participant
from tests.support.service_client import fresh, own_databases, replicas_of

PAGE = Path(__file__).parents[3] / "docs" / "participants.md"
_ROW = re.compile(r"\| `(/api/[a-z/]+)` \| (\d+) \| (.*) \|")
_TRIP = re.compile(r"`((?:find|insert|update) [a-z]+|commit)`")
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

    monkeypatch.setattr("common.mongo.client.AsyncMongoClient", client)
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


def test_the_page_has_every_call_of_an_order() -> None:
    calls = {participant.do.path for participant in PARTICIPANTS}
    undos = {participant.undo.path for participant in PARTICIPANTS if participant is not NOTIFICATION}
    assert set(documented()) == calls | undos
