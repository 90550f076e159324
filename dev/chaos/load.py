"""The load of a run: clients, proxy and a look at the sagas now and then, in an event loop of their own.

In a thread beside the main one, which starts and strikes the parts and may wait for them.
"""

import asyncio
import contextlib
import time
from collections.abc import Iterator, Sequence
from typing import Any, Final

from common.kube import KubeClient, KubeError, OrderSagas
from common.wire import Json
from dev.chaos.customers import Customers, live_sagas
from dev.chaos.network.calls import History
from dev.chaos.network.http import LoopThread
from dev.chaos.network.proxy import CLIENTS, Proxy
from dev.chaos.network.relay import Relay
from dev.chaos.plan.faults import Blow, Strike
from dev.chaos.plan.orders import Order
from dev.chaos.system import NAMESPACE, System

CLIENTS_AT_ONCE: Final = 40
"""Each client waits for its order to end before it places the next: so strikes, which go by orders placed, come no
faster than the system gets on with its work, and at most three or four of them come while it stands still.
"""
PATIENCE: Final = 60.0
"""Seconds; a client that has waited for so long orders something else."""
LOOK_EVERY: Final = 0.5


class Load:
    """Runs the clients of a plan against a system. Use as a context manager, in the main thread."""

    def __init__(self, seed: int, orders: Sequence[Order], system: System) -> None:
        self.history = History()
        self._seed = seed
        self._orders = orders
        self._system = system
        self._thread = LoopThread("chaos load")
        self.call = self._thread.call
        self.placed = 0
        self.live: set[str] = set()
        self._looks = 0
        self.done = False

    def __enter__(self) -> "Load":
        self.call(self._open())
        return self

    def __exit__(self, *error: object) -> None:
        self.call(self._close())
        self._thread.close()

    def begin(self) -> None:
        """Let the clients in."""
        self._thread.begin(self._run())

    def strike(self, strike: Strike) -> None:
        """Do it now, if it is about connections."""
        if strike.blow is Blow.CUT:
            self._thread.loop.call_soon_threadsafe(self.relay.cut)
        elif strike.blow is Blow.FREEZE:
            self._thread.loop.call_soon_threadsafe(self.relay.freeze)

    def calm(self) -> None:
        """No more disturbances (what is under way arrives)."""
        self.proxy.disturbing = False

    @property
    def promises(self) -> dict[str, Any]:
        """What the customers were told, by order id."""
        return self.customers.promises

    async def look(self) -> dict[str, Json]:
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
        self.proxy = Proxy(self._seed, wiring.service_ports, self._system.proxy_ports, self.history)
        await self.proxy.start()
        self.relay = Relay(self._system.relay_port, self._system.apiserver_port)
        await self.relay.start()
        self._client = KubeClient.from_config(self._system.plane.administrator.kubeconfig, user_agent="chaos")
        self.sagas = OrderSagas(self._client, NAMESPACE)
        url = f"http://127.0.0.1:{self._system.proxy_ports[CLIENTS]}"
        self.customers = Customers(self._seed, url, self.sagas, self.history)
        self._background = {asyncio.create_task(self._keep_looking())}

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
            looks = self._looks
            await self.customers.meddle(order)
            until = time.monotonic() + PATIENCE
            while time.monotonic() < until:
                await asyncio.sleep(LOOK_EVERY / 2)
                if self._looks > looks + 1 and order.order_id not in self.live:
                    break

    async def _keep_looking(self) -> None:
        while True:
            with contextlib.suppress(KubeError):
                self.live = set(await self.look())
                self._looks += 1
            await asyncio.sleep(LOOK_EVERY)
