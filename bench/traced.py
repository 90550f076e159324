"""What traces cost: orders over REST on a stack that traces one in twenty, and on one that traces none, by turns.

Two whole stacks of the same checkout, which differ in that alone. They share the machine and take turns (A B B A …), so
that what else it does falls on both. CPU is that of all parts of a stack, from the first order of a turn until the
operator is quiet: a trace takes its saga's finalizer off sooner, which is work that is only done at another time. The
collector throws everything away, and doesn't count.
"""

import asyncio
import contextlib
import statistics
import sys
from pathlib import Path
from typing import Any

from bench.cases import PRODUCTS, Bench, Case
from bench.rows import REST, OverRest, roles_of
from bench.stacks import Stack
from bench.usage import LOAD
from dev.stack.ports import free_ports
from dev.stack.processes import Process, answers, wait_ready

SECONDS = 5.0
"""Of load in each turn."""
TURNS = 8
"""Of each side in each round."""
IN_FLIGHT = 16
SHARE = 0.05
IDLE_SECONDS = 5.0
START_SECONDS = 240.0
TRACED, OFF = f"traced at {SHARE:.0%}", "tracing off"


async def measure_traced(bench: Bench, folder: Path) -> list[dict[str, Any]]:
    """The turns of both sides, each a case."""
    with contextlib.ExitStack() as ending:
        (port,) = free_ports(1)
        url = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-m", "bench.collector", str(port)]
        collector = Process("the collector", command, log=folder / "collector.log", ready=lambda: answers(url))
        traces = {"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_TRACES_SAMPLER_ARG": str(SHARE)}
        place = folder / "traced"
        place.mkdir()
        stack = Stack(bench.stack.checkout, place, traces)
        for process, stop in ((collector, collector.stop), (stack.process, stack.stop)):
            ending.callback(stop)
            process.start()
        await asyncio.to_thread(wait_ready, [collector, stack.process], START_SECONDS)
        traced = Bench(stack)
        try:
            await traced.prepare(IDLE_SECONDS)
            return await _turns({TRACED: traced, OFF: bench})
        finally:
            await traced.close()


async def _turns(sides: dict[str, Bench]) -> list[dict[str, Any]]:
    rows = {side: OverRest(bench.stack, bench.api) for side, bench in sides.items()}
    try:
        for side, bench in sides.items():
            await bench.warm_up(rows[side])
        found: list[dict[str, Any]] = []
        for number in range(TURNS):
            for side in sorted(sides, reverse=bool(number % 2)):
                case = Case(REST, sides[side].stack.checkout.commit, IN_FLIGHT, PRODUCTS, SECONDS, number + 1)
                await sides[side].case(rows[side], case)
                found.append({"side": side, **case.json()})
        return found
    finally:
        for row in rows.values():
            await row.close()


def traced_table(turns: list[dict[str, Any]]) -> list[list[str]]:
    """Rate, duration and CPU of a saga on both sides, and what tracing adds: the median of the pairs, and quartiles."""
    lines = [["side", "orders/s", "p50 ms", "CPU ms a saga", "more", "quartiles of the pairs"]]
    by_side = {side: [turn for turn in turns if turn["side"] == side] for side in (TRACED, OFF)}
    pairs = [
        (one, other)
        for one, other in zip(*by_side.values(), strict=True)
        if not one["problems"] and not other["problems"]
    ]
    if len(pairs) < 2:
        return lines
    more = [100 * (_cpu(one) / _cpu(other) - 1) for one, other in pairs]
    low, middle, high = statistics.quantiles(more, n=4)
    extra = {OFF: ["", ""], TRACED: [f"{middle:+.1f} %", f"{low:+.1f} to {high:+.1f} %, {len(pairs)} pairs"]}
    for side, column in ((OFF, 1), (TRACED, 0)):
        rate, p50, cpu = (statistics.median(look(pair[column]) for pair in pairs) for look in (_rate, _p50, _cpu))
        lines.append([side, f"{rate:.1f}", f"{1000 * p50:.0f}", f"{cpu:.2f}", *extra[side]])
    return lines


def _rate(turn: dict[str, Any]) -> float:
    return float(turn["rate"])


def _p50(turn: dict[str, Any]) -> float:
    return float(turn["p50"])


def _cpu(turn: dict[str, Any]) -> float:
    """Milliseconds of all parts but the load."""
    parts = [role for role in roles_of(turn["row"]) if role != LOAD]
    used = sum(turn[field].get(role, 0.0) for field in ("cpu", "cpu_later") for role in parts)
    return 1000.0 * used / max(1, turn["orders"])
