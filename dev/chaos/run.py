"""One run of a scenario: start a system, play the scenario, let every saga end, and audit."""

import contextlib
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from common.kube import KubeError
from common.wire import Json
from dev.chaos import report
from dev.chaos.catalogue import seed_catalogue
from dev.chaos.checks import ObservedOrder, Violations, check
from dev.chaos.load import Load
from dev.chaos.plan.orders import Order
from dev.chaos.system import System
from dev.setup.errors import StackError, exit_status
from dev.setup.locks import locked
from dev.stack.demo.books import Books
from dev.stack.demo.shop import Shop
from dev.stack.processes import wait_ready

END_SECONDS: Final = 180.0
"""For all sagas to end once the faults have stopped: the longest back-off is 30 s, and a lost event costs a resync."""
TIDY_SECONDS: Final = 90.0
"""For finalizers and deletions after that: the operator promises a minute."""
SHOWN: Final = 5
"""Orders whose timeline is printed; all are in the file."""


@dataclass
class Stage:
    """The running system and its load, on which a scenario injects its faults."""

    system: System
    load: Load
    violations: Violations = field(default_factory=Violations)
    phase: str = "starting"
    """What is happening now, for the line of progress."""
    _printed: float = 0.0

    def watch(self, busy: Callable[[], bool], seconds: float) -> bool:
        """Start, resume and stop parts while `busy`; False if that lasted longer than `seconds`."""
        until = time.monotonic() + seconds
        while busy():
            if time.monotonic() > until:
                return False
            self.system.tick()
            self.progress()
            time.sleep(0.02)
        return True

    def settle(self) -> None:
        """End all faults. Then every saga has to end, and its finalizer has to go."""
        self.phase = "calm: every saga ends"
        self.system.calm()
        self.load.calm()
        self.watch(lambda: not self.system.complete(), END_SECONDS)
        wait_ready(self.system.wanted(), idle=self.progress)

        def busy() -> bool:
            return not self.load.done or self.load.proxy.late_deliveries > 0 or self.some_are_live()

        if not self.watch(busy, END_SECONDS):
            waiting = f"{len(self.load.live)} sagas" if self.load.done else "clients"
            self.violations.add("", [f"{END_SECONDS:.0f} s after the last fault {waiting} have not come to an end"])
        self.phase = "calm: finalizers"
        self.watch(self._some_are_untidy, TIDY_SECONDS)

    def progress(self) -> None:
        """A line that is overwritten on a terminal; elsewhere a new line every ten seconds."""
        terminal = sys.stdout.isatty()
        if time.monotonic() - self._printed < (0.5 if terminal else 10):
            return
        self._printed = time.monotonic()
        load, log = self.load, self.load.log
        line = (
            f"{log.now():6.0f} s  {load.placed} placed, {len(load.live)} live, {len(log.faults)} faults, "
            f"{log.faulty} calls with a fault: {self.phase}"
        )
        print(f"\r{line:<100}" if terminal else line, end="" if terminal else "\n", flush=True)

    def some_are_live(self) -> bool:
        """Whether a saga has not ended; true also while the API server doesn't answer."""
        time.sleep(0.3)
        try:
            return bool(self.load.call(self.load.live_sagas()))
        except KubeError:
            return True

    def _some_are_untidy(self) -> bool:
        time.sleep(0.5)
        try:
            resources = self.load.call(self.load.resources())
        except KubeError:
            return True
        metadata = [resource["metadata"] for resource in resources.values()]
        return any(each.get("deletionTimestamp") or each.get("finalizers") for each in metadata)


class Scenario(Protocol):
    """What is done to a system."""

    title: str
    """One line."""
    repeat: str
    """The command that runs it again."""
    seed: int

    @property
    def orders(self) -> Sequence[Order]:
        """What is ordered."""

    def system(self, folder: Path) -> System:
        """The system that it needs."""

    def play(self, stage: Stage) -> dict[str, str]:
        """All of it, `stage.settle()` included. Rows for the summary. Raises StackError."""


class Run:
    """A scenario on a system of its own in a folder."""

    def __init__(self, scenario: Scenario, folder: Path) -> None:
        self._scenario = scenario
        self._folder = folder

    def passes(self) -> bool:
        """Carry it out; whether there were no violations. Raises StackError when the system can't be started."""
        began = time.monotonic()
        scenario = self._scenario
        print(scenario.title, flush=True)
        with _only_one(self._folder):
            for old in ("mongod", "control-plane", "logs"):
                shutil.rmtree(self._folder / old, ignore_errors=True)
            system = scenario.system(self._folder)
            try:
                with Load(scenario.seed, scenario.orders, system) as load:
                    stage = Stage(system, load)
                    rows, observed = self._carry_out(stage)
            finally:
                system.stop()
        rows["duration"] = f"{time.monotonic() - began:.0f} s"
        print("\n" + report.summary(load.log, system, observed, rows))
        with (self._folder / "timelines.txt").open("w") as file:
            for order in observed.values():
                print(*report.timeline(order, load.log), sep="\n", end="\n\n", file=file)
        violations = stage.violations
        if not violations.count:
            print("\n  0 violations")
            return True
        path = self._folder / "violations.txt"
        path.write_text("\n".join(report.violations(violations, observed, load.log)))
        print("\n" + "\n".join(report.violations(violations, observed, load.log, SHOWN)))
        print(f"  {violations.count} violations, all of them in {path}; logs in {self._folder / 'logs'}")
        print(f"  again: {scenario.repeat}")
        return False

    def _carry_out(self, stage: Stage) -> tuple[dict[str, str], dict[str, ObservedOrder]]:
        system = stage.system
        system.start()
        urls = {name: system.wiring.url(name) for name in system.wiring.service_ports}
        with Shop(urls, system.staff_tokens) as shop:
            seed_catalogue(shop, len(self._scenario.orders))
            rows = self._scenario.play(stage)
            stage.phase = "audit"
            stage.progress()
            observed = self._observed(stage.load, shop)
        with Books(system.mongod.url) as books:
            stage.violations.merge(check(observed, books))
        stage.violations.add("", system.ended_by_themselves)
        return rows, observed

    def _observed(self, load: Load, shop: Shop) -> dict[str, ObservedOrder]:
        resources = load.call(load.resources(), seconds=120)

        def view(order_id: str) -> Json | None:
            answer = shop.request("GET", "order", f"/api/orders/{order_id}")
            if answer.status_code not in (200, 404):
                raise StackError(f"GET /api/orders/{order_id} was answered {answer.status_code}: {answer.text}")
            found: Json = answer.json()
            return found if answer.status_code == 200 else None

        promises = load.customers.promises
        placed = [order for order in self._scenario.orders if order.order_id in promises]
        with ThreadPoolExecutor(4) as pool:
            views = list(pool.map(view, [order.order_id for order in placed]))
        return {
            (name := order.order_id): ObservedOrder(
                order, promises[name], resources.get(name), seen, load.log.calls.get(name, [])
            )
            for order, seen in zip(placed, views, strict=True)
        }


def run(scenario: Scenario, folder: Path) -> int:
    """Run it: 0 without violations, 1 with some or if the system can't be started, 130 after Ctrl-C or SIGTERM."""
    again = f"Interrupted; again: {scenario.repeat}"
    return exit_status(lambda: 0 if Run(scenario, folder.resolve()).passes() else 1, interrupted=again)


@contextlib.contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(locked(folder / "lock", wait=False))
        except BlockingIOError:
            raise StackError(f"another run uses {folder}: wait for it, or name another --folder") from None
        yield
