"""The attempts of one action or compensation, with their numbers and times, as far as they are known."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from saga_operator.resource.attempts import CallAttempt
from saga_operator.resource.trace.place import MOST_ATTEMPTS

NOT_COUNTED: Final = frozenset({"InProgress", "EpochRefused"})
"""Outcomes after which the same attempt goes on with the next call."""
UNSETTLED: Final = "Unavailable"
"""The outcome that may not have been counted: while the participant counts as down, nothing is."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """`start` and `end` in seconds since the epoch. `outcome` is "" and the times are estimated if only its number is
    recorded.
    """

    number: int
    start: float
    end: float
    outcome: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Calls:
    """What is recorded of an action, or of a compensation.

    `counted`: attempts; `outcome`: of the whole; `known`: the last attempts, as the step's history has them.
    """

    counted: int
    start: float | None
    end: float | None
    outcome: str
    reason: str
    known: Sequence[CallAttempt]
    unrecorded: bool = False
    """A process that died has made a call, which shows in what its undo has found."""

    @property
    def were_made(self) -> bool:
        """Whether the participant was called at all."""
        return bool(self.counted or self.known or self.start is not None or self.unrecorded)

    def attempts(self, otherwise: float) -> list[Attempt]:
        """All that have a span, by their numbers. `otherwise`: a time, where none is known."""
        known = {attempt.number: attempt for attempt in _merged(self._numbered())}
        # a call that was not counted has begun an attempt as well
        missing = [number for number in range(1, min(self.counted or 1, MOST_ATTEMPTS) + 1) if number not in known]
        start = otherwise if self.start is None else self.start
        if not known and len(missing) == 1:
            end = start if self.end is None else self.end
            if self.unrecorded:
                return [Attempt(missing[0], start, max(start, end))]
            return [Attempt(missing[0], start, max(start, end), self.outcome, self.reason)]
        until = min((attempt.start for attempt in known.values()), default=self.end if self.end is not None else start)
        for place, number in enumerate(missing):
            at = start + max(0.0, until - start) * place / len(missing)
            known[number] = Attempt(number, at, at)
        return [known[number] for number in sorted(known)]

    def _numbered(self) -> Iterator[tuple[int, CallAttempt]]:
        """The known attempts from the last to the first. Without a number they count back from the last counted one."""
        number = self.counted + 1
        if self.end is None and sum(map(_counts, self.known)) > self.counted and self.known[-1].outcome == UNSETTLED:
            number += bool(self.counted)
        for attempt in reversed(self.known):
            if _counts(attempt):
                number = max(1, number - 1)
            yield attempt.number or number, attempt


def _counts(attempt: CallAttempt) -> bool:
    return attempt.outcome not in NOT_COUNTED


def _merged(numbered: Iterator[tuple[int, CallAttempt]]) -> Iterator[Attempt]:
    """One for each number: several calls of one attempt are one span, from the first to the end of the last.

    After a RetryNow attempts are counted from 1 again: of two with the same number the later one has the span.
    """
    seen: set[int] = set()
    for number, group in groupby(numbered, key=lambda each: each[0]):
        alike = [call for _, call in group]
        if number in seen:
            continue
        seen.add(number)
        last = alike[0]  # they come backwards
        start = min(call.time for call in alike)
        end = max(call.time + call.milliseconds / 1000 for call in alike)
        yield Attempt(number, start, end, last.outcome, last.reason)
