"""One run: start, load and faults, calm, and the audit."""

import contextlib
import fcntl
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from common.kube import KubeError
from common.wire import Json
from dev.chaos import report
from dev.chaos.catalogue import seed_catalogue
from dev.chaos.checks import ObservedOrder, Violations, check
from dev.chaos.customers import Promises
from dev.chaos.load import Load
from dev.chaos.plan.plan import Plan
from dev.chaos.system import System
from dev.setup.errors import StackError
from dev.stack.books import Books
from dev.stack.processes import wait_ready
from dev.stack.shop import Shop

LOAD_SECONDS: Final = 120.0
LOAD_SECONDS_EACH: Final = 1.0
"""What the load may take, and for each order: about three times what two busy cores need."""
LAST_SECONDS: Final = 5.0
"""How long faults go on after the last order was placed."""
END_SECONDS: Final = 180.0
"""For all sagas to end once the faults have stopped: the longest back-off is 30 s, and a lost event costs a resync."""
TIDY_SECONDS: Final = 90.0
"""For finalizers and deletions after that: the operator promises a minute."""
SHOWN: Final = 5
"""Orders whose timeline is printed; all are in the file."""


class Run:
    """A plan being carried out."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        self._plan = plan
        self._folder = folder
        self._said = 0.0
        self._phase = "starting"

    def whole(self) -> bool:
        """All of it; whether there were no violations. Raises StackError when the system can't be started."""
        began = time.monotonic()
        plan = self._plan
        print(f"chaos: {len(plan.orders)} sagas, {len(plan.faults)} faults, seed {plan.seed}", flush=True)
        with _only_one(self._folder):
            for old in ("mongod", "control-plane", "logs"):
                shutil.rmtree(self._folder / old, ignore_errors=True)
            system = System(self._folder)
            try:
                with Load(plan.seed, plan.orders, system) as load:
                    observed, violations = self._carry_out(system, load)
            finally:
                system.stop()
        print()
        print(report.summary(plan, load.log, system, observed, time.monotonic() - began))
        with (self._folder / "timelines.txt").open("w") as file:
            for outcome in observed.values():
                print(*report.timeline(outcome, load.log), sep="\n", end="\n\n", file=file)
        if not violations.count:
            print("\n  0 violations")
            return True
        path = self._folder / "violations.txt"
        path.write_text("\n".join(report.violations(violations, observed, load.log)))
        print("\n" + "\n".join(report.violations(violations, observed, load.log, SHOWN)))
        print(f"  {violations.count} violations, all of them in {path}; logs in {self._folder / 'logs'}")
        print(f"  again: make chaos CHAOS_SEED={plan.seed} CHAOS_SAGAS={len(plan.orders)}")
        return False

    def _carry_out(self, system: System, load: Load) -> tuple[dict[str, ObservedOrder], Violations]:
        system.start(idle=lambda: None)
        with Shop({name: system.wiring.url(name) for name in system.wiring.service_ports}) as shop:
            seed_catalogue(shop, len(self._plan.orders))
            load.begin()
            own = Violations()
            self._inject(system, load, own)
            self._calm(system, load, own)
            observed = self._observed(load, shop)
        with Books(system.mongod.url) as books:
            violations = check(observed, books)
        own.add("", system.ended_by_themselves)
        for order_id, findings in own.by_order.items():
            violations.add(order_id, findings)
        return observed, violations

    def _inject(self, system: System, load: Load, violations: Violations) -> None:
        """Until all orders are placed."""
        faults = list(self._plan.faults)

        def busy() -> bool:
            while faults and faults[0].after <= load.placed:
                fault = faults.pop(0)
                load.log.faults.append((load.log.now(), str(fault)))
                system.inject(fault)
                load.inject(fault)
            return load.placed < len(self._plan.orders)

        self._phase = "load and faults"
        limit = LOAD_SECONDS + LOAD_SECONDS_EACH * len(self._plan.orders)
        if not self._watch(system, load, busy, limit):
            violations.add("", [f"after {limit:.0f} s only {load.placed} orders were placed"])
        self._watch(system, load, lambda: not load.done, LAST_SECONDS)

    def _calm(self, system: System, load: Load, violations: Violations) -> None:
        """No more faults; every saga has to end, and what is over has to be tidied up."""
        self._phase = "calm: every saga ends"
        system.calm()
        load.calm()
        self._watch(system, load, lambda: not system.complete(), END_SECONDS)
        wait_ready(system.wanted(), idle=lambda: self._say(load))

        def busy() -> bool:
            return not load.done or load.proxy.late_deliveries > 0 or self._look(load)

        if not self._watch(system, load, busy, END_SECONDS):
            waiting = f"{len(load.live)} sagas" if load.done else "clients"
            violations.add("", [f"{END_SECONDS:.0f} s after the last fault {waiting} have not come to an end"])
        self._phase = "calm: finalizers"
        self._watch(system, load, lambda: bool(self._untidy(load)), TIDY_SECONDS)

    def _watch(self, system: System, load: Load, busy: Callable[[], bool], seconds: float) -> bool:
        """Look after the parts while `busy`; False if that lasted too long."""
        until = time.monotonic() + seconds
        while busy():
            if time.monotonic() > until:
                return False
            system.tick()
            self._say(load)
            time.sleep(0.02)
        return True

    def _look(self, load: Load) -> bool:
        """Whether some saga has not ended."""
        time.sleep(0.3)
        try:
            return bool(load.call(load.live_sagas()))
        except KubeError:
            return True

    def _untidy(self, load: Load) -> bool:
        time.sleep(0.5)
        try:
            resources = load.call(load.resources())
        except KubeError:
            return True
        return any(_is_untidy(resource) for resource in resources.values())

    def _observed(self, load: Load, shop: Shop) -> dict[str, ObservedOrder]:
        self._phase = "audit"
        self._say(load)
        resources = load.call(load.resources(), seconds=120)

        def view(order_id: str) -> Json | None:
            answer = shop.request("GET", "order", f"/api/orders/{order_id}")
            if answer.status_code not in (200, 404):
                raise StackError(f"GET /api/orders/{order_id} was answered {answer.status_code}: {answer.text}")
            found: Json = answer.json()
            return found if answer.status_code == 200 else None

        placed = [order for order in self._plan.orders if order.order_id in load.promises]
        with ThreadPoolExecutor(4) as pool:
            views = list(pool.map(view, [order.order_id for order in placed]))
        return {
            order.order_id: ObservedOrder(
                order,
                load.promises.get(order.order_id, Promises()),
                resources.get(order.order_id),
                seen,
                load.log.calls.get(order.order_id, []),
            )
            for order, seen in zip(placed, views, strict=True)
        }

    def _say(self, load: Load) -> None:
        """Progress: a line that stays where it is on a terminal, and now and then a line elsewhere."""
        terminal = sys.stdout.isatty()
        if time.monotonic() - self._said < (0.5 if terminal else 10):
            return
        self._said = time.monotonic()
        log = load.log
        line = (
            f"{log.now():6.0f} s  {load.placed}/{len(self._plan.orders)} placed, {len(load.live)} live, "
            f"{len(log.faults)} faults, {log.faulty} calls with a fault: {self._phase}"
        )
        print(f"\r{line:<100}" if terminal else line, end="" if terminal else "\n", flush=True)


def _is_untidy(resource: Json) -> bool:
    metadata = resource["metadata"]
    return bool(metadata.get("deletionTimestamp") or metadata.get("finalizers"))


@contextlib.contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StackError(f"another run uses {folder}: wait for it, or name another --folder") from None
        yield
