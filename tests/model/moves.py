"""What operators, services and the network can do next, each as what it changes."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Self

from tests.model import claims
from tests.model.operators import IDLE, Operator, Resource, adopts, answered, next_steps, started, waits, write_recorded
from tests.model.participants import EPOCH, MISSING, REFUSED, REJECT, UNDO, Document, Participants, service_of
from tests.model.sagas import Core

LOST: Final = "no answer"
PAUSED: Final = "paused"
STUCK: Final = "stuck"
REST_CANCEL: Final = 12
"""In the network: the second half of a cancel over REST, the PATCH of `spec.state`."""
ALL_USER_REQUESTS: Final = frozenset({"cancel", "cancel over REST", "deletion", "deadline"})


class Budget(NamedTuple):
    """How often the environment may still misbehave. The numbers bound an exploration."""

    faults: int = 0
    """Calls that don't arrive, answers that are lost, status writes whose answer is lost."""
    late: int = 0
    """Calls that time out, stay in the network, and arrive at any later moment."""
    crashes: int = 0
    """Between any two actions, and in the middle of a call."""
    refusals: int = 0
    """Services that say no for business."""
    requests: int = 0
    """A cancel (by spec or over REST), a deletion, a deadline that passes."""
    pauses: int = 0
    """Times that the saga is suspended."""
    outages: int = 0
    """Calls after which the participant counts as down, so that they cost nothing and wait."""
    stuck: int = 0
    """Undos that fail as often as they may."""
    interventions: int = 0
    """Interventions at any moment. Those that a stuck saga needs are free."""
    strangers: int = 0
    """Calls of somebody who isn't the operator (`Bounds.strangers`), or of the operator whose epoch a stranger's call
    has made stale."""
    rebirths: int = 0
    """Times that the finished resource is removed and applied again."""

    def less(self, name: str) -> Self:
        """With one of them spent."""
        return self._replace(**{name: getattr(self, name) - 1})


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What is explored, and how far."""

    budget: Budget
    operators: int = 1
    lag: int = 99
    """How many answers may be unrecorded while calls go on."""
    requests: frozenset[str] = ALL_USER_REQUESTS
    """What the budget's requests may be spent on."""
    other_content: bool = False
    """The resource that is applied again is another order under the same id."""
    strangers: frozenset[tuple[int, bool]] = frozenset()
    """What strangers may send: a call, and whether it has other content or another namespace's key."""
    verdicts: bool = True
    """Whether what a saga ends with is judged: some calls of strangers are no different from the operator's."""
    order_document: Document = MISSING
    """What the order service holds before the saga begins."""


class Move(NamedTuple):
    """One thing that can happen: its name, and the numbers of what it changes (-1: unchanged)."""

    label: tuple[Any, ...]
    me: int = -1
    documents: int = -1
    resource: int = -1
    network: int = -1
    budget: int = -1
    good: bool = False
    """Progress that needs no misbehaviour of anybody and no luck."""


class Parts:
    """Numbers for the parts of a state; 0 is nothing."""

    def __init__(self) -> None:
        self._things: list[Any] = [None]
        self._numbers: dict[object, int] = {None: 0}

    def __getitem__(self, number: int) -> Any:
        return self._things[number]

    def number(self, thing: object) -> int:
        """The number of a part, a new one if it is new."""
        found = self._numbers.get(thing)
        if found is None:
            found = self._numbers[thing] = len(self._things)
            self._things.append(thing)
        return found


