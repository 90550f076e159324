"""Everything around the operators: the services, the network, people, crashes; and every next state of all of it.

A state is a tuple of small integers, since there are very many of them: each number stands for an interned part.
"""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from saga_operator.saga import Desired, Phase, is_stuck
from tests.model import claims
from tests.model.operators import IDLE, Operator, Resource, adopts, answered, next_steps, started, write_recorded
from tests.model.participants import (
    CALLS,
    CONFIRMED_BEFORE,
    ID_USED,
    MISSING,
    REFUSED,
    REJECT,
    STEPS,
    UNDO,
    Document,
    Participants,
    service_of,
)
from tests.model.sagas import FIRST_WISH, Core, Wish

Documents = tuple[Document, ...]
"""Order, inventory, payment, shipping, notification."""
LOST: Final = "no answer"
STUCK: Final = "stuck"
REST_CANCEL: Final = 12
"""In the network: the second half of a cancel over REST, the PATCH of `spec.state`."""


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
    wishes: int = 0
    """A cancel (by spec or over REST), a deletion, a deadline that passes."""
    pauses: int = 0
    """Times that the saga is suspended."""
    stuck: int = 0
    """Undos that fail as often as they may."""
    interventions: int = 0
    """Wishes of a person at any moment. Those that a stuck saga needs are free."""
    rebirths: int = 0
    """Times that the finished resource is removed and applied again."""

    def less(self, **spent: int) -> "Budget":
        """With some of it spent."""
        return self._replace(**{name: getattr(self, name) - count for name, count in spent.items()})


class State(NamedTuple):
    """The numbers of the parts; an operator is 0 where no process is."""

    first: int
    second: int
    documents: int
    resource: int
    network: int
    budget: int


Label = tuple[object, ...]
Next = tuple[Label, State, bool]
"""What happened, where it leads, and whether it is progress that needs no misbehaviour and no luck."""


