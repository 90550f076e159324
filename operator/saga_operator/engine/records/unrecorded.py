"""The outcomes of calls that aren't recorded yet: what is decided again when another process has written first."""

from collections.abc import Iterator
from typing import Final

from saga_operator.process.events import Outcome

KEPT: Final = 200
"""Outcomes of one kind for one step: twice the largest budget of a step. A call that is made again for as long as its
record is refused has thousands a day.
"""


class Unrecorded:
    """In the order in which they came. Of more than `KEPT` that differ in their time alone, the second goes: the first
    says when the calling began.
    """

    def __init__(self) -> None:
        self._outcomes: dict[int, Outcome] = {}
        self.newest = 0
        """The number of the last one; 0 before the first."""

    def __iter__(self) -> Iterator[Outcome]:
        return iter(self._outcomes.values())

    def add(self, outcome: Outcome) -> None:
        """Keep it until it is recorded."""
        self.newest += 1
        self._outcomes[self.newest] = outcome
        if len(self._outcomes) > KEPT:
            kind = _kind(outcome)
            alike = [number for number, each in self._outcomes.items() if _kind(each) == kind]
            if len(alike) > KEPT:
                del self._outcomes[alike[1]]

    def recorded(self, newest: int) -> None:
        """Let go of all up to this number."""
        self._outcomes = {number: each for number, each in self._outcomes.items() if number > newest}


def _kind(outcome: Outcome) -> tuple[object, ...]:
    return type(outcome), outcome.step, getattr(outcome, "undo", False)
