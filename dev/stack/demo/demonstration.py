"""The demonstration: an order that completes, one whose payment is declined, and one that outlives its operator."""

import time
from collections.abc import Callable

from pymongo import MongoClient

from common.wire import Json
from dev.stack.demo.console import print_heading, print_line, progress
from dev.stack.demo.shop import Shop, finished, phase
from dev.stack.processes import Process

# The test provider settles `test-processing` two seconds after it was asked: time enough to kill the operator.
SLOW_METHOD = "test-processing"


class Demo:
    """Places orders and shows what becomes of them."""

    def __init__(self, shop: Shop, tick: Callable[[], None], started: float) -> None:
        """`tick` is called while an order runs, to restart dead processes; `started`: time.time() of the command."""
        self._shop = shop
        self._tick = tick
        self._started = started
        self._name = time.strftime("demo-%m%d-%H%M%S")

    def completes(self) -> bool:
        """An order that goes all the way."""
        print_heading("An order: two mugs, paid, shipped, confirmed by mail")
        order = self._run(f"{self._name}-ok")
        self._print_outcome(order, "Completed")
        print_line(f"  {time.time() - self._started:.1f} s after the start", "dim")
        return phase(order) == "Completed"

    def compensates(self) -> bool:
        """An order whose payment is declined: what was done before is undone."""
        print_heading("An order with a declined card: what was done is undone")
        order = self._run(f"{self._name}-declined", payment={"method_ref": "test-declined"})
        self._print_outcome(order, "Compensated")
        return phase(order) == "Compensated"

    def survives(self, operator: Process, mongodb_url: str, database: str) -> bool:
        """An order whose operator is killed in the middle: the next one finishes it, and charges nothing twice."""
        print_heading("An order whose operator is killed (kill -9) while the payment is being processed")
        killed = False

        def interfere(order: Json) -> None:
            nonlocal killed
            steps = {step["name"]: step["state"] for step in (order.get("saga") or {}).get("steps") or []}
            if not killed and steps.get("inventory") == "Succeeded":
                operator.kill()
                killed = True
                print_line("  the operator is killed", "bold red")

        order_id = f"{self._name}-killed"
        order = self._run(order_id, each=interfere, payment={"method_ref": SLOW_METHOD})
        self._print_outcome(order, "Completed")
        with MongoClient[Json](mongodb_url) as client:
            charges = client[database].ledger.count_documents({"order_id": order_id, "kind": "charge"})
        print_line(f"  the payment provider's ledger holds {charges} charge for this order")
        return killed and charges == 1 and phase(order) == "Completed"

    def _run(self, order_id: str, each: Callable[[Json], None] = lambda order: None, **changes: Json) -> Json:
        self._shop.place(order_id, **changes)
        with progress(order_id) as show:

            def look(order: Json) -> None:
                show(order)
                each(order)
                self._tick()

            return self._shop.watch(order_id, finished, each=look)

    def _print_outcome(self, order: Json, expected: str) -> None:
        outcome = phase(order)
        reason = f", {order['reason']}" if order.get("reason") else ""
        print_line(
            f"  {order['order_id']}: saga {outcome}, order {order['status']}{reason}",
            "green" if outcome == expected else "red",
        )
