"""A closed loop of customers: each places an order, waits for its end, and places the next one."""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from bench.calls import Order, next_order

RAMP_SECONDS = 20.0
"""All customers begin at once: nothing counts until each has had an order, or for so long at the most."""
PATIENCE_SECONDS = 60.0
"""For the orders that are open when the time is up. What isn't finished by then has not ended."""


@dataclass
class LoadResult:
    """What the customers have seen."""

    rate: float = 0.0
    """Orders that ended in each second of the time that counts."""
    durations: list[float] = field(default_factory=list)
    """Seconds, of the orders that began in that time."""
    phases: dict[str, str] = field(default_factory=dict)
    """How each order has ended."""
    expected: dict[str, str] = field(default_factory=dict)
    """How each order that was begun has to end."""
    errors: list[str] = field(default_factory=list)

    @property
    def p50(self) -> float:
        """The median duration in seconds."""
        return statistics.median(self.durations) if self.durations else 0.0

    @property
    def p99(self) -> float:
        """The duration in seconds that one order in a hundred exceeds."""
        ordered = sorted(self.durations)
        return ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))] if ordered else 0.0


async def closed_loop(
    work: Callable[[Order], Awaitable[str]], *, in_flight: int, seconds: float, prefix: str, products: int
) -> LoadResult:
    """`in_flight` customers for this many seconds; `work` carries out one order and returns its last phase."""
    result = LoadResult()
    ends: list[float] = []
    began = time.monotonic()
    counted_from = float("inf")

    def ended(started: float) -> None:
        nonlocal counted_from
        now = time.monotonic()
        ends.append(now)
        if started >= counted_from:
            result.durations.append(now - started)
        elif counted_from > now and (len(ends) >= in_flight or now - began > RAMP_SECONDS):
            counted_from = now

    async def customer() -> None:
        while (started := time.monotonic()) < min(counted_from, began + RAMP_SECONDS) + seconds:
            order = next_order(prefix, products)
            result.expected[order.order_id] = order.expected
            try:
                result.phases[order.order_id] = await work(order)
            except Exception as error:
                result.errors.append(f"{order.order_id}: {type(error).__name__}: {error}")
                await asyncio.sleep(0.1)
            else:
                ended(started)

    customers = [asyncio.create_task(customer()) for _ in range(in_flight)]
    _, late = await asyncio.wait(customers, timeout=RAMP_SECONDS + seconds + PATIENCE_SECONDS)
    for task in late:
        task.cancel()
    await asyncio.gather(*late, return_exceptions=True)
    counted = [end for end in ends if counted_from < end <= counted_from + seconds]
    result.rate = len(counted) / (counted[-1] - counted_from) if counted else 0.0
    return result
