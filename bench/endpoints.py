"""What a call of each endpoint costs: CPU of the service and of mongod, while nothing but these calls is made."""

import asyncio
import time
from typing import Any

from bench.calls import (
    CANCEL,
    CHARGE,
    CONFIRM,
    CREATE,
    REFUND,
    REJECT,
    RELEASE,
    RESERVE,
    SCHEDULE,
    SEND,
    UNSCHEDULE,
    Call,
    Caller,
    Order,
    product,
)
from bench.cases import PRODUCTS, Bench
from bench.usage import cpu_of, spent

CALLS = 300
"""Of each endpoint in each round: a second of CPU or more, which the kernel counts in hundredths."""
IN_FLIGHT = 16
COMPLETED = (CREATE, RESERVE, CHARGE, SCHEDULE, CONFIRM, SEND)
UNDONE = (CREATE, RESERVE, CHARGE, SCHEDULE, REJECT, UNSCHEDULE, REFUND, RELEASE, CANCEL)


async def measure_endpoints(bench: Bench) -> list[dict[str, Any]]:
    """A batch of orders that completes and one that is undone, all of them a call at a time."""
    caller = Caller(bench.stack.urls, bench.stack.tokens())
    try:
        found = [
            await _measure(bench, caller, call, orders)
            for number, calls in enumerate((COMPLETED, UNDONE))
            for orders in [_batch(number)]
            for call in calls
        ]
    finally:
        await caller.close()
    return found


def _batch(number: int) -> list[Order]:
    prefix = f"e{number}-{time.monotonic_ns() % 10**10:x}"
    return [Order(f"{prefix}-{each}", product(each % PRODUCTS), declined=False) for each in range(CALLS)]


async def _measure(bench: Bench, caller: Caller, call: Call, orders: list[Order]) -> dict[str, Any]:
    parts = bench.stack.roles()
    waiting = iter(orders)

    async def client() -> None:
        for order in waiting:
            if not await caller.make(call, order):
                raise RuntimeError(f"{call.path} refused {order.order_id}")

    began, before = time.monotonic(), cpu_of(parts)
    async with asyncio.TaskGroup() as group:
        for _ in range(IN_FLIGHT):
            group.create_task(client())
    used, seconds = spent(before, cpu_of(parts)), time.monotonic() - began
    return {
        "endpoint": f"POST {call.path}",
        "commit": bench.stack.checkout.commit,
        "calls": len(orders),
        "seconds": seconds,
        "service": used[call.service],
        "mongod": max(0.0, used["mongod"] - seconds * bench.idle.get("mongod", 0.0)),
    }
