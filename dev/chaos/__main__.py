"""`make chaos`: see docs/chaos.md.

python -m dev.chaos [--sagas 2000] [--seed N] [--folder DIR] [--plan]
"""

import argparse
import os
import secrets
import sys
from pathlib import Path

from dev.chaos.plan.plan import Plan
from dev.chaos.random_faults import RandomFaults
from dev.chaos.run import run
from dev.setup.paths import STATE


def main(arguments: list[str]) -> int:
    """Exit status 0 without violations, 1 with some or if the system can't be started, 130 after Ctrl-C."""
    options = _parser().parse_args(arguments)
    plan = Plan.make(options.seed, options.sagas)
    if options.plan:
        print("\n".join(plan.lines()))
        return 0
    return run(RandomFaults(plan), options.folder)


def _parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(
        prog="make chaos",
        description="Many orders on a stack of its own, while its parts are killed and its calls have faults; "
        "then an audit. Exit status 1 if there was a violation.",
    )
    environment = os.environ
    sagas, seed = int(environment.get("CHAOS_SAGAS") or 2000), environment.get("CHAOS_SEED")
    options.add_argument("--sagas", type=int, default=sagas, help="the number of orders (CHAOS_SAGAS; default 2000)")
    options.add_argument(
        "--seed",
        type=int,
        default=int(seed) if seed else secrets.randbelow(10**6),
        help="the seed of the plan (CHAOS_SEED; default: a new one, which is printed)",
    )
    options.add_argument(
        "--folder",
        type=Path,
        default=STATE / "chaos",
        help="for data and logs, emptied at the start; .ordersaga/chaos",
    )
    options.add_argument("--plan", action="store_true", help="print the plan, and do nothing")
    return options


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
