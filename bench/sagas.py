"""Orders bare and as sagas, side by side on a running local stack: `python bench/sagas.py --help`."""

import argparse
import asyncio
import itertools
import json
import statistics
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from common.kube import KubeClient, OrderSagas
from common.kube.config import load_access
from common.order_saga import FINALIZER
from saga_operator.process.order import Order
from saga_operator.process.steps import ORDER_SAGA, idempotency_key, request_body
from saga_operator.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
NUMBERS = itertools.count()
"""Of the orders, over all rounds: a name can be used once, and a repeated call would be answered from the store."""
PRODUCTS = 200
"""Orders are spread over this many products: with a single one, the bench would measure the queue for it."""


@dataclass(frozen=True)
class Round:
    """One round: completed orders per second, and the median duration of an order in seconds."""

    rate: float
    median: float


def order(settings: Settings, name: str, number: int) -> Order:
    """An order that completes."""
    spec = {
        "orderID": name,
        "customerID": "c-17",
        "currency": "EUR",
        "items": [{"productID": f"p-bench-{number % PRODUCTS}", "quantity": 1, "unitPriceMinor": 100}],
        "payment": {"methodRef": "test-ok"},
        "shipTo": {"addressRef": "a-17"},
    }
    return Order.from_spec(settings.namespace, spec)


async def measure(work: Callable[[int], Awaitable[None]], *, in_flight: int, seconds: float) -> Round:
    """Work in a closed loop: `in_flight` orders at a time, for this many seconds."""
    taken: list[float] = []
    until = time.monotonic() + seconds

    async def client() -> None:
        while time.monotonic() < until:
            started = time.monotonic()
            await work(next(NUMBERS))
            taken.append(time.monotonic() - started)

    started = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for _ in range(in_flight):
            group.create_task(client())
    return Round(len(taken) / (time.monotonic() - started), statistics.median(taken))


class Bare:
    """The six calls of an order, one after the other, with the HTTP client that the operator uses."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._run = uuid.uuid4().hex[:8]
        self._clients = {
            step.participant: httpx.AsyncClient(
                transport=AiohttpTransport(
                    client=lambda: aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=256))
                ),
                base_url=settings.url_of(step.participant),
            )
            for step in ORDER_SAGA
        }

    async def one(self, number: int) -> None:
        """Carry out one order."""
        wanted = order(self._settings, f"b-{self._run}-{number}", number)
        for step in ORDER_SAGA:
            body = request_body(step, undo=False, order=wanted)
            key = idempotency_key(step, undo=False, order=wanted)
            answer = await self._clients[step.participant].post(step.do, json=body, headers={"Idempotency-Key": key})
            answer.raise_for_status()


class Watched:
    """Sagas: create the resource, and wait until the watch shows it Completed."""

    def __init__(self, settings: Settings, kubeconfig: Path) -> None:
        self._settings = settings
        self._run = uuid.uuid4().hex[:8]
        self._client = KubeClient.from_config(kubeconfig, user_agent="bench")
        self._sagas = OrderSagas(self._client, settings.namespace)
        access = load_access(kubeconfig)
        self._http = httpx.AsyncClient(
            transport=AiohttpTransport(
                client=lambda: aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=access.tls or True))
            ),
            base_url=access.server,
        )
        """For the watch, which KubeClient doesn't offer; with an administrator's certificate."""
        self._ends: dict[str, asyncio.Event] = {}

    async def watch(self) -> None:
        """Wake the client of each saga that is Completed. Never returns: it repeats a watch that has ended."""
        path = f"/apis/ordersaga.io/v1alpha1/namespaces/{self._settings.namespace}/ordersagas"
        version = ""
        async for page in self._sagas.list(limit=1):
            version = page.resource_version
            break
        while True:
            params = {"watch": "true", "resourceVersion": version, "timeoutSeconds": "300"}
            async with self._http.stream("GET", path, params=params, timeout=None) as stream:
                async for line in stream.aiter_lines():
                    resource = json.loads(line)["object"]
                    version = resource["metadata"]["resourceVersion"]
                    completed = (resource.get("status") or {}).get("phase") == "Completed"
                    if completed and (end := self._ends.pop(resource["metadata"]["name"], None)):
                        end.set()

    async def one(self, number: int) -> None:
        """Carry out one order."""
        wanted = order(self._settings, f"s-{self._run}-{number}", number)
        end = self._ends[wanted.order_id] = asyncio.Event()
        item = wanted.items[0]
        await self._sagas.create(
            {
                "metadata": {"name": wanted.order_id, "finalizers": [FINALIZER]},
                "spec": {
                    "orderID": wanted.order_id,
                    "customerID": wanted.customer_id,
                    "currency": wanted.currency,
                    "items": [{"productID": item.product_id, "quantity": 1, "unitPriceMinor": item.unit_price_minor}],
                    "payment": {"methodRef": wanted.method_ref},
                    "shipTo": {"addressRef": wanted.address_ref},
                    "ttlSecondsAfterFinished": 60,
                },
            }
        )
        await end.wait()


async def run(options: argparse.Namespace) -> None:
    """Rounds of both kinds in turn; prints the medians and the median ratio of two neighbouring rounds."""
    settings = Settings()
    async with httpx.AsyncClient(base_url=settings.url_of("inventory")) as inventory:
        for number in range(PRODUCTS):
            product = {"name": "Bench", "stock": 1_000_000, "price_minor": 100, "currency": "EUR"}
            (await inventory.put(f"/api/inventory/p-bench-{number}", json=product)).raise_for_status()
    bare, sagas = Bare(settings), Watched(settings, options.kubeconfig)
    watching = asyncio.create_task(sagas.watch())
    print(f"{'in flight':>9}  {'bare /s':>8}  {'saga /s':>8}  {'ratio':>5}  {'bare p50':>9}  {'saga p50':>9}")
    for in_flight in options.in_flight:
        pairs = []
        for _ in range(options.rounds):
            first = await measure(bare.one, in_flight=in_flight, seconds=options.seconds)
            second = await measure(sagas.one, in_flight=in_flight, seconds=options.seconds)
            pairs.append((first, second))
        b = statistics.median(pair[0].rate for pair in pairs)
        s = statistics.median(pair[1].rate for pair in pairs)
        ratio = statistics.median(pair[1].rate / pair[0].rate for pair in pairs)
        mb, ms = (1000 * statistics.median(pair[i].median for pair in pairs) for i in (0, 1))
        print(f"{in_flight:>9}  {b:>8.1f}  {s:>8.1f}  {ratio:>5.2f}  {mb:>6.0f} ms  {ms:>6.0f} ms", flush=True)
    watching.cancel()


def main() -> None:
    """Parse and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kubeconfig", type=Path, default=ROOT / ".ordersaga" / "kubeconfig")
    parser.add_argument("--in-flight", type=int, nargs="+", default=[1, 16, 64])
    parser.add_argument("--seconds", type=float, default=10.0, help="of each round")
    parser.add_argument("--rounds", type=int, default=3)
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
