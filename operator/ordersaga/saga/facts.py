"""What a filter, an order and a group look at: of one saga, wherever it is shown. Pure."""

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Self, TypeVar

from ordersaga.phases import Phase
from ordersaga.saga.record import Record
from ordersaga.saga.sentence import UNSEEN_SECONDS, held_by, sentence_of
from saga_operator.process import reasons

T = TypeVar("T", bound=Hashable)

NOT_BEGUN: Final = "NotBegun"
"""The trouble of a saga that no operator has begun."""
CUSTOMER_NOT_TOLD: Final = "CustomerNotTold"
"""A word for whatever kept the notification from being sent: its reasons are the notification service's."""
_HIDDEN_TROUBLE: Final = (
    *("WorkerFailed", "WaitingForDownstream", "ParticipantError", "CancelRefused", reasons.COMPLETED_WITH_WARNING),
)
"""Conditions that say more than `Ready` does."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Of one saga; the list of the terminal and the one of the page add what they show."""

    name: str
    customer: str
    phase: str
    step: str
    created: float
    """Seconds since the epoch."""
    reason: str
    """Why it is Ready or not; of one that is, what didn't go as it was asked."""
    reasons: frozenset[str]
    """Every reason by which somebody may look for it."""
    people: frozenset[str]
    """Who asked for the state that it shall be in, and who intervened last."""
    trouble: str
    """In one word why somebody may have to look at it; see `trouble_at`."""
    since: float | None
    """When that trouble began."""
    is_stuck: bool
    """Nothing more happens unless a person decides."""
    is_seen: bool
    """An operator has begun with it."""

    @classmethod
    def of(cls, saga: Record) -> Self:
        """Of this saga."""
        return cls(**known_of(saga))

    def needs_person(self, now: float) -> bool:
        """Whether a person has to act: of a saga that nobody begins, time tells."""
        return self.is_stuck or (not self.is_seen and now - self.created >= UNSEEN_SECONDS)

    def trouble_at(self, now: float) -> str:
        """In one word why somebody may have to look at it; "" if nothing is wrong with it."""
        return self.trouble or (NOT_BEGUN if not self.is_seen and self.needs_person(now) else "")

    def troubled_since(self, now: float) -> float | None:
        """Since when it has been in its trouble; None if it is in none, or nobody can tell."""
        return self.since if self.trouble else self.created if self.trouble_at(now) else None


@dataclass(frozen=True, slots=True)
class Found(Facts):
    """What was found, with all that is recorded of it."""

    saga: Record

    @classmethod
    def of(cls, saga: Record) -> Self:
        """Of this saga."""
        return cls(**known_of(saga), saga=saga)


def known_of(saga: Record) -> dict[str, Any]:
    """The fields of `Facts`. A hundred thousand of them are held: the same word is held once."""
    is_stuck = sentence_of(saga, saga.created).needs_person  # when it was created nobody could have begun it
    trouble = "" if saga.is_finished else held_once(_trouble_of(saga, is_stuck=is_stuck))
    return {
        "name": saga.name,
        "customer": saga.customer,
        "phase": held_once(saga.phase),
        "step": held_once(saga.step),
        "created": saga.created,
        "reason": held_once(_shown_reason(saga)),
        "reasons": held_once(frozenset(filter(None, _reasons_of(saga)))),
        "people": held_once(frozenset(filter(None, (saga.requested_by, str(saga.intervention.get("by") or ""))))),
        "trouble": trouble,
        "since": _since(saga, trouble) if trouble else None,
        "is_stuck": is_stuck,
        "is_seen": saga.is_seen,
    }


@lru_cache(maxsize=4096)
def held_once(found: T) -> T:
    """The same object for all that are equal; `sys.intern` would never let go of one in some versions of Python."""
    return found


def _reasons_of(saga: Record) -> Iterator[str]:
    """Of the condition, the failure, what became of the last intervention, its steps and their undo.

    One that was suspended while a service was down keeps that in its record, but waits for a person now.
    """
    waits = saga.condition(reasons.WAITING_FOR_DOWNSTREAM)[0] == "True"
    rests = saga.phase == Phase.SUSPENDED
    if not (waits and saga.reason == reasons.RETRY_SCHEDULED):  # what waits isn't called again for the time being
        yield saga.reason
    if saga.failure is not None:
        yield saga.failure[1]
    for kind in _HIDDEN_TROUBLE:
        status, reason, _ = saga.condition(kind)
        if status != "True" or (rests and kind == reasons.WAITING_FOR_DOWNSTREAM):
            continue
        yield reason
        if reason != reasons.PARTICIPANT_PAUSED:  # which is no outage
            yield kind
        if kind == reasons.COMPLETED_WITH_WARNING and reason != reasons.SKIPPED_BY_HAND:
            yield CUSTOMER_NOT_TOLD
    yield str(saga.intervention.get("reason", ""))
    for step in saga.steps:
        if not (rests and step.do.reason in reasons.DOWNSTREAM):
            yield step.do.reason
        if step.undo is not None:
            yield step.undo.reason


def _shown_reason(saga: Record) -> str:
    """`Completed` says the same as the phase: a warning, or a cancel that was refused, says more."""
    if saga.phase == Phase.COMPLETED:
        status, reason, _ = saga.condition(reasons.COMPLETED_WITH_WARNING)
        if status == "True":
            return reason
        if saga.condition("CancelRefused")[0] == "True":
            return "CancelRefused"
    return saga.reason


def _trouble_of(saga: Record, *, is_stuck: bool) -> str:
    for kind in ("WorkerFailed", "ParticipantError", "WaitingForDownstream"):
        if saga.condition(kind)[0] == "True" and not (saga.phase == Phase.SUSPENDED and kind != "WorkerFailed"):
            return held_by(saga)[0] if kind == reasons.WAITING_FOR_DOWNSTREAM else kind
    if saga.phase == Phase.FAILED or is_stuck:
        return saga.reason
    if saga.phase == Phase.RUNNING and saga.reason == reasons.RETRY_SCHEDULED:
        return reasons.RETRY_SCHEDULED
    step = saga.of(saga.step)
    if saga.phase == Phase.COMPENSATING and step is not None and step.undo is not None and step.undo.attempts > 1:
        return "CompensationRetried"
    return ""


def _since(saga: Record, trouble: str) -> float | None:
    if saga.phase == Phase.SUSPENDED and trouble != "WorkerFailed":
        return saga.suspended
    if saga.phase == Phase.FAILED:
        return saga.since("Stalled")
    if trouble in reasons.DOWNSTREAM:
        return saga.waiting or saga.since(reasons.WAITING_FOR_DOWNSTREAM)
    if trouble in ("WorkerFailed", "ParticipantError"):
        return saga.since(trouble)
    step = saga.of(saga.step)
    call = None if step is None else step.do if saga.failure is None else step.undo
    return None if call is None else call.began
