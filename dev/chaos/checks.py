"""Has the promise been kept? What customers were told, how sagas ended, and the books, held against each other."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from common.wire import Json
from dev.chaos.customers import FINAL_PHASES, Promises
from dev.chaos.network.calls import Call
from dev.chaos.plan.orders import Ending, Meddling, Order
from dev.chaos.protocol import broken_rules
from dev.chaos.system import NAMESPACE
from dev.stack.books import Books

GAVE_UP = ("NoAnswer", "Unavailable")
"""Reasons of a rollback that nobody asked for: a step's budget was spent on disturbed calls and dead services."""
ENDED_AS = {"CONFIRMED": "Completed", "CANCELLED": "Compensated"}


@dataclass(frozen=True)
class Outcome:
    """All that is known of one order at the end."""

    order: Order
    promises: Promises
    resource: Json | None
    """None: deleted, or removed when its time to live was over."""
    view: Json | None
    """What GET /api/orders/{id} answers; None: 404."""
    calls: list[Call]

    @property
    def phase(self) -> str:
        """How the saga has ended; without a resource, what the order says of it."""
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
class Verdict:
    """Violations by order id; the id is empty for what concerns no single order."""

    violations: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def add(self, order_id: str, findings: Iterable[str]) -> None:
        """More of them; each is said once."""
        for finding in findings:
            if finding not in self.violations.get(order_id, ()):
                self.violations[order_id].append(finding)

    @property
    def count(self) -> int:
        """How many."""
        return sum(map(len, self.violations.values()))


def judge(outcomes: Mapping[str, Outcome], books: Books) -> Verdict:
    """Everything that is wrong."""
    verdict = Verdict()
    for order_id, outcome in outcomes.items():
        verdict.add(order_id, _endings(outcome))
        verdict.add(order_id, _promises(outcome))
        verdict.add(order_id, broken_rules(outcome.order, outcome.calls, NAMESPACE))
    ended = {order_id: outcome.phase for order_id, outcome in outcomes.items() if outcome.phase in FINAL_PHASES}
    for finding in books.audit(ended):
        order_id, _, text = finding.partition(": ")
        if order_id not in outcomes:
            verdict.add("", [finding])
        elif not _is_expected(outcomes[order_id], text):
            verdict.add(order_id, [f"books: {text}"])
    return verdict


def _is_expected(outcome: Outcome, finding: str) -> bool:
    """A resource that was deleted before anybody saw it has left nothing, not even an order that was cancelled."""
    return not outcome.calls and outcome.promises.deleted and finding == "Compensated, but the order is missing"


def _endings(outcome: Outcome) -> Iterator[str]:
    order, phase, resource = outcome.order, outcome.phase, outcome.resource
    if phase not in FINAL_PHASES:
        yield f"the saga has not ended: {phase}"
        return
    if resource is not None:
        if resource["metadata"].get("finalizers"):
            yield f"it is {phase} and still has the finalizers {resource['metadata']['finalizers']}"
        if resource["metadata"].get("deletionTimestamp"):
            yield f"it is {phase}, was deleted, and is still there"
    if order.kind.ending is Ending.COMPENSATED and phase == "Completed":
        yield f"an order that had to be refused ({order.kind.name}) is Completed"
    right = order.kind.ending is Ending.COMPLETED and order.undisturbed
    if right and phase == "Compensated" and resource is not None and outcome.reason not in GAVE_UP:
        yield f"an order that was right ({order.kind.name}) was rolled back: {outcome.reason}"
    told = None if outcome.view is None else ENDED_AS.get(str(outcome.view["status"]))
    if resource is not None and told != phase:
        yield f"it is {phase}, but GET /api/orders answers {outcome.view and outcome.view['status']}"
    for condition in ((resource or {}).get("status") or {}).get("conditions") or ():
        if condition["type"] == "ParticipantError":
            yield f"a participant called the operator's call wrong: {condition['message']}"


def _promises(outcome: Outcome) -> Iterator[str]:
    promises, phase = outcome.promises, outcome.phase
    if promises.placed is None:
        yield "its client never got an answer"
    elif promises.placed[0] != 202:
        yield f"a right order was refused: {promises.placed[0]} {promises.placed[1]}"
    elif outcome.view is None and not promises.deleted and "ttlSecondsAfterFinished" not in outcome.order.run:
        yield "its client was told 202, and there is no such order"
    if promises.cancelled is not None:
        if promises.cancelled[0] == 202 and phase != "Compensated":
            yield f"its cancel was answered 202, and it is {phase}"
        elif promises.cancelled == (409, "already_confirmed") and phase != "Completed":
            yield f"its cancel was answered 409 already_confirmed, and it is {phase}"
        elif promises.cancelled[0] not in (202, 409):
            yield f"its cancel was answered {promises.cancelled[0]} {promises.cancelled[1]}"
    if outcome.order.meddling is Meddling.OTHER_CONTENT and promises.other_content != (409, "order_id_used"):
        yield f"other content under its id was answered {promises.other_content} instead of 409 order_id_used"
    if promises.state_accepted and phase == "Completed" and outcome.resource is not None:
        conditions = {each["type"]: each["status"] for each in outcome.resource["status"].get("conditions") or ()}
        if conditions.get("CancelRefused") != "True":
            yield "spec.state Cancelled was taken, and it is Completed without the condition CancelRefused"
