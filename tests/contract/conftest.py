"""Each participant in-process, as two replicas on one real MongoDB."""

import os
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field

import httpx
import pytest
import pytest_asyncio

from common.mongo import Database
from common.settings import ServiceSettings
from common.wire import Json
from ordersaga.conformance.promises import Promise
from ordersaga.conformance.subject import Route, Subject
from tests.contract.participants import PARTICIPANTS, Participant, ledger_of
from tests.contract.tally import Tally
from tests.support.service_client import fresh, replicas_of

DRIVERS = ("pymongo", "motor")
"""ORDERSAGA_MONGODB_DRIVER: the default, and motor, which is at its end of life and passes the same suite."""
STAGES = [(row, driver) for row in PARTICIPANTS for driver in DRIVERS]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A promise that isn't about a participant isn't tried there: what was sent can't be taken back."""
    pointless = []
    for item in items:
        given = getattr(getattr(item, "callspec", None), "params", {})
        if isinstance(given.get("promise"), Promise) and given["promise"].why_not(given["stage"][0].subject()):
            pointless.append(item)
    config.hook.pytest_deselected(items=pointless)
    items[:] = [item for item in items if item not in pointless]


@dataclass
class Stage:
    """A participant on stage: two replicas, and the database that they share."""

    participant: Participant
    driver: str
    replicas: tuple[httpx.AsyncClient, ...]
    database: Database
    _turn: int = field(default=0)

    async def call(  # the replicas take turns
        self, route: Route, order_id: str, *, body: Json | None = None, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        self._turn += 1
        client = self.replicas[self._turn % len(self.replicas)]
        given = {"Idempotency-Key": route.key(order_id), **(headers or {})}
        return await client.post(route.path, json=body or route.body(order_id), headers=given)

    async def do(self, order_id: str, **options: object) -> httpx.Response:
        return await self.call(self.participant.do, order_id, **options)  # type: ignore[arg-type]

    async def undo(self, order_id: str, **options: object) -> httpx.Response:
        return await self.call(self.participant.undo, order_id, **options)  # type: ignore[arg-type]

    async def is_live(self, order_id: str) -> bool:
        found = await self.database[self.participant.collection].find_one(
            {"_id": self.participant.document_id(order_id), "status": {"$exists": True}}
        )
        return found is not None and self.participant.live(found)

    async def ledger(self, order_id: str) -> list[str]:
        return await ledger_of(self.database, order_id)

    async def prepare(self, order_id: str) -> None:
        assert self.participant.before is not None
        await self.call(self.participant.before, order_id)

    @property
    def subject(self) -> Subject:
        """The participant as the conformance kit wants to know it."""
        return self.participant.subject(self.prepare, self.is_live, self.ledger)


@pytest_asyncio.fixture(
    scope="session",
    loop_scope="session",
    params=STAGES,
    ids=lambda param: f"{param[0].name}-{param[1]}",
)
async def stage(request: pytest.FixtureRequest, mongodb_url: str) -> AsyncIterator[Stage]:
    participant, driver = request.param
    settings = ServiceSettings(
        mongodb_url=mongodb_url,
        mongodb_driver=driver,
        database_prefix=f"contract_{uuid.uuid4().hex[:8]}_",
        log_level="ERROR",
    )
    async with replicas_of(participant.build, settings, 2) as (clients, app):
        await participant.seed(clients[0])
        yield Stage(participant, driver, tuple(clients), app.database)
        await app.mongo.drop(f"{settings.database_prefix}{participant.database}")


@pytest.fixture
def returning(stage: Stage) -> Stage:
    """The same, for participants whose undo takes back what happened."""
    if not stage.participant.takes_back:
        pytest.skip(f"what {stage.participant.name} has done can't be taken back")
    return stage


@pytest.fixture
def order_id() -> str:
    return fresh("o")


@pytest.fixture(scope="session")
def tally() -> Iterator[Tally]:
    """Of all fuzzers. `make fuzz` shows it at the end, and fails if it asked for more requests than were made."""
    tally = Tally()
    yield tally
    if wanted := int(os.environ.get("ORDERSAGA_FUZZ_REQUESTS", "0")):
        print(f"\n{tally}")
        assert tally.total >= wanted, f"{tally.total} requests were made, {wanted} were asked for"
