"""The plan of a run: everything that is decided beforehand. The same seed and size give the same plan."""

from collections.abc import Iterator
from dataclasses import dataclass

from dev.chaos.plan.call_faults import Trouble, disturbance_of, haunted_step
from dev.chaos.plan.faults import Strike, make_strikes
from dev.chaos.plan.orders import Meddling, Order, make_orders

# What an order that meets no trouble calls; the plan shows the disturbances of the first call of each.
OPERATIONS = (
    ("client", "place"),
    ("order", "do"),
    ("inventory", "do"),
    ("payment", "do"),
    ("shipping", "do"),
    ("confirmation", "do"),
    ("notification", "do"),
    ("confirmation", "undo"),
    ("shipping", "undo"),
    ("payment", "undo"),
    ("inventory", "undo"),
    ("order", "undo"),
)


@dataclass(frozen=True)
class Plan:
    """What a run is going to do."""

    seed: int
    orders: tuple[Order, ...]
    strikes: tuple[Strike, ...]

    @classmethod
    def make(cls, seed: int, count: int) -> "Plan":
        """The plan of `count` orders."""
        return cls(seed, make_orders(seed, count), make_strikes(seed, count))

    def lines(self) -> Iterator[str]:
        """For people: a line for each order and each strike, in the order in which they come."""
        yield f"seed {self.seed}: {len(self.orders)} orders, {len(self.strikes)} strikes"
        strikes = list(self.strikes)
        for placed, order in enumerate(self.orders):
            while strikes and strikes[0].after <= placed:
                yield f"  *** {strikes.pop(0)}"
            yield f"{order.order_id}  {self._describe(order)}"

    def _describe(self, order: Order) -> str:
        words = [f"{order.kind.name} ({order.kind.ending})"]
        if order.by_kubernetes:
            words.append("by Kubernetes" + "".join(f" {key}={value}" for key, value in order.run.items()))
        if order.meddling is not Meddling.NONE:
            words.append(f"{order.meddling} after {order.meddling_after:.2f} s")
        if step := haunted_step(self.seed, order.order_id):
            words.append(f"{step}/do arrives late only")
        for step, operation in OPERATIONS:
            found = disturbance_of(self.seed, order.order_id, step, operation, 1)
            if found.trouble is not Trouble.NONE and not (step == "client" and order.by_kubernetes):
                seconds = f" {found.seconds:.1f} s" if found.seconds else ""
                words.append(f"{step}/{operation} {found.trouble}{seconds}")
        return ", ".join(words)
