"""Breadth first through all states of a world; then backwards from the ends, to see that each state can still end."""

from __future__ import annotations

from array import array
from dataclasses import dataclass

from tests.model.claims import Broken
from tests.model.world import State, World, told


@dataclass(frozen=True)
class Explored:
    """What was found."""

    states: int
    transitions: int
    ends: int
    endless: int
    """States from which no end can be reached by progress alone."""
    broken: str
    """The first claim that does not hold, or empty."""
    trace: tuple[str, ...]
    """How to get to the state where a claim breaks, or to an endless one."""


def explore(world: World, *, limit: int = 5_000_000) -> Explored:
    """Visit every state. Stops at the first broken claim.

    Raises:
        RuntimeError: more than `limit` states.
    """
    states: list[State] = [world.start]
    numbers = {world.start: 0}
    parents = array("i", [-1])
    sources, targets = array("i"), array("i")
    transitions = 0
    place = 0
    try:
        while place < len(states):
            state = states[place]
            world.judge(state)
            for _, after, good in world.next_states(state):
                transitions += 1
                number = numbers.get(after)
                if number is None:
                    number = numbers[after] = len(states)
                    states.append(after)
                    parents.append(place)
                    if number > limit:
                        raise RuntimeError(f"more than {limit} states: choose smaller bounds")
                if good:
                    sources.append(place)
                    targets.append(number)
            place += 1
    except Broken as error:
        return Explored(len(states), transitions, 0, 0, str(error), _trace(world, states, parents, place))
    ends = [number for number, state in enumerate(states) if world.finished(state)]
    reached = _backwards(len(states), sources, targets, ends)
    endless = [number for number in range(len(states)) if not reached[number]]
    trace = _trace(world, states, parents, endless[0]) if endless else ()
    return Explored(len(states), transitions, len(ends), len(endless), "", trace)


def _backwards(count: int, sources: array[int], targets: array[int], ends: list[int]) -> bytearray:
    """Which states lead to an end: the transitions are sorted by target first (counting sort)."""
    first = array("i", bytes(4 * (count + 1)))
    for target in targets:
        first[target + 1] += 1
    for number in range(count):
        first[number + 1] += first[number]
    place = array("i", first)
    by_target = array("i", bytes(4 * len(sources)))
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


def _trace(world: World, states: list[State], parents: array[int], number: int) -> tuple[str, ...]:
    path = [number]
    while parents[path[-1]] >= 0:
        path.append(parents[path[-1]])
    path.reverse()
    steps = []
    for before, after in zip(path, path[1:], strict=False):
        label = next(label for label, there, _ in world.next_states(states[before]) if there == states[after])
        steps.append(told(label))
    return tuple(steps)
