"""The plan of a run: everything that is decided beforehand. The same seed and size give the same plan."""

from collections.abc import Iterator
from dataclasses import dataclass

from dev.chaos.plan.call_faults import CallFaultKind, call_fault, delayed_step
from dev.chaos.plan.faults import Fault, make_faults
from dev.chaos.plan.orders import Order, UserAction, make_orders

# The calls of an order that meets no faults; a plan that is printed shows the faults of the first call of each.
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


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run is going to do."""

    seed: int
    orders: tuple[Order, ...]
    faults: tuple[Fault, ...]

    @classmethod
    def make(cls, seed: int, count: int) -> "Plan":
        """The plan of `count` orders."""
        return cls(seed, make_orders(seed, count), make_faults(seed, count))

    def lines(self) -> Iterator[str]:
        """For people: a line for each order and each fault, in the order in which they come."""
        yield f"seed {self.seed}: {len(self.orders)} orders, {len(self.faults)} faults"
        faults = list(self.faults)
        for placed, order in enumerate(self.orders):
            while faults and faults[0].after <= placed:
                yield f"  *** {faults.pop(0)}"
            yield f"{order.order_id}  {self._describe(order)}"

    def _describe(self, order: Order) -> str:
        words = [f"{order.kind.name} ({order.kind.expected})"]
        if order.by_kubernetes:
            words.append("by Kubernetes" + "".join(f" {key}={value}" for key, value in order.run.items()))
        if order.action is not UserAction.NONE:
            words.append(f"{order.action} after {order.action_after:.2f} s")
        if step := delayed_step(self.seed, order.order_id):
            words.append(f"{step}/do arrives late only")
        for step, operation in OPERATIONS:
            fault = call_fault(self.seed, order.order_id, step, operation, 1)
            if fault.kind is not CallFaultKind.NONE and not (step == "client" and order.by_kubernetes):
                seconds = f" {fault.seconds:.1f} s" if fault.seconds else ""
                words.append(f"{step}/{operation} {fault.kind}{seconds}")
        return ", ".join(words)
