"""Whether a participant counts as down, judged by the outcomes of its calls. No I/O, no clock of its own.

It counts as down when several different sagas in a row got no usable answer. Then single calls probe, and after the
first that is answered the number of calls at once doubles with each round of which at least half were answered. Three
kinds of sagas must not spoil this for the others:

- A *tried* one got no answer the last time. It may be hopeless by itself (a damaged document, a poisoned order), so
  sagas that weren't tried probe at intervals of their own, which the failures of tried ones don't stretch.
- A *hopeless* one was not answered again and again although others were in between. Its failures are its own: they say
  nothing about the participant. If it is answered after all, that was wrong, and all start afresh.
- A slow call that began before the last answer says nothing, either: the participant was alive since.

Whoever got no answer isn't called again at once, however many calls there may be: see `pause_of`. And if a participant
says when it is back (Retry-After), it isn't probed before. Two sagas have to be told so: what one is told may be about
that one alone.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from saga_operator.process.order import LONGEST_RETRY_AFTER

SAGAS_TO_OPEN: Final = 5
"""Different sagas in a row without a usable answer; with fewer, the orders themselves may be the reason."""
FIRST_PROBE: Final = 1.0
"""Seconds; a restart of a service takes about this long."""
LAST_PROBE: Final = {False: 15.0, True: 5.0}
"""Seconds between probes of a participant that stays away, by whether their sagas were tried: the tried ones share
theirs, so with five of them each is called every 25 s.
"""
HOPELESS: Final = 2
"""Further failures of a saga with an answer to somebody else before each. A participant that loses half of its answers
does this to one saga in four, which then spends an attempt; one that is down does it to none.
"""
ENOUGH: Final = 8
"""Calls at once that were answered; if no more than these are waiting, there is no rush from which to protect it."""
QUIET: Final = 15.0
"""Seconds without a failure after an answer: it is back, however few calls there are."""


@dataclass(slots=True)
class _Trouble:
    """What a saga has got since its last answer: failures in a row, and how many answers others had got by then."""

    failures: int = 0
    others_answered: int = 0
    strikes: int = 0


class Verdict:
    """On one participant. All times are in seconds of the caller's clock."""

    def __init__(self, concurrency: int, crowd: Callable[[], int]) -> None:
        """`concurrency`: calls at once in normal times; `crowd`: how many calls are in flight or wait for a turn."""
        self.concurrency = concurrency
        """It may be changed; a participant that is down finds it when it is back."""
        self._crowd = crowd
        self._limit: int | None = None
        """None: up. Else so many calls at once."""
        self._probing = False
        """No answer since it went down."""
        self._in_a_row: set[str] = set()
        self._asked: dict[str, float] = {}
        """For how many seconds the last two sagas without an answer were told to wait, if nobody was answered since."""
        self._trouble: dict[str, _Trouble] = {}
        self._hopeless = HOPELESS
        """Strikes; more of them each time that it turned out to be wrong."""
        self._answers = 0
        self._last_answer = self._since = float("-inf")
        self._calm_since = 0.0
        self._round: list[bool] = []
        self._failed_kinds: set[bool] = set()
        """In this round, by whether the saga was tried."""
        self._pause = {False: FIRST_PROBE, True: FIRST_PROBE}
        """Seconds between two probes, by whether their sagas were tried."""
        self._due = {False: 0.0, True: 0.0}

    @property
    def is_down(self) -> bool:
        """Whether it counts as down (also while it is probed)."""
        return self._limit is not None

    @property
    def limit(self) -> int:
        """Calls at once."""
        return self.concurrency if self._limit is None else self._limit

    def due(self, *, tried: bool) -> float:
        """When the next saga of this kind may be called."""
        return self._due[tried] if self._probing else float("-inf")

    def failures(self, saga: str) -> int:
        """Of this saga in a row; above zero it counts as tried."""
        return self._trouble[saga].failures if saga in self._trouble else 0

    def pause_of(self, saga: str, retry_after: float | None) -> float:
        """Seconds for which a saga that got no answer makes no further call, even if the participant is back before.

        They grow as the pauses between probes do, and are never fewer than it was asked for.
        """
        backoff = FIRST_PROBE * 2.0 ** (min(self.failures(saga), 10) - 1)
        return max(min(backoff, LAST_PROBE[True]), min(retry_after or 0.0, LONGEST_RETRY_AFTER))

    def forget(self, saga: str) -> None:
        """This saga makes no calls any more."""
        self._trouble.pop(saga, None)
        self._in_a_row.discard(saga)

    def failed(self, saga: str, *, started: float, now: float, retry_after: float | None = None) -> bool:
        """A call got no usable answer, or one that asks for so many seconds. Returns whether that is the saga's own
        trouble, which costs it an attempt.
        """
        trouble = self._trouble.setdefault(saga, _Trouble(others_answered=self._answers))
        was_tried = trouble.failures > 0
        if was_tried and self._answers > trouble.others_answered:
            trouble.strikes += 1
        trouble.failures += 1
        trouble.others_answered = self._answers
        if not trouble.strikes:
            self._asked.pop(saga, None)
            self._asked[saga] = min(retry_after or 0.0, LONGEST_RETRY_AFTER)
            self._asked = dict(list(self._asked.items())[-2:])
        own = trouble.strikes >= self._hopeless and not self._probing
        if own or (started < self._last_answer and not self.is_down):
            return own
        if not self.is_down:
            self._in_a_row.add(saga)
            if len(self._in_a_row) >= SAGAS_TO_OPEN:
                self._go_down(now)
        elif started >= self._since:  # else: a call from before it went down
            self._calm_since = now
            self._count(False, now, was_tried=was_tried)
        if self._probing and len(self._asked) > 1:
            asked = now + min(self._asked.values())
            self._due = {tried: max(due, asked) for tried, due in self._due.items()}
        return False

    def answered(self, saga: str, *, now: float) -> None:
        """A call got an answer, whatever it says."""
        self._answers += 1
        self._last_answer = now
        self._in_a_row.clear()
        self._asked.clear()
        trouble = self._trouble.pop(saga, None)
        if trouble is not None and trouble.strikes >= self._hopeless:
            self._hopeless *= 2
            for other in self._trouble.values():
                other.strikes = 0
        if not self.is_down:
            return
        self._pause = {False: FIRST_PROBE, True: FIRST_PROBE}
        if self._probing:
            self._probing, self._calm_since = False, now
            self._due = {False: now, True: now}
        self._count(True, now)
        self.look(now)

    def probe_now(self, now: float) -> None:
        """The next probe is due, whatever was asked for: a person says so."""
        self._asked.clear()
        self._due = {False: now, True: now}

    def look(self, now: float) -> None:
        """Take note of the time: it may have been calm for long enough."""
        if self.is_down and not self._probing and now - self._calm_since >= QUIET:
            self._limit = None

    def calm_at(self) -> float | None:
        """When it will have been calm for long enough, if it is only a matter of time."""
        return self._calm_since + QUIET if self.is_down and not self._probing else None

    def _go_down(self, now: float) -> None:
        self._hopeless = HOPELESS
        self._pause = {False: FIRST_PROBE, True: FIRST_PROBE}
        self._due = {False: now + FIRST_PROBE, True: now + FIRST_PROBE}
        self._probe_again(now)

    def _probe_again(self, now: float) -> None:
        self._limit, self._probing, self._since = 1, True, now
        self._round, self._failed_kinds = [], set()
        self._in_a_row.clear()

    def _count(self, answered: bool, now: float, *, was_tried: bool = False) -> None:
        """Count one more outcome while it is down. As many as the limit decide on the next limit."""
        assert self._limit is not None  # noqa: S101 - for the type checker
        self._round.append(answered)
        if not answered:
            self._failed_kinds.add(was_tried)
        if len(self._round) < self._limit:
            return
        if 2 * sum(self._round) < len(self._round):
            for tried in self._failed_kinds:
                self._pause[tried] = min(2 * self._pause[tried], LAST_PROBE[tried])
                self._due[tried] = now + self._pause[tried]
            self._probe_again(now)
            return
        self._limit, self._round, self._failed_kinds = 2 * self._limit, [], set()
        if self._limit >= self.concurrency or self._limit > max(ENOUGH, self._crowd()):
            self._limit = None
