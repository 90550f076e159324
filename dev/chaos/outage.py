"""`make outage`: minutes without the API server, with sagas at every step but inventory; then the audit of a chaos run.

For the first half of OUTAGE_SECONDS (600) the API server is paused: connections stay open and carry nothing. For the
second half it is gone. All services work all the time; the operator does what it may do without its API server.

OUTAGE_REVIEW is what the services do about callers meanwhile (ORDERSAGA_AUTHENTICATION_REVIEW): `offline` lets them in
until their tokens expire, `strict` nobody whom the API server hasn't vouched for within a minute.
"""

import os
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Final

from common.services import SERVICES
from dev.chaos.plan.faults import APISERVER, OPERATOR
from dev.chaos.plan.orders import plain_order
from dev.chaos.run import Stage, run
from dev.chaos.system import System
from dev.setup.errors import StackError
from dev.setup.paths import STATE
from dev.stack.processes import Process, wait_ready

GROUP: Final = 8
"""Sagas in the middle of each step: more than a circuit breaker needs to open."""
GROUPS: Final = ("notification", "confirmation", "shipping", "payment", "order")
"""The steps that have sagas when the outage begins; the last ones are filled first."""
SETTLE_SECONDS: Final = 120.0
"""For a group of sagas to reach its step."""


class Outage:
    """An outage of the API server."""

    seed = 0

    def __init__(self, seconds: float, review: str = "offline") -> None:
        self._seconds, self._review = seconds, review
        self._groups = {
            group: [plain_order(f"o-outage-{group}-{number}") for number in range(GROUP)] for group in GROUPS
        }
        self.orders = [order for group in self._groups.values() for order in group]
        self.title = f"outage: {len(self.orders)} sagas, {seconds:.0f} s without the API server, callers {review}"
        self.repeat = f"make outage OUTAGE_SECONDS={seconds:.0f} OUTAGE_REVIEW={review}"

    def system(self, folder: Path) -> System:
        """One with the default times, without anything between the operator and the API server."""
        return System(folder, relayed=False, env={"ORDERSAGA_AUTHENTICATION_REVIEW": self._review})

    def play(self, stage: Stage) -> dict[str, str]:
        """The outage, and the return of the API server."""
        system, operator = stage.system, stage.system.parts[OPERATOR]
        operator.may_end = False
        stage.load.calm()
        self._fill(stage)
        memory = {"before": _memory(operator.process)}
        self._inject(stage, "pause kube-apiserver")
        system.pause(APISERVER)
        for service in SERVICES:
            system.resume(service)
        self._endure(stage, "paused", operator.process)
        self._inject(stage, "kill -9 kube-apiserver")
        system.kill(APISERVER, self._seconds / 2)
        self._endure(stage, "gone", operator.process)
        stage.phase = "the API server is starting"
        stage.watch(lambda: not system.complete(), SETTLE_SECONDS)
        wait_ready([system.parts[APISERVER].process], idle=stage.progress)
        ready = time.monotonic()
        stage.watch(stage.some_are_live, SETTLE_SECONDS)
        took = time.monotonic() - ready
        memory["after"] = _memory(operator.process)
        stage.settle()
        return {
            "recovery": f"the last saga ended {took:.1f} s after the API server was ready",
            "memory": "; ".join(f"operator {text} {when}" for when, text in memory.items()),
        }

    def _fill(self, stage: Stage) -> None:
        """Bring each group of sagas to its step: a paused service holds them there."""
        pause = stage.system.pause
        pause("notification")
        self._place(stage, "notification", at="notification")
        pause("shipping")
        self._place(stage, "confirmation", at="shipping")
        pause("payment")
        self._place(stage, "shipping", at="payment")
        pause("inventory")
        self._place(stage, "payment", at="inventory")
        pause("order")
        self._pass(stage, "shipping", to="confirmation")
        self._pass(stage, "payment", to="shipping")
        self._pass(stage, "inventory", to="payment")
        self._place(stage, "order", at="order")

    def _pass(self, stage: Stage, service: str, *, to: str) -> None:
        """Let the group that waits for this service go on to the next step, and pause the service again."""
        stage.system.resume(service)
        self._wait(stage, to)
        stage.system.pause(service)

    def _place(self, stage: Stage, group: str, *, at: str) -> None:
        for order in self._groups[group]:
            stage.load.place(order)
        self._wait(stage, at)

    def _wait(self, stage: Stage, step: str) -> None:
        """Wait until a whole group is at the step. Raises StackError."""
        stage.phase = f"sagas on their way to the step {step}"

        def steps() -> Counter[str]:
            resources = stage.load.call(stage.load.resources()).values()
            return Counter((each.get("status") or {}).get("currentStep", "none") for each in resources)

        if not stage.watch(lambda: steps()[step] < GROUP, SETTLE_SECONDS):
            raise StackError(f"after {SETTLE_SECONDS:.0f} s the sagas are at these steps: {dict(steps())}")

    def _inject(self, stage: Stage, text: str) -> None:
        stage.load.log.fault(text)
        print(f"{text} for {self._seconds / 2:.0f} s", flush=True)

    def _endure(self, stage: Stage, how: str, operator: Process) -> None:
        """Run for half of the outage, and print the operator's memory."""
        until = time.monotonic() + self._seconds / 2

        def busy() -> bool:
            stage.phase = f"API server {how}, operator {_memory(operator)}"
            return time.monotonic() < until

        stage.watch(busy, self._seconds)


def _memory(process: Process) -> str:
    if not process.running():
        return process.how_it_ended()
    fields = dict(
        line.split(":", 1) for line in Path(f"/proc/{process.pid}/status").read_text().splitlines() if ":" in line
    )
    now, peak = (int(fields[name].split()[0]) / 1024 for name in ("VmRSS", "VmHWM"))
    return f"{now:.1f} MiB, peak {peak:.1f} MiB"


if __name__ == "__main__":
    seconds, review = float(os.environ.get("OUTAGE_SECONDS") or 600), os.environ.get("OUTAGE_REVIEW") or "offline"
    sys.exit(run(Outage(seconds, review), STATE / "outage"))
