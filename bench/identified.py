"""What it costs a service to know its callers: the same calls with tokens, and in development, by turns.

The two sides are five services each, which differ in that setting alone. They share one MongoDB and one machine, and
take turns (A B B A …), so that what else the machine does falls on both. Only the services' own CPU counts: a share of
it is the most that a share of the whole call could be.
"""

import asyncio
import contextlib
import statistics
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psutil

from bench.calls import FORWARD, Caller, Order, product
from bench.cases import PRODUCTS, Bench
from bench.usage import LOAD, cpu_of, spent
from common.services import SERVICES
from dev.stack.parts.applications import Service, Wiring
from dev.stack.ports import free_ports
from dev.stack.processes import wait_ready

ORDERS = 200
"""In each turn, six calls each: some two seconds of CPU, which the kernel counts in hundredths."""
TURNS = 12
"""Of each side in each round."""
IN_FLIGHT = 16
IDENTIFIED, DEVELOPMENT = "identified", "development"


async def measure_identified(bench: Bench, folder: Path) -> list[dict[str, Any]]:
    """The turns of both sides: CPU seconds of their five services."""
    async with contextlib.AsyncExitStack() as ending:
        sides: dict[str, tuple[Caller, dict[str, psutil.Process]]] = {}
        for side, mode in ((IDENTIFIED, "kubernetes"), (DEVELOPMENT, "development")):
            urls, parts = await ending.enter_async_context(_five(bench, folder / side, mode))
            caller = Caller(urls, bench.stack.tokens() if side == IDENTIFIED else {})
            ending.push_async_callback(caller.close)
            sides[side] = caller, parts
        for caller, _ in sides.values():  # the first calls open connections and load what is used
            await _turn(caller)
        found: list[dict[str, Any]] = []
        for number in range(TURNS):
            for side in sorted(sides, reverse=bool(number % 2)):
                caller, measured = sides[side]
                before = cpu_of(measured)
                await _turn(caller)
                used = spent(before, cpu_of(measured))
                cpu = sum(seconds for role, seconds in used.items() if role != LOAD)
                found.append({"side": side, "turn": number, "calls": ORDERS * len(FORWARD), "cpu": cpu})
        return found


def identified_table(turns: list[dict[str, Any]]) -> list[list[str]]:
    """CPU of a call on both sides, and what being identified adds: the median of the pairs, and their quartiles."""
    lines = [["side", "CPU ms a call", "more", "quartiles of the pairs"]]
    if not turns:
        return lines
    by_side: dict[str, list[float]] = {IDENTIFIED: [], DEVELOPMENT: []}
    for turn in turns:
        by_side[turn["side"]].append(1000 * turn["cpu"] / turn["calls"])
    more = [100 * (one / other - 1) for one, other in zip(*by_side.values(), strict=True)]
    low, middle, high = statistics.quantiles(more, n=4)
    lines.append([DEVELOPMENT, f"{statistics.median(by_side[DEVELOPMENT]):.3f}", "", ""])
    lines.append(
        [
            IDENTIFIED,
            f"{statistics.median(by_side[IDENTIFIED]):.3f}",
            f"{middle:+.1f} %",
            f"{low:+.1f} to {high:+.1f} %, {len(more)} pairs",
        ]
    )
    return lines


@contextlib.asynccontextmanager
async def _five(
    bench: Bench, folder: Path, mode: str
) -> AsyncIterator[tuple[dict[str, str], dict[str, psutil.Process]]]:
    """Five services beside the stack's, on its databases, with this mode of authentication: URLs, processes."""
    wiring = Wiring(
        mongodb_url=bench.stack.mongodb_url,
        logs=folder,
        service_ports=dict(zip(SERVICES, free_ports(len(SERVICES)), strict=True)),
        health_port=0,
    )
    services = {
        name: Service(
            name,
            wiring,
            kubeconfig=bench.stack.identities / f"{name}-service.kubeconfig",
            tokens=bench.stack.identities / f"{name}-service.tokens",
        )
        for name in SERVICES
    }
    try:
        for service in services.values():
            service.env["ORDERSAGA_AUTHENTICATION"] = mode
            service.start()
        await asyncio.to_thread(wait_ready, list(services.values()))
        yield (
            {name: wiring.url(name) for name in SERVICES},
            {name: psutil.Process(service.pid) for name, service in services.items()},
        )
    finally:
        for service in services.values():
            service.stop()


async def _turn(caller: Caller) -> None:
    """So many orders that complete, each a call after the other."""
    prefix = f"i-{time.monotonic_ns() % 10**12:x}"
    waiting = iter([Order(f"{prefix}-{each}", product(each % PRODUCTS), declined=False) for each in range(ORDERS)])

    async def client() -> None:
        for order in waiting:
            for call in FORWARD:
                if not await caller.make(call, order):
                    raise RuntimeError(f"{call.path} refused {order.order_id}")

    async with asyncio.TaskGroup() as group:
        for _ in range(IN_FLIGHT):
            group.create_task(client())
