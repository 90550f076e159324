"""`make outage`: minutes without the API server, with sagas at every step but inventory, and the books afterwards.

For the first half of OUTAGE_SECONDS (600) the API server is paused, so that connections stay open and nobody answers;
for the second half it is gone. Meanwhile all services work: what the operator may do without its API server, it does.
"""

import json
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from common.wire import Json
from dev.setup.errors import StackError
from dev.stack.books import Books
from dev.stack.layout import PORTS, Layout
from dev.stack.ports import free_ports
from dev.stack.processes import Process, wait_ready
from dev.stack.shop import ADDRESS_REF, FINAL
from dev.stack.stack import Stack

SECONDS = float(os.environ.get("OUTAGE_SECONDS", "600"))
GROUP = 8
"""Sagas in the middle of each step: more than a breaker needs to open."""
SETTLE_SECONDS = 120.0
"""For the sagas to come to their step, and to end after the return."""


class Outage:
    """One run on a stack of its own."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._names: list[str] = []

    def run(self) -> list[str]:
        """What is wrong afterwards."""
        operator, apiserver = self._stack.operator, self._stack.plane.apiserver
        self._sagas_in_every_step()
        _say(f"sagas by step: {dict(self._steps())}; process {operator.pid}, {_rss(operator.pid)}")
        _signal(apiserver, signal.SIGSTOP)
        for service in self._stack.services.values():
            _signal(service, signal.SIGCONT)
        self._endure("paused", SECONDS / 2)
        apiserver.kill()
        self._endure("gone", SECONDS / 2)
        apiserver.start()
        wait_ready([apiserver])
        returned = time.monotonic()
        self._wait("all sagas to end", lambda: all(phase in FINAL for phase in self._phases().values()))
        took = time.monotonic() - returned
        _say(f"the last saga ended {took:.1f} s after the API server was ready; {_rss(operator.pid)}")
        phases = self._phases()
        _say(f"phases: {dict(Counter(phases.values()))}")
        findings = [f"{name} is Failed" for name, phase in phases.items() if phase == "Failed"]
        with Books(self._stack.mongod.url) as books:
            findings += books.audit({name: phase for name, phase in phases.items() if phase != "Failed"})
        if not operator.running():
            findings.append(f"the operator {operator.how_it_ended()}")
        return findings

    def _sagas_in_every_step(self) -> None:
        """A service that is paused holds the sagas at its step; the last steps are filled first."""
        services = self._stack.services
        self._hold("notification")
        self._place("notification", at="notification")
        self._hold("shipping")
        self._place("confirmation", at="shipping")
        self._hold("payment")
        self._place("shipping", at="payment")
        self._hold("inventory")
        self._place("payment", at="inventory")
        _signal(services["order"], signal.SIGSTOP)
        self._pass("shipping", to="confirmation")
        self._pass("payment", to="shipping")
        self._pass("inventory", to="payment")
        self._place("order", at="order")

    def _hold(self, service: str) -> None:
        _signal(self._stack.services[service], signal.SIGSTOP)

    def _pass(self, service: str, *, to: str) -> None:
        """Let the group that waits for this service through, and hold the service again."""
        _signal(self._stack.services[service], signal.SIGCONT)
        self._wait(f"sagas at the step {to}", lambda: self._steps()[to] >= GROUP)
        self._hold(service)

    def _place(self, group: str, *, at: str) -> None:
        """Orders as from Git: the order service asks the inventory for prices, and either may be paused."""
        sagas = [_saga(f"o-outage-{group}-{number}") for number in range(GROUP)]
        body = {"apiVersion": "v1", "kind": "List", "items": sagas}
        self._kubectl("create", "-f", "-", input=json.dumps(body))
        self._names += [saga["metadata"]["name"] for saga in sagas]
        self._wait(f"sagas at the step {at}", lambda: self._steps()[at] >= GROUP)

    def _endure(self, how: str, seconds: float) -> None:
        operator = self._stack.operator
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(30.0, left))
            if not operator.running():
                raise StackError(f"the operator {operator.how_it_ended()}; see {operator.log}")
            _say(f"API server {how}, {max(0.0, until - time.monotonic()):.0f} s more; {_rss(operator.pid)}")

    def _wait(self, what: str, look: Callable[[], bool]) -> None:
        until = time.monotonic() + SETTLE_SECONDS
        while not look():
            if time.monotonic() > until:
                raise StackError(f"waited {SETTLE_SECONDS:.0f} s for {what}: {self._steps()}, {self._phases()}")
            time.sleep(0.2)

    def _kubectl(self, *args: str, **kwargs: Any) -> str:
        return self._stack.plane.administrator.kubectl("--namespace", "shop", *args, **kwargs).stdout

    def _sagas(self) -> list[Json]:
        items: list[Json] = json.loads(self._kubectl("get", "ordersagas", "-o", "json"))["items"]
        return items

    def _steps(self) -> Counter[str]:
        statuses = (saga.get("status") or {} for saga in self._sagas())
        return Counter(status.get("currentStep", "none") for status in statuses)

    def _phases(self) -> dict[str, str]:
        found = {saga["metadata"]["name"]: (saga.get("status") or {}).get("phase", "Pending") for saga in self._sagas()}
        return {name: found.get(name, "gone") for name in self._names}


def _saga(name: str) -> Json:
    spec = {
        "orderID": name,
        "customerID": "c-17",
        "currency": "EUR",
        "items": [{"productID": "p-mug", "quantity": 2, "unitPriceMinor": 1250}],
        "payment": {"methodRef": "test-ok"},
        "shipTo": {"addressRef": ADDRESS_REF},
    }
    return {"apiVersion": "ordersaga.io/v1alpha1", "kind": "OrderSaga", "metadata": {"name": name}, "spec": spec}


def _signal(process: Process, number: signal.Signals) -> None:
    os.killpg(process.pid, number)


def _rss(pid: int) -> str:
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line)
    now, peak = (int(fields[name].split()[0]) / 1024 for name in ("VmRSS", "VmHWM"))
    return f"operator {now:.1f} MiB, peak {peak:.1f} MiB"


def _say(text: str) -> None:
    print(text, flush=True)


def main() -> int:
    """Exit status 1 if anything is wrong."""
    folder = Path(tempfile.mkdtemp(prefix="ordersaga-outage-"))
    stack = Stack(Layout(folder, dict(zip(PORTS, free_ports(len(PORTS)), strict=True))))
    try:
        stack.start()
        with stack.shop() as shop:
            shop.seed()
        findings = Outage(stack).run()
    except StackError as error:
        findings = [str(error)]
    finally:
        for service in stack.services.values():
            if service.running():
                _signal(service, signal.SIGCONT)
        stack.supervisor.stop()
    for finding in findings:
        _say(f"WRONG: {finding}")
    _say(f"logs: {folder}" if findings else "every saga ended, and the books balance")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
