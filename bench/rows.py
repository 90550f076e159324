"""The ways to carry out the same orders that are measured side by side."""

import asyncio
from typing import Any, Protocol

import aiohttp

from bench.apiserver import ApiServer
from bench.calls import ADDRESS, CURRENCY, CUSTOMER, PAUSE_SECONDS, Caller, Order, carry_out
from bench.peers.restate import SERVER, SERVICE
from bench.stacks import Stack
from bench.usage import LOAD
from common.services import SERVICES

BARE, COORDINATOR, RESTATE = "bare", "coordinator", "restate"
RESOURCE, REST = "ours, by resource", "ours, over REST"
OURS = (RESOURCE, REST)
_CALLS = (LOAD, *SERVICES, "mongod")
_KUBERNETES = ("operator", "kube-apiserver", "etcd")
KEEPERS = {RESTATE: (SERVICE, SERVER), RESOURCE: _KUBERNETES, REST: _KUBERNETES}
"""The processes that keep a row's sagas. Bare, nothing is kept, and the coordinator is a part of the load."""
ROLES = (LOAD, *_KUBERNETES, SERVICE, SERVER, *_CALLS[1:])


def roles_of(row: str) -> tuple[str, ...]:
    """The processes that have a part in this row."""
    return (*_CALLS, *KEEPERS.get(row, ()))


class Row(Protocol):
    """One way. Made inside a running event loop; `close` it afterwards."""

    @property
    def repeated(self) -> int:
        """How many calls of the load generator had to be made again so far."""

    async def one(self, order: Order) -> str:
        """Carry out one order; the phase in which it has ended."""

    async def close(self) -> None:
        """Let go of what it holds."""


class Bare:
    """The calls of an order, one after the other: nothing is kept, and nothing recovers."""

    def __init__(self, stack: Stack) -> None:
        self._call = Caller(stack.urls, stack.tokens())

    @property
    def repeated(self) -> int:
        """See `Row`."""
        return self._call.repeated

    async def one(self, order: Order) -> str:
        """See `Row`."""
        return await carry_out(order, self._call.make)

    async def close(self) -> None:
        """See `Row`."""
        await self._call.close()


class ByResource:
    """The resource is created with its finalizer; a watch shows its end."""

    repeated = 0

    def __init__(self, api: ApiServer) -> None:
        self._api = api

    async def one(self, order: Order) -> str:
        """See `Row`."""
        end = await self._api.end_of(order)
        await self._api.create(order)
        return await end

    async def close(self) -> None:
        """See `Row`."""


class OverRest:
    """The order is placed with POST /api/orders, at the catalogue's price; a watch shows the end of its saga."""

    def __init__(self, stack: Stack, api: ApiServer) -> None:
        self._api = api
        self.repeated = 0
        self._http = aiohttp.ClientSession(
            stack.urls["order"],
            headers=stack.as_staff("order"),
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=60),
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def one(self, order: Order) -> str:
        """See `Row`."""
        end = await self._api.end_of(order)
        body = {
            "order_id": order.order_id,
            "customer_id": CUSTOMER,
            "currency": CURRENCY,
            "items": [{"product_id": order.product, "quantity": 1}],
            "payment": {"method_ref": order.method},
            "ship_to": {"address_ref": ADDRESS},
        }
        key = {"Idempotency-Key": order.order_id}
        while not await self._placed(body, key):
            self.repeated += 1
            await asyncio.sleep(PAUSE_SECONDS)
        return await end

    async def _placed(self, body: dict[str, Any], key: dict[str, str]) -> bool:
        """False: not now, the same request may be repeated."""
        async with self._http.post("/api/orders", json=body, headers=key) as answer:
            text = await answer.text()
            if answer.status not in (202, 503):
                raise RuntimeError(f"POST /api/orders was answered {answer.status}: {text}")
            return answer.status == 202

    async def close(self) -> None:
        """See `Row`."""
        await self._http.close()
