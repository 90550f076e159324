"""Where a saga stands among the traces, and the ids of its spans."""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Self

from common.tracing.context import TraceContext

MOST_ATTEMPTS: Final = 100
"""Attempts of one action or compensation that have spans. It is the most that `spec.retry` allows; only what is called
without limit has more, and its record keeps the last ones.
"""


@dataclass(frozen=True, slots=True)
class Place:
    """`saga`: its own span. `parent`: the span on whose behalf it was placed, in the same trace; None without one."""

    uid: str
    saga: TraceContext
    parent: int | None

    @classmethod
    def of(cls, uid: str, traceparent: str, samples: Callable[[int, bool | None], bool]) -> Self:
        """`traceparent`: of the resource's annotation, or "". `samples`: whether a trace is recorded, by its id and by
        what its parent has decided (None without one).
        """
        parent = TraceContext.parse(traceparent) if traceparent else None
        if parent is None:
            trace_id = _number(uid, 16)
            return cls(uid, TraceContext(trace_id, _id(uid, "saga"), samples(trace_id, None)), None)
        sampled = samples(parent.trace_id, parent.sampled)
        return cls(uid, TraceContext(parent.trace_id, _id(uid, "saga"), sampled), parent.span_id)

    def step(self, name: str, *, undo: bool) -> TraceContext:
        """The span of an action or a compensation."""
        return self.saga.child(_id(self.uid, name, _operation(undo)))

    def attempt(self, step: str, number: int, *, undo: bool) -> TraceContext:
        """The span of one attempt; they are counted from 1."""
        return self.saga.child(_id(self.uid, step, _operation(undo), str(number)))

    def call(self, step: str, number: int, recorded: int, *, undo: bool) -> TraceContext:
        """What a call says its parent is: the attempt with this number, of which so many are recorded.

        It isn't sampled where the attempt might never get a span: a successor goes on counting from the record.
        """
        attempt = self.attempt(step, number, undo=undo)
        is_sure = number <= min(recorded + 1, MOST_ATTEMPTS)
        return attempt if is_sure else TraceContext(attempt.trace_id, attempt.span_id, sampled=False)

    def beside(self, kind: str, which: str) -> TraceContext:
        """The only span of a trace beside the saga's own: of something that was done to it."""
        trace_id = _number("|".join((self.uid, kind, which)), 16)
        return TraceContext(trace_id, _id(self.uid, kind, which, "span"), self.saga.sampled)


def trace_id_of(uid: str, traceparent: str) -> int:
    """Of a saga's trace, whether or not it is recorded."""
    parent = TraceContext.parse(traceparent) if traceparent else None
    return _number(uid, 16) if parent is None else parent.trace_id


def _operation(undo: bool) -> str:
    return "undo" if undo else "do"


def _id(*parts: str) -> int:
    return _number("|".join(parts), 8)


def _number(text: str, octets: int) -> int:
    """Not 0, which would be no id."""
    return int.from_bytes(sha256(text.encode()).digest()[:octets]) or 1
