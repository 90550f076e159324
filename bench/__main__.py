"""What an order costs, by every way to carry it out, side by side in one run: `make bench ARGS="--help"`."""

import argparse
import asyncio
import contextlib
import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.cases import PRODUCTS, Bench, Case
from bench.endpoints import measure_endpoints
from bench.identified import measure_identified
from bench.peers.coordinator import Coordinator
from bench.peers.restate import OnRestate, Restate
from bench.rows import BARE, COORDINATOR, OURS, RESOURCE, RESTATE, Bare, ByResource, OverRest, Row, roles_of
from bench.stacks import Checkout, Stack
from bench.table import as_text, tables
from bench.traced import measure_traced
from dev.setup.errors import exit_status
from dev.setup.paths import CHECKOUT, STATE
from dev.stack.processes import wait_ready

PEERS = (COORDINATOR, RESTATE)
"""Measured on the first checkout alone: they are the same on all of them."""
ROWS = (BARE, *PEERS, *OURS)
CASES, CONTENDED, ENDPOINTS, IDENTIFIED, TRACED = PARTS = ("cases", "contended", "endpoints", "identified", "traced")
CONTENDED_ROWS, CONTENDED_IN_FLIGHT = (BARE, RESOURCE), 64
"""The contended product: so many buyers of one product."""
IDLE_SECONDS = 5.0
START_SECONDS = 240.0
"""For the stacks, which start side by side, perhaps beside other work."""
RESULTS = STATE / "bench"


def parser() -> argparse.ArgumentParser:
    """The options."""
    options = argparse.ArgumentParser(prog="make bench", description=__doc__)
    options.add_argument("--rows", nargs="+", choices=ROWS, help="default: all; with --quick: bare and ours")
    options.add_argument("--parts", nargs="+", choices=PARTS, help="default: all; with --quick: cases")
    options.add_argument("--in-flight", "-C", type=int, nargs="+", default=[1, 16, 64], help="sagas at a time")
    options.add_argument("--seconds", type=float, default=10.0, help="of each case (default 10)")
    options.add_argument("--rounds", type=int, default=3, help="how often each case is run (default 3)")
    options.add_argument("--quick", action="store_true", help="16 in flight, one round, no peers")
    options.add_argument(
        "--checkout",
        type=Path,
        action="append",
        default=[],
        metavar="PATH",
        help="another checkout of this project, made ready, whose cases are run side by side (may be repeated)",
    )
    options.add_argument("--not-here", action="store_true", help="measure only the other checkouts")
    options.add_argument("--keep", action="store_true", help="leave the stacks' data and logs behind, and say where")
    options.add_argument("--json", type=Path, help=f"where to keep the figures (default: {RESULTS}/latest.json)")
    return options


def make_row(name: str, bench: Bench, restate: Restate | None) -> Row:
    """The way with this name, on that stack."""
    match name:
        case "bare":
            return Bare(bench.stack)
        case "coordinator":
            return Coordinator(bench.stack)
        case "restate" if restate is not None:
            return OnRestate(restate)
        case "ours, by resource":
            return ByResource(bench.api)
    return OverRest(bench.stack, bench.api)


async def measure(
    stacks: list[Stack], restate: Restate | None, options: argparse.Namespace, run: dict[str, Any], folder: Path
) -> None:
    """All cases, in turn over all rows and stacks, round by round."""
    async with contextlib.AsyncExitStack() as ending:
        benches = [Bench(stack) for stack in stacks]
        if restate is not None:
            await restate.register()
            benches[0].extra = restate.roles()
        for bench in benches:
            ending.push_async_callback(bench.close)
            await bench.prepare(IDLE_SECONDS)
            run["idle"][bench.stack.checkout.commit] = bench.idle
        rows = []
        for name in options.rows:
            for bench in benches[:1] if name in PEERS else benches:
                rows.append((bench, name, make_row(name, bench, restate)))
                ending.push_async_callback(rows[-1][2].close)
                await bench.warm_up(rows[-1][2])
        wanted = [(in_flight, PRODUCTS) for in_flight in options.in_flight if CASES in options.parts]
        wanted += [(CONTENDED_IN_FLIGHT, 1)] if CONTENDED in options.parts else []
        for number in range(options.rounds):
            for in_flight, products in wanted:
                for bench, name, row in rows:
                    if products == 1 and name not in CONTENDED_ROWS:
                        continue
                    commit = bench.stack.checkout.commit
                    case = Case(name, commit, in_flight, products, options.seconds, number + 1)
                    await bench.case(row, case)
                    run["cases"].append(case.json())
                    _say_case(case)
            for bench in benches if ENDPOINTS in options.parts else ():
                run["endpoints"] += await measure_endpoints(bench)
                _say(f"round {number + 1}, each endpoint @ {bench.stack.checkout.commit}")
            if IDENTIFIED in options.parts and not options.not_here:
                run["identified"] += await measure_identified(benches[0], folder)
                _say(f"round {number + 1}, callers identified and in development, by turns")
        if TRACED in options.parts and not options.not_here:
            run["traced"] += await measure_traced(benches[0], folder)
            _say("orders with and without traces, by turns")


def _say_case(case: Case) -> None:
    cpu = 1000 * sum(case.cpu[role] for role in roles_of(case.row)) / max(1, case.orders)
    one = ", one product" if case.products == 1 else ""
    _say(
        f"round {case.round}, C={case.in_flight:<2} {case.row}{one} @ {case.commit}: {case.rate:.1f}/s,"
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
    options.rows = options.rows or ([BARE, *OURS] if options.quick else list(ROWS))
    options.parts = options.parts or ([CASES] if options.quick else list(PARTS))
    here = [] if options.not_here else [CHECKOUT]
    checkouts = [Checkout.at(path) for path in [*here, *options.checkout]]
    run: dict[str, Any] = {
        "at": time.strftime("%Y-%m-%d %H:%M"),
        "cores": os.cpu_count(),
        "checkouts": [checkout.commit for checkout in checkouts],
        "idle": {},
        "cases": [],
        "endpoints": [],
        "identified": [],
        "traced": [],
    }
    with contextlib.ExitStack() as ending:
        folder = tempfile.mkdtemp(prefix="ordersaga-bench-")
        if options.keep:
            _say(f"Data and logs: {folder}")
        else:
            ending.callback(shutil.rmtree, folder, ignore_errors=True)
        stacks = []
        for number, checkout in enumerate(checkouts):
            place = Path(folder, str(number))
            place.mkdir()
            stacks.append(Stack(checkout, place))
        _say(f"Starting a stack for each of {', '.join(run['checkouts'])} (a quarter of a minute)")
        for stack in stacks:
            ending.callback(stack.stop)
            stack.process.start()
        wait_ready([stack.process for stack in stacks], START_SECONDS)
        restate = None
        if RESTATE in options.rows and CASES in options.parts:
            place = Path(folder, "restate")
            place.mkdir()
            restate = Restate(stacks[0], place)
            ending.callback(restate.stop)
            restate.start()
        try:
            asyncio.run(measure(stacks, restate, options, run, Path(folder)))
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
