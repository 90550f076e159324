"""Breadth first through all states of a world; then backwards from the ends, to see that each state can still end."""

from __future__ import annotations  # array isn't subscriptable at run time in 3.11

from array import array
from dataclasses import dataclass

from tests.model.claims import Broken
from tests.model.world import State, World, in_words


@dataclass(frozen=True)
class Explored:
    """What was found."""

    states: int
    transitions: int
    ends: int
    """States in which the saga is recorded as finished."""
    endless: int
    """States from which no end can be reached by progress alone."""
    broken: str = ""
    """The first claim that does not hold, or empty."""
    trace: tuple[str, ...] = ()
    """How to get to where a claim breaks, or to an endless state."""

    def __str__(self) -> str:
        trouble = self.broken or (f"{self.endless} states can't end" if self.endless else "all can end")
        return "\n    ".join([f"{self.states} states, {self.transitions} transitions: {trouble}", *self.trace])


def explore(world: World, *, limit: int = 3_000_000) -> Explored:
    """Visit every state. Stops at the first broken claim.

    Raises:
        RuntimeError: more than `limit` states.
    """
    states: list[State] = [world.start]
    numbers = {world.start: 0}
    parents, sources, targets = array("i", [-1]), array("i"), array("i")
    transitions = place = 0
    two = world.bounds.operators == 2
    try:
        while place < len(states):
            state = states[place]
            world.judge(state)
            for _, move, there in world.next_states(state):
                transitions += 1
                after = _normal(there) if two else there
                number = numbers.get(after)
                if number is None:
                    number = numbers[after] = len(states)
                    states.append(after)
                    parents.append(place)
                if move.good:
                    sources.append(place)
                    targets.append(number)
            place += 1
            if len(states) > limit:
                raise RuntimeError(f"more than {limit} states: choose smaller bounds")
    except Broken as error:
        return Explored(len(states), transitions, 0, 0, str(error), _trace(world, states, parents, place))
    ends = [number for number, state in enumerate(states) if world.finished(state)]
    reached = _backwards(len(states), sources, targets, ends)
    endless = len(states) - sum(reached)
    trace = _trace(world, states, parents, reached.index(0)) if endless else ()
    return Explored(len(states), transitions, len(ends), endless, trace=trace)


def _backwards(count: int, sources: array[int], targets: array[int], ends: list[int]) -> bytearray:
    """Which states lead to an end: the transitions are sorted by target first (counting sort)."""
    first = array("i", bytes(4 * (count + 1)))
    for target in targets:
        first[target + 1] += 1
    for number in range(count):
        first[number + 1] += first[number]
    place, by_target = array("i", first), array("i", bytes(4 * len(sources)))
    for source, target in zip(sources, targets, strict=True):
        by_target[place[target]] = source
        place[target] += 1
    reached = bytearray(count)
    waiting = list(ends)
    for number in ends:
        reached[number] = 1
    while waiting:
        number = waiting.pop()
        for source in by_target[first[number] : first[number + 1]]:
            if not reached[source]:
                reached[source] = 1
                waiting.append(source)
    return reached


def _trace(world: World, states: list[State], parents: array[int], end: int) -> tuple[str, ...]:
    path = [end]
    while parents[path[-1]] >= 0:
        path.append(parents[path[-1]])
    path.reverse()
    found = []
    state = world.start
    for number in path[1:]:
        whose, move, state = next(
            step for step in world.next_states(state) if states[number] in (step[2], _normal(step[2]))
        )
        found.append(in_words(whose, move))
    return tuple(found)


def _normal(state: State) -> State:
    """The two operators are alike, so that it doesn't matter which is called the first."""
    first, second, documents, resource, network, budget = state
    return state if first <= second else (second, first, documents, resource, network, budget)
