"""All of it together: the states of a small world in which one saga runs, and every next state of each.

A state is a tuple of small integers, since there are very many of them: each number stands for an interned part. What
can happen depends on a few parts only, so it is worked out once for each combination of those.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from tests.model import claims
from tests.model.moves import Budget, Move, Moves, Parts
from tests.model.operators import Resource
from tests.model.participants import MISSING, Document, Participants
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

    budget: Budget = Budget()
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
        self._moves = Moves(self._parts, self.core, participants or Participants(), bounds)
        self._wishes = WishMoves(self._parts, self.core, participants or Participants(), bounds)
        self._known: dict[tuple[Any, ...], list[Move]] = {}
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

    def next_states(self, state: State) -> Iterator[Next]:
        """Every transition that is possible now."""
        _, _, documents, resource, network, budget = state
        for whose in range(self.bounds.operators):
            me = state[whose]
            yield from self._moved(state, whose, self._known_moves(self._moves.of_process, me, resource, budget))
            around = (documents, resource, network, budget)
            yield from self._moved(state, whose, self._known_moves(self._moves.of_calls, me, *around))
        yield from self._moved(state, NOBODY, self._known_moves(self._moves.of_network, documents, network, budget))
        yield from self._moved(state, NOBODY, self._known_moves(self._wishes.of_people, *around))

    def _known_moves(self, moves: Callable[..., Iterator[Move]], *parts: int) -> list[Move]:
        key = (moves, *parts)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = list(moves(*parts))
        return found

    def _moved(self, state: State, whose: int, moves: list[Move]) -> Iterator[Next]:
        for label, me, documents, resource, network, budget, good in moves:
            operators = [state[0], state[1]]
            if resource >= 0:  # it has a new version: news for whoever has not written it
                operators = [self._unaware(o) if o and whose != place else o for place, o in enumerate(operators)]
            if me >= 0:
                operators[whose] = me
            after = State(
                *operators,
                documents if documents >= 0 else state[2],
                resource if resource >= 0 else state[3],
                network if network >= 0 else state[4],
                budget if budget >= 0 else state[5],
            )
            yield (whose, *label), after, good

    def _unaware(self, operator: int) -> int:
        found = self._stale.get(operator)
        if found is None:
            found = self._stale[operator] = self._parts.number(self.part(operator)._replace(fresh=False))
        return found
