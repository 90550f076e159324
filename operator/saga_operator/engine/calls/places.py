"""Where one saga waits for its turns: at most one place at each participant, and none that it doesn't need."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from functools import partial

from saga_operator.engine.calls.breaker import WAIT_AT_MOST, CircuitBreaker
from saga_operator.process.decide import Do, Undo
from saga_operator.process.saga import Saga


@dataclass(frozen=True, slots=True)
class _Place:
    call: Do | Undo
    until: float
    """Seconds since the epoch; looked at again then, if no turn came."""


class Places:
    """The places of one saga. A rollback may wait at one participant and call the next meanwhile."""

    __slots__ = ("_breakers", "_called_up", "_saga", "_waiting", "on_turn")

    def __init__(self, saga: str, breakers: Mapping[str, CircuitBreaker], on_turn: Callable[[str], None]) -> None:
        """`on_turn` is called with a step's name when it may be its turn."""
        self._saga = saga
        self._breakers = breakers
        self.on_turn = on_turn
        self._waiting: dict[str, _Place] = {}
        """By participant; one whose turn has come stays until it is used or given up."""
        self._called_up: frozenset[str] = frozenset()

    def take(self, call: Do | Undo, now: float) -> bool:
        """Take a turn for this call: True if it is to be made now. Else the saga waits for one."""
        participant = call.step.participant
        wake = self._place(call, now)
        if not self._breakers[participant].take(self._saga, wake, undo=isinstance(call, Undo)):
            return False
        del self._waiting[participant]
        self._called_up -= {participant}
        return True

    def keep_only(self, calls: Collection[Do | Undo]) -> None:
        """Leave where there is nothing to call any more: whoever comes next needn't wait for this saga."""
        for participant, place in list(self._waiting.items()):
            if place.call not in calls:
                del self._waiting[participant]
                self._called_up -= {participant}
                self._breakers[participant].leave(self._saga)

    def as_seen(self, saga: Saga) -> Saga:
        """The saga with every call that waits for its turn put off, for the decision what to call meanwhile."""
        for participant, place in self._waiting.items():
            if participant not in self._called_up:
                record = saga[place.call.step.name]
                saga = saga.put(replace(record, retry_at=max(record.retry_at, place.until)))
        return saga

    @property
    def waits(self) -> bool:
        """Whether it waits for a turn anywhere."""
        return bool(self._waiting)

    def forget(self) -> None:
        """The saga makes no calls any more."""
        self._waiting.clear()
        for breaker in self._breakers.values():
            breaker.forget(self._saga)

    def _place(self, call: Do | Undo, now: float) -> Callable[[], None]:
        participant = call.step.participant
        self._waiting[participant] = _Place(call, now + WAIT_AT_MOST)
        self._called_up -= {participant}
        return partial(self._woken, participant)

    def _woken(self, participant: str) -> None:
        if (place := self._waiting.get(participant)) is not None:
            self._called_up |= {participant}
            self.on_turn(place.call.step.name)
