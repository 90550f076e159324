"""All of it together: the states of a small world in which one saga runs, and every next state of each.

A state is a tuple of small integers, since there are very many of them: each number stands for an interned part. What
can happen depends on a few parts only, so it is worked out once for each combination of those.
"""

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from tests.model import claims
from tests.model.moves import REST_CANCEL, Budget, Move, Moves, Parts
from tests.model.operators import Resource
from tests.model.participants import MISSING, Document, Participants, service_of
from tests.model.sagas import FIRST_WISH, Core
from tests.model.wishes import ALL_WISHES, WishMoves

Label = tuple[Any, ...]


class State(NamedTuple):
    """The numbers of the parts; an operator is 0 where no process is."""

    first: int
    second: int
    documents: int
    resource: int
    network: int
    budget: int


Next = tuple[Label, State, bool]
"""What happened, where it leads, and whether it is progress that needs no misbehaviour and no luck."""

NOBODY: Final = 2
"""Whose move it is, when it is neither the first (0) nor the second (1) operator's."""


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """What is explored, and how far."""

    budget: Budget
    operators: int = 1
    lag: int = 99
    """How many answers may be unrecorded while calls go on."""
    wishes: frozenset[str] = ALL_WISHES
    """What the budget's wishes may be spent on."""
    other_content: bool = False
    """The resource that is applied again is another order under the same id."""
    order_document: Document = MISSING
    """What the order service holds before the saga begins."""


class World:
    """The transitions between states, within bounds; with other rules than the real ones in a test of the tests."""

    def __init__(self, bounds: Bounds, *, core: Core | None = None, participants: Participants | None = None) -> None:
        self.core = core or Core()
        self.bounds = bounds
        self._parts = Parts()
        self._participants = participants or Participants()
        self._moves = Moves(self._parts, self.core, self._participants, bounds)
        self._wishes = WishMoves(self._parts, self.core, self._participants, bounds)
        self._networks: dict[tuple[int, int], int] = {}
        self._processes: dict[tuple[int, ...], list[Move]] = {}
        self._calls: dict[tuple[int, ...], list[Move]] = {}
        self._around: dict[tuple[int, ...], list[Move]] = {}
        self._stale: dict[int, int] = {}
        self._judged: set[tuple[int, int]] = set()
        number = self._parts.number
        documents = (bounds.order_document, MISSING, MISSING, MISSING, MISSING)
        resource = Resource(0, FIRST_WISH, self.core.new)
        self.start = State(0, 0, number(documents), number(resource), number(()), number(bounds.budget))

    def part(self, number: int) -> Any:
        """What a number in a state stands for."""
        return self._parts[number]

    def finished(self, state: State) -> bool:
        """Whether the saga is recorded as Completed or Compensated."""
        return self.core.finished(self.part(state.resource).recorded)

    def judge(self, state: State) -> None:
        """Raises `claims.Broken` if the state contradicts the promise."""
        key = (state.documents, state.resource)
        if key not in self._judged:
            documents = self.part(state.documents)
            claims.judge_effects(documents)
            claims.judge_verdict(self.part(state.resource).verdict, documents)
            self._judged.add(key)

    def next_states(self, state: State) -> list[Next]:
        """Every transition that is possible now."""
        first, second, documents, resource, network, budget = state
        found: list[Next] = []
        for whose in range(self.bounds.operators):
            me = second if whose else first
            key = (me, resource, budget)
            moves = self._processes.get(key)
            if moves is None:
                moves = self._processes[key] = list(self._moves.of_process(me, resource, budget))
            self._moved(state, whose, moves, found)
            call_key = (me, documents, resource, network, budget)
            moves = self._calls.get(call_key)
            if moves is None:
                moves = self._calls[call_key] = list(self._moves.of_calls(*call_key))
            self._moved(state, whose, moves, found)
        around = (documents, resource, network, budget)
        moves = self._around.get(around)
        if moves is None:
            moves = list(self._moves.of_network(documents, network, budget))
            moves += self._wishes.of_people(*around)
            self._around[around] = moves
        self._moved(state, NOBODY, moves, found)
        return found

    def _moved(self, state: State, whose: int, moves: list[Move], found: list[Next]) -> None:
        was_first, was_second, was_documents, was_resource, was_network, was_budget = state
        for label, me, new_documents, new_resource, new_network, budget, good in moves:
            first, second, resource = was_first, was_second, was_resource
            if new_resource >= 0:  # it has a new version: news for whoever has not written it
                resource = new_resource
                if first and whose != 0:
                    first = self._unaware(first)
                if second and whose != 1:
                    second = self._unaware(second)
            if me >= 0:
                if whose:
                    second = me
                else:
                    first = me
            documents = new_documents if new_documents >= 0 else was_documents
            network = self._still_of_interest(documents, new_network if new_network >= 0 else was_network)
            after = State(first, second, documents, resource, network, budget if budget >= 0 else was_budget)
            found.append(((whose, *label), after, good))

    def _still_of_interest(self, documents: int, network: int) -> int:
        """Late calls that can't have an effect any more might as well never arrive."""
        found = self._networks.get((documents, network))
        if found is None:
            before = self.part(documents)
            calls = tuple(
                (call, foreign)
                for call, foreign in self.part(network)
                if call == REST_CANCEL or self._participants.matters(before[service_of(call)], call, foreign=foreign)
            )
            found = self._networks[documents, network] = self._parts.number(calls)
        return found

    def _unaware(self, operator: int) -> int:
        found = self._stale.get(operator)
        if found is None:
            found = self._stale[operator] = self._parts.number(self.part(operator)._replace(fresh=False))
        return found
