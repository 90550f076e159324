"""All of it together: the states of a small world in which one saga runs, and every next state of each.

A state is a tuple of small integers, since there are very many of them: each number stands for an interned part. What
can happen depends on a few parts only, so it is worked out once for each combination of those.
"""

from typing import Any, Final

from tests.model import claims
from tests.model.moves import REST_CANCEL, Bounds, Move, Moves, Parts
from tests.model.operators import Resource
from tests.model.participants import CALLS, MISSING, Participants, service_of
from tests.model.sagas import NO_REQUEST, Core
from tests.model.user_requests import UserRequestMoves

State = tuple[int, int, int, int, int, int]
"""First and second operator (0: no process), documents, resource, network, budget."""
Next = tuple[int, Move, State]
"""Whose move it is, what happens, and where it leads."""

DOCUMENTS, RESOURCE = 2, 3
NO_OPERATOR: Final = 2
"""Whose move it is, when it is neither the first (0) nor the second (1) operator's."""


class World:
    """The transitions between states, within bounds; with other rules than the real ones in a test of the tests."""

    def __init__(self, bounds: Bounds, *, core: Core | None = None, participants: Participants | None = None) -> None:
        self.core = core or Core()
        self.bounds = bounds
        self._parts = Parts()
        self._participants = participants or Participants()
        self._moves = Moves(self._parts, self.core, self._participants, bounds)
        self._requests = UserRequestMoves(self._parts, self.core, self._participants, bounds)
        self._networks: dict[tuple[int, int], int] = {}
        self._processes: dict[tuple[int, ...], list[Move]] = {}
        self._calls: dict[tuple[int, ...], list[Move]] = {}
        self._around: dict[tuple[int, ...], list[Move]] = {}
        self._stale: dict[int, int] = {}
        self._judged: set[tuple[int, int]] = set()
        number = self._parts.number
        documents = (bounds.order_document, MISSING, MISSING, MISSING, MISSING)
        resource = Resource(0, NO_REQUEST, self.core.new)
        self._quiet = number(())
        self.start: State = (0, 0, number(documents), number(resource), self._quiet, number(bounds.budget))

    def part(self, number: int) -> Any:
        """What a number in a state stands for."""
        return self._parts[number]

    def finished(self, state: State) -> bool:
        """Whether the saga is recorded as Completed or Compensated."""
        return self.core.finished(self.part(state[RESOURCE]).recorded)

    def judge(self, state: State) -> None:
        """Raises `claims.Broken` if the state contradicts the promise."""
        key = (state[DOCUMENTS], state[RESOURCE])
        if key not in self._judged:
            documents = self.part(state[DOCUMENTS])
            claims.judge_effects(documents)
            if self.bounds.verdicts:
                claims.judge_verdict(self.part(state[RESOURCE]).verdict, documents)
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
            if moves:
                self._moved(state, whose, moves, found)
            call_key = (me, documents, resource, network, budget)
            moves = self._calls.get(call_key)
            if moves is None:
                moves = self._calls[call_key] = list(self._moves.of_calls(*call_key))
            if moves:
                self._moved(state, whose, moves, found)
        around = (documents, resource, network, budget)
        moves = self._around.get(around)
        if moves is None:
            moves = list(self._moves.of_network(documents, network, budget))
            moves += self._requests.of_people(*around)
            moves += self._moves.of_strangers(documents, budget)
            self._around[around] = moves
        if moves:
            self._moved(state, NO_OPERATOR, moves, found)
        return found

    def _moved(self, state: State, whose: int, moves: list[Move], found: list[Next]) -> None:
        was_first, was_second, was_documents, was_resource, was_network, was_budget = state
        for move in moves:
            _, me, documents, resource, network, budget, _ = move
            first, second = was_first, was_second
            if resource >= 0:  # it has a new version, which an operator that has not written it does not know
                if first and whose != 0:
                    first = self._unaware(first)
                if second and whose != 1:
                    second = self._unaware(second)
            else:
                resource = was_resource
            if me >= 0:
                if whose:
                    second = me
                else:
                    first = me
            if documents < 0:
                documents = was_documents
            if network < 0:
                network = was_network
            if network != self._quiet:
                network = self._still_of_interest(documents, network)
            after = (first, second, documents, resource, network, budget if budget >= 0 else was_budget)
            found.append((whose, move, after))

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


def in_words(whose: int, move: Move) -> str:
    """A transition for a person."""
    what, *rest = move.label
    who = "" if whose == NO_OPERATOR else f"operator {whose + 1}: "
    return who + " ".join([*(CALLS[part] if isinstance(part, int) else part for part in rest), what])
