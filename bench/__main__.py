"""What an order costs, by every way to carry it out, side by side in one run: `make bench ARGS="--help"`."""

import argparse
import asyncio
import contextlib
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.cases import PRODUCTS, Bench, Case
from bench.rows import BARE, OURS, RESOURCE, Bare, ByResource, OverRest, Row
from bench.stacks import Checkout, Stack
from bench.table import as_text, tables
from dev.setup.errors import exit_status
from dev.setup.paths import CHECKOUT, STATE
from dev.stack.processes import wait_ready

ROWS = (BARE, *OURS)
IDLE_SECONDS = 5.0
RESULTS = STATE / "bench"


def parser() -> argparse.ArgumentParser:
    """The options."""
    options = argparse.ArgumentParser(prog="make bench", description=__doc__)
    options.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS), help="default: all")
    options.add_argument("--in-flight", "-C", type=int, nargs="+", default=[1, 16, 64], help="sagas at a time")
    options.add_argument("--seconds", type=float, default=10.0, help="of each case (default 10)")
    options.add_argument("--rounds", type=int, default=3, help="how often each case is run (default 3)")
    options.add_argument("--quick", action="store_true", help="16 in flight, one round")
    options.add_argument(
        "--checkout",
        type=Path,
        action="append",
        default=[],
        metavar="PATH",
        help="another checkout of this project, made ready, whose cases are run side by side (may be repeated)",
    )
    options.add_argument("--not-here", action="store_true", help="measure only the other checkouts")
    options.add_argument("--json", type=Path, help=f"where to keep the figures (default: {RESULTS}/latest.json)")
    return options


def make_row(name: str, bench: Bench) -> Row:
    """The way with this name, on that stack."""
    if name == BARE:
        return Bare(bench.stack)
    return ByResource(bench.api) if name == RESOURCE else OverRest(bench.stack, bench.api)


async def measure(stacks: list[Stack], options: argparse.Namespace, run: dict[str, Any]) -> None:
    """All cases, in turn over all rows and stacks, round by round."""
    async with contextlib.AsyncExitStack() as ending:
        benches = [Bench(stack) for stack in stacks]
        for bench in benches:
            ending.push_async_callback(bench.close)
            await bench.prepare(IDLE_SECONDS)
            run["idle"][bench.stack.checkout.commit] = bench.idle
        rows = []
        for name in options.rows:
            for bench in benches:
                rows.append((bench, name, make_row(name, bench)))
                ending.push_async_callback(rows[-1][2].close)
        for number in range(options.rounds):
            for in_flight in options.in_flight:
                for bench, name, row in rows:
                    commit = bench.stack.checkout.commit
                    case = Case(name, commit, in_flight, PRODUCTS, options.seconds, number + 1)
                    await bench.case(row, case)
                    run["cases"].append(case.json())
                    _say_case(case)


def _say_case(case: Case) -> None:
    cpu = 1000 * sum(case.cpu.values()) / max(1, case.orders)
    _say(
        f"round {case.round}, C={case.in_flight:<2} {case.row} @ {case.commit}: {case.rate:.1f}/s,"
        f" p50 {1000 * case.p50:.0f} ms, {cpu:.1f} ms CPU a saga"
    )
    for problem in case.problems:
        _say(f"  DOESN'T COUNT: {problem}")


def _say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def work(options: argparse.Namespace) -> int:
    """Bring everything up, measure, take everything down, and print the tables."""
    if options.quick:
        options.in_flight, options.rounds = [16], 1
    here = [] if options.not_here else [CHECKOUT]
    checkouts = [Checkout.at(path) for path in [*here, *options.checkout]]
    run: dict[str, Any] = {
        "at": time.strftime("%Y-%m-%d %H:%M"),
        "cores": os.cpu_count(),
        "checkouts": [checkout.commit for checkout in checkouts],
        "idle": {},
        "cases": [],
    }
    with tempfile.TemporaryDirectory(prefix="ordersaga-bench-") as folder, contextlib.ExitStack() as ending:
        stacks = []
        for number, checkout in enumerate(checkouts):
            place = Path(folder, str(number))
            place.mkdir()
            stacks.append(Stack(checkout, place))
        _say(f"Starting a stack for each of {', '.join(run['checkouts'])} (a quarter of a minute)")
        for stack in stacks:
            ending.callback(stack.stop)
            stack.process.start()
        wait_ready([stack.process for stack in stacks])
        try:
            asyncio.run(measure(stacks, options, run))
        finally:
            path = options.json or RESULTS / "latest.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(run, indent=1) + "\n")
    for heading, lines in tables(run):
        print(f"\n{heading}\n{as_text(lines)}")
    print(f"\nKept in {path}")
    return 1 if any(case["problems"] for case in run["cases"]) else 0


def main() -> int:
    """Exit status 1 if a case doesn't count."""
    options = parser().parse_args()
    return exit_status(lambda: work(options), interrupted="Interrupted: everything is ended.")


if __name__ == "__main__":
    sys.exit(main())