class World:
    """What is explored, and within which bounds.

    Args:
        lag: how many answers may be unrecorded while calls go on.
        other_content: the resource that is applied again is another order under the same id.
        order_document: what the order service holds before the saga begins.
    """

    def __init__(
        self,
        budget: Budget,
        *,
        core: Core | None = None,
        participants: Participants | None = None,
        operators: int = 1,
        lag: int = 99,
        other_content: bool = False,
        order_document: Document = MISSING,
    ) -> None:
        self.core = core or Core()
        self.participants = participants or Participants()
        self.operators = operators
        self.lag = lag
        self.other_content = other_content
        self.things: list[Any] = [None]
        self._numbers: dict[object, int] = {}
        self._steps: dict[int, list[tuple[int, int]]] = {}
        self._pairs: dict[tuple[object, ...], int] = {}
        self._judged: set[tuple[int, int]] = set()
        documents = (order_document, MISSING, MISSING, MISSING, MISSING)
        resource = Resource(0, FIRST_WISH, self.core.new)
        self.start = State(0, 0, self._n(documents), self._n(resource), self._n(()), self._n(budget))

    def _n(self, thing: object) -> int:
        number = self._numbers.get(thing)
        if number is None:
            number = self._numbers[thing] = len(self.things)
            self.things.append(thing)
        return number

    def finished(self, state: State) -> bool:
        """Whether the saga is recorded as Completed or Compensated."""
        return self.core.finished(self.things[state.resource].recorded)

    def judge(self, state: State) -> None:
        """Raises `claims.Broken` if the state contradicts the promise."""
        key = (state.documents, state.resource)
        if key not in self._judged:
            documents = self.things[state.documents]
            claims.judge_effects(documents)
            claims.judge_verdict(self.things[state.resource].verdict, documents)
            self._judged.add(key)

    def next_states(self, state: State) -> Iterator[Next]:
        """Every transition that is possible now."""
        for slot in range(self.operators):
            number = state[slot]
            if number == 0:
                yield self._start(state, slot)
                continue
            me: Operator = self.things[number]
            if me.ended and me.uid != self.things[state.resource].uid:
                yield self._start(state, slot)
            if not me.ended:
                yield from self._decides(state, slot, number)
                yield from self._writes(state, slot, me)
                yield from self._suffers(state, slot, me)
        yield from self._arrivals(state)
        yield from self._people(state)

    # operators

    def _with(self, state: State, slot: int, operator: int, **changes: int) -> State:
        fields = {"second" if slot else "first": operator, **changes}
        return state._replace(**fields)

    def _start(self, state: State, slot: int) -> Next:
        operator = started(self.things[state.resource])
        return ("starts", slot), self._with(state, slot, self._n(operator)), True

    def _decides(self, state: State, slot: int, number: int) -> Iterator[Next]:
        steps = self._steps.get(number)
        if steps is None:
            found = next_steps(self.core, self.things[number])
            steps = self._steps[number] = [(step.call, self._n(step.after)) for step in found]
        for call, after in steps:
            if call < 0:
                yield ("decides", slot), self._with(state, slot, after), True
            else:
                yield from self._calls(state, slot, call, after)

    def _calls(self, state: State, slot: int, call: int, after: int) -> Iterator[Next]:
        me: Operator = self.things[after]
        documents: Documents = self.things[state.documents]
        resource: Resource = self.things[state.resource]
        budget: Budget = self.things[state.budget]
        if me.writing != IDLE and len(me.unrecorded) >= self.lag:
            return
        if call >= UNDO:
            claims.judge_undo(call, documents, decided=resource.decided or me.uid != resource.uid)
        service = service_of(call)
        unanswered = self._answered(after, LOST, call)
        foreign = self.other_content and me.uid > 0
        for answer, document in self.participants.answers(documents[service], call, foreign=foreign):
            spent, left = budget, state.documents
            changed = document != documents[service]
            if changed:
                left = self._put(state.documents, service, document)
            refusal = answer == REFUSED and changed
            if refusal:
                if not budget.refusals:
                    continue
                spent = budget.less(refusals=1)
            told = self._answered(after, answer, call)
            number = self._n(spent)
            yield (answer, slot, call), self._with(state, slot, told, documents=left, budget=number), not refusal
            if spent.faults and changed:
                number = self._n(spent.less(faults=1))
                lost = self._with(state, slot, unanswered, documents=left, budget=number)
                yield ("answer lost", slot, call, answer), lost, False
            if spent.crashes and changed:
                number = self._n(spent.less(crashes=1))
                yield ("crash in", slot, call), self._with(state, slot, 0, documents=left, budget=number), False
        if budget.faults:
            number = self._n(budget.less(faults=1))
            yield ("never arrives", slot, call), self._with(state, slot, unanswered, budget=number), False
        if budget.late:
            number = self._n(budget.less(late=1))
            network = self._n(tuple(sorted((*self.things[state.network], (call, foreign)))))
            yield ("late", slot, call), self._with(state, slot, unanswered, budget=number, network=network), False
        if budget.stuck and call >= UNDO and call != REJECT:
            number = self._n(budget.less(stuck=1))
            stuck = self._answered(after, STUCK, call)
            yield ("fails for good", slot, call), self._with(state, slot, stuck, budget=number), False

    def _answered(self, operator: int, answer: str, call: int) -> int:
        key = (operator, answer, call)
        found = self._pairs.get(key)
        if found is None:
            found = self._pairs[key] = self._n(answered(self.core, self.things[operator], answer, call))
        return found

    def _put(self, documents: int, service: int, document: Document) -> int:
        key = (documents, service, document)
        found = self._pairs.get(key)
        if found is None:
            old: Documents = self.things[documents]
            found = self._pairs[key] = self._n((*old[:service], document, *old[service + 1 :]))
        return found

    def _writes(self, state: State, slot: int, me: Operator) -> Iterator[Next]:
        if not me.fresh:  # a conflict, or the watch
            after = adopts(self.core, me, self.things[state.resource])
            yield ("reads", slot), self._with(state, slot, 0 if after is None else self._n(after)), True
        elif me.writing != IDLE:
            resource: Resource = self.things[state.resource]
            if self.core.finished(resource.recorded):
                raise claims.Broken("the status of a finished saga is written again: the API server refuses that")
            saga = self.core.sagas[self.core.record(me.writing)]
            verdict = claims.verdict_of(saga)
            claims.judge_change(resource.verdict, verdict)
            written = resource._replace(
                recorded=self.core.record(me.writing),
                decided=resource.decided or saga.failure is not None,
                verdict=resource.verdict or verdict,
            )
            after = write_recorded(self.core, me)
            there = self._others_stale(state, slot)._replace(resource=self._n(written))
            yield ("records", slot), self._with(there, slot, self._n(after)), True
            budget: Budget = self.things[state.budget]
            if budget.faults:
                unsure = self._n(me._replace(fresh=False))
                number = self._n(budget.less(faults=1))
                yield ("records unheard", slot), self._with(there, slot, unsure, budget=number), False

    def _others_stale(self, state: State, slot: int = -1) -> State:
        for other in range(self.operators):
            number = state[other]
            if other != slot and number:
                key = ("stale", number)
                stale = self._pairs.get(key)
                if stale is None:
                    stale = self._pairs[key] = self._n(self.things[number]._replace(fresh=False))
                state = self._with(state, other, stale)
        return state

    def _suffers(self, state: State, slot: int, me: Operator) -> Iterator[Next]:
        budget: Budget = self.things[state.budget]
        if budget.crashes:
            yield ("crash", slot), self._with(state, slot, 0, budget=self._n(budget.less(crashes=1))), False
        if budget.wishes and not me.late:
            late = self._n(me._replace(late=True))
            yield ("deadline", slot), self._with(state, slot, late, budget=self._n(budget.less(wishes=1))), False

    # the network and the services

    def _arrivals(self, state: State) -> Iterator[Next]:
        """Late calls, whose answers nobody waits for; and services that settle what they have accepted."""
        documents: Documents = self.things[state.documents]
        network = self.things[state.network]
        for place, (call, foreign) in enumerate(network):
            if place and network[place - 1] == network[place]:
                continue
            rest = self._n(network[:place] + network[place + 1 :])
            if call == REST_CANCEL:
                yield from self._wished(state, ("spec.state follows",), _cancelled, network=rest)
                continue
            service = service_of(call)
            for answer, document in self.participants.answers(documents[service], call, foreign=foreign):
                if document == documents[service]:
                    continue  # without effect it might as well never arrive
                budget: Budget = self.things[state.budget]
                if answer == REFUSED:
                    if not budget.refusals:
                        continue
                    budget = budget.less(refusals=1)
                left = self._put(state.documents, service, document)
                after = state._replace(documents=left, network=rest, budget=self._n(budget))
                yield ("arrives late", call, answer), after, False
        for service, document in enumerate(documents):
            for settled in self.participants.settled(document, service):
                after = state._replace(documents=self._put(state.documents, service, settled))
                yield ("settles", service, settled), after, True

    # people

    def _wished(self, state: State, label: Label, change: Any, *, good: bool = False, **fields: int) -> Iterator[Next]:
        resource: Resource = self.things[state.resource]
        wish = change(resource.wish)
        if wish != resource.wish and not self.core.finished(resource.recorded):
            number = self._n(resource._replace(wish=wish))
            yield label, self._others_stale(state)._replace(resource=number, **fields), good

    def _people(self, state: State) -> Iterator[Next]:
        budget: Budget = self.things[state.budget]
        resource: Resource = self.things[state.resource]
        if budget.wishes:
            number = self._n(budget.less(wishes=1))
            yield from self._wished(state, ("cancel by spec",), _cancelled, budget=number)
            yield from self._wished(state, ("deletion",), _deleted, budget=number)
            yield from self._cancel_over_rest(state, number)
        if budget.pauses:
            number = self._n(budget.less(pauses=1))
            yield from self._wished(state, ("suspend",), _suspended, budget=number)
        yield from self._wished(state, ("resume",), _resumed, good=True)
        yield from self._interventions(state, resource, budget)
        if budget.rebirths and self.core.finished(resource.recorded):
            again = Resource(resource.uid + 1, FIRST_WISH, self.core.new, verdict=resource.verdict)
            number = self._n(budget.less(rebirths=1))
            after = self._others_stale(state)._replace(resource=self._n(again), budget=number)
            yield ("applied again",), after, False

    def _cancel_over_rest(self, state: State, budget: int) -> Iterator[Next]:
        resource: Resource = self.things[state.resource]
        documents: Documents = self.things[state.documents]
        if self.core.finished(resource.recorded):
            return
        foreign = self.other_content and resource.uid > 0
        for answer, document in self.participants.answers(documents[0], REJECT, foreign=foreign):
            if answer not in (CONFIRMED_BEFORE, ID_USED):
                network = self._n(tuple(sorted((*self.things[state.network], (REST_CANCEL, False)))))
                left = self._put(state.documents, 0, document)
                yield ("cancel over REST",), state._replace(documents=left, network=network, budget=budget), False

    def _interventions(self, state: State, resource: Resource, budget: Budget) -> Iterator[Next]:
        saga = self.core.sagas[resource.recorded]
        wished = resource.wish[2].split(" ")[0]
        if wished and (saga.intervention is None or saga.intervention.id != wished):
            return  # the one before has not been acted upon
        name = "b" if wished == "a" else "a"
        if saga.phase is Phase.FAILED:
            for record in saga.steps:
                if is_stuck(record):
                    yield from self._intervention(state, f"{name} RetryNow {record.name}", good=True)
                    if record.name in STEPS[1:4]:
                        yield from self._marked(state, f"{name} MarkCompensated {record.name}", record.name)
        elif budget.interventions:
            number = self._n(budget.less(interventions=1))
            for step in STEPS:
                yield from self._intervention(state, f"{name} RetryNow {step}", budget=number)
            yield from self._intervention(state, f"{name} Skip notification", budget=number)

    def _intervention(self, state: State, text: str, *, good: bool = False, **fields: int) -> Iterator[Next]:
        def change(wish: Wish) -> Wish:
            return wish[0], wish[1], text

        yield from self._wished(state, ("intervention", text), change, good=good, **fields)

    def _marked(self, state: State, text: str, step: str) -> Iterator[Next]:
        """A person undoes the effect by hand and says so."""
        service = STEPS.index(step)
        document = self.things[state.documents][service]
        if document.kind == "done":
            document = document.undone("by hand")
        yield from self._intervention(state, text, documents=self._put(state.documents, service, document))


def _cancelled(wish: Wish) -> Wish:
    return Desired.CANCELLED, wish[1], wish[2]


def _deleted(wish: Wish) -> Wish:
    return wish[0], True, wish[2]


def _suspended(wish: Wish) -> Wish:
    return (Desired.SUSPENDED if wish[0] is Desired.ACTIVE else wish[0]), wish[1], wish[2]


def _resumed(wish: Wish) -> Wish:
    return (Desired.ACTIVE if wish[0] is Desired.SUSPENDED else wish[0]), wish[1], wish[2]


def told(label: Label) -> str:
    """A transition in words, for a trace."""
    words = [str(label[0])]
    if label[0] in ("arrives late", "settles"):
        return " ".join([*words, CALLS[label[1]] if label[0] == "arrives late" else STEPS[label[1]], str(label[2])])
    if len(label) > 1:
        words.insert(0, f"operator {label[1]}" if isinstance(label[1], int) else str(label[1]))
    if len(label) > 2:
        words.append(CALLS[label[2]])
    return " ".join([*words, *map(str, label[3:])])
