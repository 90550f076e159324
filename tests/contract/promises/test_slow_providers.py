"""A provider takes longer than a caller waits: the caller gets 202 and a place to look, and nothing is asked twice."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
import pytest_asyncio

from common.settings import ServiceSettings
from common.web.app import Service
from common.web.dependencies import provide, provided
from services.notification.delivery.outlet import Outlet
from services.notification.main import build as build_notification
from services.notification.store import Contacts, Notifications
from services.notification.testprovider import TestProvider as MessageProvider
from services.payment.main import build as build_payment
from services.payment.store import Payments
from services.payment.testprovider import TestProvider as PaymentProvider
from services.shipping.main import build as build_shipping
from services.shipping.store import Addresses, Shipments
from services.shipping.testprovider import TestProvider as Carrier
from tests.contract.participants import PARTICIPANTS, Participant, ledger_of
from tests.support.order_service import OrderBook
from tests.support.service_client import fresh, own_databases, replicas_of


class Gate:
    """A provider in front of which every call waits until the test lets it through."""

    def __init__(self, provider: Any) -> None:
        self._provider = provider
        self.open = asyncio.Event()

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        async def later(*given: Any) -> Any:
            await self.open.wait()
            return await getattr(self._provider, name)(*given)

        return later


def payment(app: Service) -> tuple[object, Gate]:
    gate = Gate(PaymentProvider(app.database))
    return Payments(app.database, gate, app.errands), gate


def shipping(app: Service) -> tuple[object, Gate]:
    gate = Gate(Carrier(app.database))
    return Shipments(app.database, provided(app, Addresses), gate, app.errands, OrderBook().orders()), gate


def notification(app: Service) -> tuple[object, Gate]:
    gate = Gate(MessageProvider(app.database))
    parts = (app.database, provided(app, Contacts), gate, provided(app, Outlet).wordings, app.errands)
    return Notifications(*parts, delivered_by="test"), gate


BEHIND_A_GATE = {
    "payment": (build_payment, payment),
    "shipping": (build_shipping, shipping),
    "notification": (build_notification, notification),
}
ROWS = [row for row in PARTICIPANTS if row.name in BEHIND_A_GATE]


@dataclass
class Slow:
    """A participant whose provider is behind the gate."""

    participant: Participant
    app: Service
    client: httpx.AsyncClient
    gate: Gate

    async def call(self, direction: str, order_id: str) -> httpx.Response:
        route = self.participant.do if direction == "do" else self.participant.undo
        key = {"Idempotency-Key": route.key(order_id)}
        return await self.client.post(route.path, json=route.body(order_id), headers=key)

    async def slowly(self, direction: str, order_id: str) -> httpx.Response:
        """The call while the gate is shut, and its answer once the gate was opened."""
        self.gate.open.clear()
        answer = await self.call(direction, order_id)
        assert answer.status_code == 202, answer.text
        assert answer.headers["Retry-After"] == "1"
        place = answer.headers["Location"]
        assert (await self.client.get(place)).status_code == 202
        again = await self.call(direction, order_id)
        assert (again.status_code, again.json()["code"]) == (409, "running")
        self.gate.open.set()
        for _ in range(200):
            if (answer := await self.client.get(place)).status_code != 202:
                break
            await asyncio.sleep(0.05)
        assert (await self.call(direction, order_id)).json() == answer.json()
        return answer


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def slow(mongodb_url: str) -> AsyncIterator[list[Slow]]:
    async with AsyncExitStack() as stack:
        settings: ServiceSettings = stack.enter_context(own_databases(mongodb_url, "slow"))
        found = []
        for row in ROWS:
            build, gated = BEHIND_A_GATE[row.name]
            (client,), app = await stack.enter_async_context(replicas_of(build, settings))
            await row.seed(client)
            store, gate = gated(app)
            provide(app, store)
            found.append(Slow(row, app, client, gate))
        yield found


async def test_a_slow_provider_is_202_with_a_place_to_look_and_is_asked_once(slow: list[Slow]) -> None:
    """With every provider at once, since each call waits some seconds for its answer."""

    async def there_and_back(one: Slow) -> None:
        order = fresh("o")
        done = await one.slowly("do", order)
        assert done.status_code == 200, done.text
        assert len(await ledger_of(one.app.database, order)) == 1
        if one.participant.takes_back:
            undone = await one.slowly("undo", order)
            assert (undone.status_code, undone.json()["effect"]) == (200, "undone")
            assert len(await ledger_of(one.app.database, order)) == 2

    await asyncio.gather(*(there_and_back(one) for one in slow))


async def test_a_call_that_a_restart_cut_off_is_asked_for_again(slow: list[Slow]) -> None:
    """The lease of the claim outlives the process: until it ends others wait, then the next call takes it over."""

    async def cut_off(one: Slow) -> None:
        order = fresh("o")
        one.gate.open.clear()
        answer = await one.call("do", order)
        assert answer.status_code == 202
        await one.app.errands.finish(0)
        one.gate.open.set()
        place = answer.headers["Location"]
        documents = one.app.database[one.participant.collection]
        where = {"_id": one.participant.document_id(order)}
        over = {"barrier.operations.do.until": one.app.database.now() - timedelta(minutes=1)}
        assert await documents.update(where, {"$set": over, "$inc": {"barrier.version": 1}})
        lost = await one.client.get(place)
        assert (lost.status_code, lost.json()["code"]) == (503, "unavailable")
        assert (await one.call("do", order)).status_code == 200
        assert (await one.client.get(place)).status_code == 200
        assert len(await ledger_of(one.app.database, order)) == 1

    await asyncio.gather(*(cut_off(one) for one in slow))