class Moves:
    """What operators, services and the network can do."""

    def __init__(self, parts: Parts, core: Core, participants: Participants, bounds: Bounds) -> None:
        self._parts = parts
        self._n = parts.number
        self._core = core
        self._participants = participants
        self._bounds = bounds
        self._next: dict[int, list[tuple[int, int]]] = {}
        self._written: dict[tuple[Resource, int], tuple[int, str]] = {}

    def _next_steps(self, me: int) -> list[tuple[int, int]]:
        """Call (negative: none) and operator afterwards, as `next_steps` has them."""
        found = self._next.get(me)
        if found is None:
            steps = next_steps(self._core, self._parts[me])
            found = self._next[me] = [(call, self._n(after)) for call, after in steps]
        return found

    def _less(self, budget: int, name: str) -> int:
        """The budget with one of them spent; 0 if there is none left."""
        left: Budget = self._parts[budget]
        return self._n(left.less(name)) if getattr(left, name) else 0

    def _foreign(self, uid: int) -> bool:
        return self._bounds.other_content and uid > 0

    # an operator, but for its calls

    def of_process(self, me: int, resource: int, budget: int) -> Iterator[Move]:
        """It starts, decides to write or to wait, writes, reads, dies, or its clock passes the deadline."""
        there: Resource = self._parts[resource]
        operator: Operator | None = self._parts[me]
        if operator is None or operator.ended:
            if operator is None or operator.uid != there.uid:
                yield Move(("starts",), me=self._n(started(there)), good=True)
            return
        for call, after in self._next_steps(me):
            if call < 0:
                yield Move(("decides",), me=after, good=True)
        if not operator.fresh:  # a conflict, or the watch
            yield Move(("reads",), me=self._n(adopts(self._core, operator, there)), good=True)
        elif operator.writing != IDLE:
            yield from self._writes(operator, there, budget)
        if crash := self._less(budget, "crashes"):
            yield Move(("crashes",), me=0, budget=crash)
        if not operator.late and "deadline" in self._bounds.requests and (request := self._less(budget, "requests")):
            yield Move(("sees the deadline pass",), me=self._n(operator._replace(late=True)), budget=request)

    def _writes(self, me: Operator, there: Resource, budget: int) -> Iterator[Move]:
        recorded = self._core.record(me.writing)
        resource, phase = self._after_write(there, recorded)
        yield Move(("records", phase), me=self._n(write_recorded(self._core, me)), resource=resource, good=True)
        if fault := self._less(budget, "faults"):
            unsure = self._n(me._replace(fresh=False))
            yield Move(("records, and doesn't hear of it", phase), me=unsure, resource=resource, budget=fault)

    def _after_write(self, there: Resource, recorded: int) -> tuple[int, str]:
        found = self._written.get((there, recorded))
        if found is None:
            claims.judge_write(self._core.sagas[there.recorded], there.verdict, self._core.sagas[recorded])
            saga = self._core.sagas[recorded]
            decided, verdict = there.decided or saga.failure is not None, there.verdict or claims.verdict_of(saga)
            resource = self._n(there._replace(recorded=recorded, decided=decided, verdict=verdict))
            found = self._written[there, recorded] = resource, str(saga.phase)
        return found

    # its calls

    def of_calls(self, me: int, documents: int, resource: int, network: int, budget: int) -> Iterator[Move]:
        """It calls a participant: every outcome."""
        operator: Operator | None = self._parts[me]
        if operator is None or operator.ended:
            return
        for call, number in self._next_steps(me):
            if call < 0:
                continue
            after: Operator = self._parts[number]
            if after.writing != IDLE and len(after.unrecorded) >= self._bounds.lag:
                yield Move(("decides",), me=number, good=True)  # the bound: this write comes first
                continue
            if call >= UNDO:
                there: Resource = self._parts[resource]
                decided = there.decided or there.uid != after.uid
                claims.judge_undo(call, self._parts[documents], decided=decided)
            yield from self._answered(after, call, documents, budget)
            yield from self._unanswered(after, call, network, budget)

    def _answered(self, me: Operator, call: int, documents: int, budget: int) -> Iterator[Move]:
        for answer, left, paid in self._effects(call, documents, budget, foreign=self._foreign(me.uid)):
            told = self._n(answered(self._core, me, answer, call))
            yield Move((answer, call), me=told, documents=left, budget=paid, good=paid == budget)
            if left == documents:
                continue
            if fault := self._less(paid, "faults"):
                unsure = self._n(answered(self._core, me, LOST, call))
                yield Move((f"{answer}, but the answer is lost", call), me=unsure, documents=left, budget=fault)
            if outage := self._less(paid, "outages"):
                unsure = self._n(waits(self._core, me, PAUSED, call))
                yield Move((f"{answer}, but then the service is down", call), me=unsure, documents=left, budget=outage)
            if crash := self._less(paid, "crashes"):
                yield Move((f"{answer}, but it crashes meanwhile", call), me=0, documents=left, budget=crash)

    def _unanswered(self, me: Operator, call: int, network: int, budget: int) -> Iterator[Move]:
        unsure = self._n(answered(self._core, me, LOST, call))
        if fault := self._less(budget, "faults"):
            yield Move(("never arrives", call), me=unsure, budget=fault)
        if outage := self._less(budget, "outages"):
            waiting = self._n(waits(self._core, me, PAUSED, call))
            yield Move(("doesn't arrive, the service is down", call), me=waiting, budget=outage)
        if self._bounds.strangers and (stranger := self._less(budget, "strangers")):
            refused = self._n(answered(self._core, me, EPOCH, call))
            yield Move(("is refused for its epoch", call), me=refused, budget=stranger)
        if late := self._less(budget, "late"):
            waiting = self._n(tuple(sorted((*self._parts[network], (call, self._foreign(me.uid))))))
            yield Move(("times out and is still under way", call), me=unsure, network=waiting, budget=late)
        if call >= UNDO and call != REJECT and (stuck := self._less(budget, "stuck")):
            given_up = self._n(answered(self._core, me, STUCK, call))
            yield Move(("fails for good", call), me=given_up, budget=stuck)

    def _effects(self, call: int, documents: int, budget: int, *, foreign: bool) -> Iterator[tuple[str, int, int]]:
        """Answer, documents and budget left, for everything that the service may do; a new refusal costs."""
        service = service_of(call)
        before: tuple[Document, ...] = self._parts[documents]
        for answer, document in self._participants.answers(before[service], call, foreign=foreign):
            left = self.put(documents, service, document)
            paid = self._less(budget, "refusals") if answer == REFUSED and left != documents else budget
            if paid:
                yield answer, left, paid

    def put(self, documents: int, service: int, document: Document) -> int:
        """The documents with one of them replaced."""
        before: tuple[Document, ...] = self._parts[documents]
        return self._n((*before[:service], document, *before[service + 1 :]))

    # the network and the services

    def of_network(self, documents: int, network: int, budget: int) -> Iterator[Move]:
        """Late calls, whose answers are not awaited any more, and services that settle what they have accepted."""
        under_way = self._parts[network]
        for place, (call, foreign) in enumerate(under_way):
            if call == REST_CANCEL or (place and under_way[place - 1] == under_way[place]):
                continue
            rest = self._n(under_way[:place] + under_way[place + 1 :])
            for answer, left, paid in self._effects(call, documents, budget, foreign=foreign):
                if left != documents:  # without effect it might as well never arrive
                    yield Move((f"arrives late: {answer}", call), documents=left, network=rest, budget=paid)
        for service, document in enumerate(self._parts[documents]):
            for settled in self._participants.settled(document, service):
                left = self.put(documents, service, settled)
                yield Move((f"settles: {settled.kind}", service), documents=left, good=True)

    def of_strangers(self, documents: int, budget: int) -> Iterator[Move]:
        """Calls of somebody who isn't the operator."""
        left = self._less(budget, "strangers")
        if not left:
            return
        before: tuple[Document, ...] = self._parts[documents]
        for call, foreign in sorted(self._bounds.strangers):
            service = service_of(call)
            if foreign:
                found = {self._participants.strange(before[service], call)}
            else:
                found = {after for _, after in self._participants.answers(before[service], call, foreign=False)}
            for document in found - {before[service]}:
                yield Move(("a stranger", call), documents=self.put(documents, service, document), budget=left)
