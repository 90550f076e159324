"""Was every promise kept? Compares the answers to customers, the ends of the sagas, the calls, and the books."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from common.wire import Json
from dev.chaos.customers import FINAL_PHASES, Promises
from dev.chaos.network.calls import Call
from dev.chaos.plan.orders import ExpectedEnd, Order, UserAction
from dev.chaos.protocol import broken_rules
from dev.chaos.system import NAMESPACE
from dev.stack.demo.books import Books

GAVE_UP = ("NoAnswer", "Unavailable")
"""Reasons of a rollback without a request: a step spent its attempts on calls with faults and on stopped services."""
ENDED_AS = {"CONFIRMED": "Completed", "CANCELLED": "Compensated"}


@dataclass(frozen=True, slots=True)
class ObservedOrder:
    """All that is known of one order at the end."""

    order: Order
    promises: Promises
    resource: Json | None
    """None: deleted, or removed when its time to live was over."""
    view: Json | None
    """The answer to GET /api/orders/{id}; None: 404."""
    calls: list[Call]

    @property
    def phase(self) -> str:
        """How the saga has ended, according to the resource, or, if that is gone, to the order."""
        if self.resource is not None:
            return str((self.resource.get("status") or {}).get("phase") or "Pending")
        if self.view is None:
            return "Compensated"
        return ENDED_AS.get(str(self.view["status"]), f"left behind with the order {self.view['status']}")

    @property
    def reason(self) -> str:
        """Why it was rolled back."""
        status = (self.resource or {}).get("status") or {}
        return str((status.get("failure") or {}).get("reason") or "")


@dataclass
class Violations:
    """All violations, by order id; those that concern no single order are under an empty one."""

    by_order: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def add(self, order_id: str, findings: Iterable[str]) -> None:
        """Add these, each once."""
        for finding in findings:
            if finding not in self.by_order.get(order_id, ()):
                self.by_order[order_id].append(finding)

    def merge(self, others: "Violations") -> None:
        """Add all of the others."""
        for order_id, findings in others.by_order.items():
            self.add(order_id, findings)

    @property
    def count(self) -> int:
        """How many."""
        return sum(map(len, self.by_order.values()))


def check(orders: Mapping[str, ObservedOrder], books: Books) -> Violations:
    """Everything that is wrong with these orders."""
    violations = Violations()
    for order_id, observed in orders.items():
        violations.add(order_id, _end(observed))
        violations.add(order_id, _promises(observed))
        violations.add(order_id, broken_rules(observed.order, observed.calls, NAMESPACE))
    ended = {order_id: observed.phase for order_id, observed in orders.items() if observed.phase in FINAL_PHASES}
    for finding in books.audit(ended):
        order_id, _, text = finding.partition(": ")
        if order_id not in orders:
            violations.add("", [finding])
        elif not _is_expected(orders[order_id], text):
            violations.add(order_id, [f"books: {text}"])
    return violations


def _is_expected(observed: ObservedOrder, finding: str) -> bool:
    """A resource that was deleted before the operator saw it leaves nothing, not even a cancelled order."""
    return not observed.calls and observed.promises.deleted and finding == "Compensated, but the order is missing"


def _end(observed: ObservedOrder) -> Iterator[str]:
    order, phase, resource = observed.order, observed.phase, observed.resource
    if phase not in FINAL_PHASES:
        yield f"the saga has not ended: {phase}"
        return
    if resource is not None:
        if resource["metadata"].get("finalizers"):
            yield f"it is {phase} and still has the finalizers {resource['metadata']['finalizers']}"
        if resource["metadata"].get("deletionTimestamp"):
            yield f"it is {phase}, was deleted, and is still there"
    if order.kind.expected is ExpectedEnd.COMPENSATED and phase == "Completed":
        yield f"an order that had to be rolled back ({order.kind.name}) is Completed"
    must_complete = order.kind.expected is ExpectedEnd.COMPLETED and order.outcome_is_certain
    if must_complete and phase == "Compensated" and resource is not None and observed.reason not in GAVE_UP:
        yield f"an order that had to be completed ({order.kind.name}) was rolled back: {observed.reason}"
    shown = None if observed.view is None else ENDED_AS.get(str(observed.view["status"]))
    if resource is not None and shown != phase:
        yield f"it is {phase}, but GET /api/orders answers {observed.view and observed.view['status']}"
    for condition in ((resource or {}).get("status") or {}).get("conditions") or ():
        if condition["type"] == "ParticipantError":
            yield f"a participant refused a call of the operator as wrong: {condition['message']}"


def _promises(observed: ObservedOrder) -> Iterator[str]:
    promises, phase = observed.promises, observed.phase
    if promises.placed is None:
        yield "its client never got an answer"
    elif promises.placed[0] != 202:
        yield f"a valid order was refused: {promises.placed[0]} {promises.placed[1]}"
    elif observed.view is None and not promises.deleted and "ttlSecondsAfterFinished" not in observed.order.run:
        yield "its client was answered 202, and there is no such order"
    if promises.cancelled is not None:
        if promises.cancelled[0] == 202 and phase != "Compensated":
            yield f"its cancel was answered 202, and it is {phase}"
        elif promises.cancelled == (409, "already_confirmed") and phase != "Completed":
            yield f"its cancel was answered 409 already_confirmed, and it is {phase}"
        elif promises.cancelled[0] not in (202, 409):
            yield f"its cancel was answered {promises.cancelled[0]} {promises.cancelled[1]}"
    if observed.order.action is UserAction.OTHER_CONTENT and promises.other_content != (409, "order_id_used"):
        yield f"other content under its id was answered {promises.other_content} instead of 409 order_id_used"
    if promises.state_accepted and phase == "Completed" and observed.resource is not None:
        conditions = {each["type"]: each["status"] for each in observed.resource["status"].get("conditions") or ()}
        if conditions.get("CancelRefused") != "True":
            yield "spec.state Cancelled was accepted, and it is Completed without the condition CancelRefused"
