"""The load of a run: clients, proxy, relay and a list of the sagas every half second, in an event loop of their own.

The loop runs in a thread beside the main one, which starts and kills the parts and may wait for them.
"""

import asyncio
import contextlib
import time
from collections.abc import Iterator, Sequence
from typing import Final

from common.identity.bearer import Bearers
from common.kube import KubeClient, KubeError, OrderSagas
from common.wire import Json
from dev.chaos.customers import Customers, live_sagas
from dev.chaos.network.calls import CallLog
from dev.chaos.network.http import LoopThread
from dev.chaos.network.proxy import CLIENTS, Proxy
from dev.chaos.network.relay import Relay
from dev.chaos.plan.faults import Fault, FaultKind
from dev.chaos.plan.orders import Order
from dev.chaos.system import NAMESPACE, System

CLIENTS_AT_ONCE: Final = 40
"""Each client waits for its order to end before it places the next. Faults come by the number of placed orders, so they
come no faster than the system works, and at most three or four of them while it stands still.
"""
PATIENCE: Final = 60.0
"""Seconds that a client waits for its order to end before it places the next one all the same."""
LIST_EVERY: Final = 0.5


class Load:
    """Runs the clients of a plan against a system. Use as a context manager, in the main thread."""

    def __init__(self, seed: int, orders: Sequence[Order], system: System) -> None:
        self.log = CallLog()
        self._seed = seed
        self._orders = orders
        self._system = system
        self._thread = LoopThread("chaos load")
        self.call = self._thread.call
        self.placed = 0
        self.live: set[str] = set()
        self._lists = 0
        self.done = True

    def __enter__(self) -> "Load":
        self.call(self._open())
        return self

    def __exit__(self, *error: object) -> None:
        self.call(self._close())
        self._thread.close()

    def begin(self) -> None:
        """Let the clients start; `done` once all of them have finished."""
        self.done = False
        self._thread.begin(self._run())

    def place(self, order: Order) -> None:
        """Place one order, and wait for the answer."""
        self.call(self.customers.buy(order))
        self.placed += 1

    def inject(self, fault: Fault) -> None:
        """Do it now, if it concerns connections; see System.inject for the others."""
        if fault.kind is FaultKind.CUT:
            self._thread.loop.call_soon_threadsafe(self.relay.cut)
        elif fault.kind is FaultKind.FREEZE:
            self._thread.loop.call_soon_threadsafe(self.relay.freeze)

    def calm(self) -> None:
        """Inject no more faults into calls; late deliveries still arrive."""
        self.proxy.injecting = False

    async def live_sagas(self) -> dict[str, Json]:
        """The sagas that have not ended, by name. Raises KubeError."""
        return await live_sagas(self.sagas)

    async def resources(self) -> dict[str, Json]:
        """All of them, by name. Raises KubeError."""
        found: dict[str, Json] = {}
        async for page in self.sagas.list():
            found.update({item["metadata"]["name"]: item for item in page.items})
        return found

    async def _open(self) -> None:
        wiring = self._system.wiring
        self.proxy = Proxy(self._seed, wiring.service_ports, self._system.proxy_ports, self.log)
        await self.proxy.start()
        self.relay = Relay(self._system.relay_port, self._system.apiserver_port)
        await self.relay.start()
        self._client = KubeClient.from_config(self._system.plane.administrator.kubeconfig, user_agent="chaos")
        self.sagas = OrderSagas(self._client, NAMESPACE)
        url = f"http://127.0.0.1:{self._system.proxy_ports[CLIENTS]}"
        self.customers = Customers(self._seed, url, self.sagas, self.log, Bearers(self._system.staff_tokens))
        self._background = {asyncio.create_task(self._keep_listing())}

    async def _close(self) -> None:
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        await self.customers.aclose()
        await self._client.aclose()
        await self.proxy.aclose()
        await self.relay.aclose()

    async def _run(self) -> None:
        waiting = iter(self._orders)
        async with asyncio.TaskGroup() as group:
            for _ in range(CLIENTS_AT_ONCE):
                task = group.create_task(self._client_at_work(waiting))
                self._background.add(task)
        self.done = True

    async def _client_at_work(self, waiting: Iterator[Order]) -> None:
        for order in waiting:
            await self.customers.buy(order)
            self.placed += 1
            lists = self._lists
            await self.customers.act(order)
            until = time.monotonic() + PATIENCE
            while time.monotonic() < until:
                await asyncio.sleep(LIST_EVERY / 2)
                if self._lists > lists + 1 and order.order_id not in self.live:
                    break

    async def _keep_listing(self) -> None:
        while True:
            with contextlib.suppress(KubeError):
                self.live = set(await self.live_sagas())
                self._lists += 1
            await asyncio.sleep(LIST_EVERY)
