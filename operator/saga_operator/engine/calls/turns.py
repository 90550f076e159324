"""Who is next: the sagas that wait for a call to one participant. No I/O."""

from collections import OrderedDict
from typing import Final

MOST: Final = 2
"""Failures in a row that make a difference: from here on it is round robin. With more, one that was tried throughout an
outage would be overtaken by each of those that came at its end as often as it has failed.
"""

Line = OrderedDict[str, None]


class Turns:
    """Sagas that have failed nothing and tried ones take turns, so that neither kind can starve the other.

    Of those that have failed nothing, undos go first: they hold money or goods. Of the tried ones, those that have
    failed once, and then whoever has waited longest: so each is overtaken by each other once at the most.
    """

    def __init__(self) -> None:
        self._undos: Line = OrderedDict()
        self._dos: Line = OrderedDict()
        self._tried: list[Line] = [OrderedDict() for _ in range(MOST)]
        self._line_of: dict[str, Line] = {}
        self._tried_is_next = False

    def __len__(self) -> int:
        return len(self._line_of)

    def __contains__(self, saga: str) -> bool:
        return saga in self._line_of

    def has(self, *, tried: bool) -> bool:
        """Whether one of this kind waits."""
        return any(self._tried) if tried else bool(self._undos or self._dos)

    def join(self, saga: str, *, undo: bool, failures: int) -> None:
        """Wait at the end of the line; `failures` in a row: 0 for one that wasn't tried."""
        self.leave(saga)
        untried = self._undos if undo else self._dos
        line = self._tried[min(failures, MOST) - 1] if failures else untried
        line[saga] = None
        self._line_of[saga] = line

    def leave(self, saga: str) -> None:
        """Wait no longer; nothing if it didn't."""
        line = self._line_of.pop(saga, None)
        if line is not None:
            del line[saga]

    def next(self, *, untried: bool, tried: bool) -> str | None:
        """Take the next one of the kinds that may be called now out of the line."""
        kinds = [kind for kind, may in ((False, untried), (True, tried)) if may and self.has(tried=kind)]
        if not kinds:
            return None
        kind = self._tried_is_next if len(kinds) > 1 else kinds[0]
        self._tried_is_next = not kind
        lines = self._tried if kind else (self._undos, self._dos)
        saga, _ = next(line for line in lines if line).popitem(last=False)
        del self._line_of[saga]
        return saga
