"""One case: a row under load, what every process spent on it, what was written, and whether the books are right."""

import asyncio
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

import aiohttp
import psutil

from bench.apiserver import ApiServer
from bench.calls import product
from bench.load import LoadResult, closed_loop
from bench.rows import OURS, Row
from bench.stacks import Stack
from bench.usage import Cpu, cpu_of, spent
from dev.stack.demo.books import Books

PRODUCTS = 200
"""Orders are spread over so many products; with a single one the load would measure the queue for it."""
STOCK = 1_000_000
WARM_UP_SECONDS = 2.0
QUIET_SECONDS = 3.0
"""Without a write of the operator: what it had left for a quiet moment is done."""
QUIET_PATIENCE = 45.0
SHOWN_PROBLEMS, SHOWN_LENGTH = 5, 200


@dataclass
class Case:
    """What was measured. CPU: seconds by role; writes: by kind."""

    row: str
    commit: str
    in_flight: int
    products: int
    seconds: float
    round: int
    orders: int = 0
    """That have ended."""
    rate: float = 0.0
    p50: float = 0.0
    p99: float = 0.0
    bytes: float = 0.0
    """Of a resource when its saga has ended."""
    cpu: Cpu = field(default_factory=dict)
    """From the first order to the end of the last one."""
    cpu_later: Cpu = field(default_factory=dict)
    """From there until it is quiet, without what the processes need when nothing happens."""
    cpu_deleting: Cpu = field(default_factory=dict)
    """While all finished sagas are deleted, again without what is needed when nothing happens."""
    writes: dict[str, int] = field(default_factory=dict)
    writes_later: dict[str, int] = field(default_factory=dict)
    writes_deleting: dict[str, int] = field(default_factory=dict)
    repeated: int = 0
    problems: list[str] = field(default_factory=list)
    """Why it doesn't count."""

    def json(self) -> dict[str, Any]:
        """As it is kept."""
        return asdict(self)


class Bench:
    """The measurements on one stack. Used inside a running event loop."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.api = ApiServer(stack.kubeconfig)
        self.extra: dict[str, psutil.Process] = {}
        """Processes beside the stack's own, by role: Restate's."""
        self.idle: Cpu = {}
        """CPU seconds of each part in each second in which nothing happens."""

    async def prepare(self, seconds: float) -> None:
        """Put products into stock, and look for so long what the stack spends when it has nothing to do."""
        headers = self.stack.as_staff("inventory")
        async with aiohttp.ClientSession(self.stack.urls["inventory"], headers=headers) as http:
            for number in range(PRODUCTS):
                body = {"name": "Bench", "stock": STOCK, "price_minor": 100, "currency": "EUR"}
                async with http.put(f"/api/inventory/{product(number)}", json=body) as answer:
                    answer.raise_for_status()
        before = cpu_of(self.stack.roles())
        await asyncio.sleep(seconds)
        self.idle = {role: used / seconds for role, used in spent(before, cpu_of(self.stack.roles())).items()}

    async def warm_up(self, row: Row) -> None:
        """A few orders that don't count: the first ones open connections and load what is used."""
        await closed_loop(
            row.one,
            in_flight=8,
            seconds=WARM_UP_SECONDS,
            prefix=f"w-{time.monotonic_ns() % 10**10:x}",
            products=PRODUCTS,
        )
        await self.api.remove_all()

    async def close(self) -> None:
        """Close the connections."""
        await self.api.close()

    async def case(self, row: Row, case: Case) -> Case:
        """Run it, and fill in what was seen."""
        parts = {**self.stack.roles(), **self.extra}
        prefix = f"b{case.round}-{case.in_flight}-{time.monotonic_ns() % 10**10:x}"
        repeated = row.repeated
        self.api.sizes.clear()
        requests, cpu = await self.api.requests(), cpu_of(parts)
        load = await closed_loop(
            row.one, in_flight=case.in_flight, seconds=case.seconds, prefix=prefix, products=case.products
        )
        loaded_cpu, loaded = cpu_of(parts), await self.api.requests()
        case.orders, case.rate, case.p50, case.p99 = len(load.phases), load.rate, load.p50, load.p99
        case.cpu, case.writes = spent(cpu, loaded_cpu), _between(requests, loaded)
        case.bytes = sum(self.api.sizes) / max(1, len(self.api.sizes))
        case.repeated = row.repeated - repeated
        case.problems = self._problems(load)
        if case.row in OURS:
            await self._afterwards(case, parts, loaded)
        if any(part.pid != parts[role].pid for role, part in self.stack.roles().items()):
            case.problems.append("a part of the stack has ended and was started again")
        return case

    async def _afterwards(self, case: Case, parts: dict[str, psutil.Process], loaded: Counter[str]) -> None:
        """What follows when the load is over, and when the finished sagas are deleted."""
        began, before = time.monotonic(), cpu_of(parts)
        await self._until_quiet()
        case.cpu_later = self._beyond_idle(before, cpu_of(parts), time.monotonic() - began)
        quiet = await self.api.requests()
        case.writes_later = _between(loaded, quiet)
        began, before = time.monotonic(), cpu_of(parts)
        if left := await self.api.remove_all():
            case.problems.append(f"{left} sagas are still there after they were deleted")
        case.cpu_deleting = self._beyond_idle(before, cpu_of(parts), time.monotonic() - began)
        case.writes_deleting = _between(quiet, await self.api.requests())

    def _beyond_idle(self, before: Cpu, after: Cpu, seconds: float) -> Cpu:
        return {
            role: max(0.0, used - seconds * self.idle.get(role, 0.0)) for role, used in spent(before, after).items()
        }

    def _problems(self, load: LoadResult) -> list[str]:
        """Everything that is wrong with the orders of this load, and with the books."""
        wrong = [
            f"{order} ended {load.phases.get(order, 'not at all')} instead of {phase}"
            for order, phase in load.expected.items()
            if load.phases.get(order) != phase
        ]
        with Books(self.stack.mongodb_url) as books:
            wrong = [text[:SHOWN_LENGTH] for text in load.errors + wrong + books.audit(load.expected)]
        more = len(wrong) - SHOWN_PROBLEMS
        return wrong[:SHOWN_PROBLEMS] + ([f"and {more} more"] if more > 0 else [])

    async def _until_quiet(self) -> None:
        """Wait until the operator has written nothing for a while."""
        began = since = time.monotonic()
        writes = await self._operator_writes()
        while time.monotonic() - since < QUIET_SECONDS and time.monotonic() - began < QUIET_PATIENCE:
            await asyncio.sleep(1)
            if (now := await self._operator_writes()) != writes:
                writes, since = now, time.monotonic()

    async def _operator_writes(self) -> float:
        async with aiohttp.ClientSession() as http, http.get(f"{self.stack.health.rstrip('/')}/metrics") as answer:
            text = await answer.text()
        return sum(
            float(line.rsplit(" ", 1)[1])
            for line in text.splitlines()
            if line.startswith("ordersaga_api_writes_total{") and "lease" not in line
        )


def _between(before: Counter[str], after: Counter[str]) -> dict[str, int]:
    return {kind: after[kind] - before[kind] for kind in after if after[kind] != before[kind]}
