"""What can happen to a saga: the input of `evolve`. Times are seconds since the epoch (UTC).

`at` is when the event became known, `started` when the call began. `jitter` is a random number in [0, 1) that the
caller has drawn, so that `evolve` stays a function.
"""

from dataclasses import dataclass
from typing import ClassVar, Final

from common.text import MESSAGE, printable
from saga_operator.process import reasons
from saga_operator.process.absences import Absences
from saga_operator.process.saga import Desired, Intervention

TEXTS: Final = {"message": MESSAGE, "external_id": 128}
"""The fields of an outcome that hold text from outside, and how many characters they may have (crds/ordersaga.yaml)."""


@dataclass(frozen=True, slots=True)
class Observed:
    """The resource as it stands: what people want, and what time it is."""

    at: float
    desired: Desired
    deleting: bool
    intervention: Intervention | None = None
    absences: Absences = ()
    desired_by: str = ""
    """Who asked for that state (`spec.requestedBy`), if it is said."""
    deletion_reason: str = ""
    """Why its deletion was requested, if it is said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallOutcome:
    """The outcome of one call for one step. `shown_as` is its name in the status, in metrics and in the log.

    What a participant said becomes a `message`, a `reason` or an `external_id`, and is made printable and bounded here,
    where it enters: whatever is made of an outcome later can be written.
    """

    shown_as: ClassVar[str]
    step: str
    started: float
    at: float

    def __post_init__(self) -> None:
        """Make the text fit: see above."""
        for name, limit in TEXTS.items():
            if hasattr(self, name):
                object.__setattr__(self, name, printable(getattr(self, name), limit))
        if hasattr(self, "reason"):
            object.__setattr__(self, "reason", reasons.fit(self.reason))


@dataclass(frozen=True, slots=True, kw_only=True)
class Succeeded(CallOutcome):
    """A do has happened."""

    shown_as: ClassVar[str] = "Succeeded"
    external_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DoRefused(CallOutcome):
    """A do was refused for a business reason, or met a tombstone (`reason` Compensated)."""

    shown_as: ClassVar[str] = "Refused"
    reason: str
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Undone(CallOutcome):
    """An undo has answered. `effect` is `undone` or `none`; `closed` comes from reject only: the order was
    cancelled before, by whomever; it says nothing about the effects of the other steps."""

    shown_as: ClassVar[str] = "Undone"
    effect: str = "undone"
    closed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NoUsableAnswer(CallOutcome):
    """No usable answer: the call may or may not have happened."""

    shown_as: ClassVar[str] = "Unavailable"
    undo: bool
    reason: str
    message: str = ""
    retry_after: float | None = None
    jitter: float = 1.0
    refused: bool = False
    """An undo was refused for good: the participant is there, and repeating the call is of little use."""

    @classmethod
    def participant_error(cls, outcome: CallOutcome, *, undo: bool, message: str) -> "NoUsableAnswer":
        """An answer that makes no sense in the state of the saga: people see it, and the call is made again."""
        reason = reasons.PARTICIPANT_ERROR
        return cls(step=outcome.step, started=outcome.started, at=outcome.at, undo=undo, reason=reason, message=message)


@dataclass(frozen=True, slots=True, kw_only=True)
class InProgress(CallOutcome):
    """Accepted, not finished (202), or another call of it is running (409): ask again, which costs no attempt."""

    shown_as: ClassVar[str] = "InProgress"
    undo: bool
    retry_after: float
    location: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Paused(CallOutcome):
    """The participant counts as down, or is paused: the call waits, `until` then at the most, and costs no attempt."""

    shown_as: ClassVar[str] = "Paused"
    undo: bool
    until: float
    message: str
    reason: str = reasons.WAITING_FOR_DOWNSTREAM
    """Or PARTICIPANT_PAUSED."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlreadyConfirmed(CallOutcome):
    """Reject found the order confirmed: the saga resumes forward."""

    shown_as: ClassVar[str] = "AlreadyConfirmed"


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderIDUsed(CallOutcome):
    """The order id belongs to another order: no effect under it is this saga's to undo."""

    shown_as: ClassVar[str] = "OrderIDUsed"
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochRefused(CallOutcome):
    """The participant didn't look at the call, because of its epoch: it is made again, which costs no attempt.

    `seen` is the highest epoch that it has seen for the order, where it says so (412). `clock` is its time in
    milliseconds, if the epoch is too far ahead of that (422). `pause`: seconds until the call is made again.
    """

    shown_as: ClassVar[str] = "EpochRefused"
    undo: bool
    message: str
    seen: int | None = None
    clock: int | None = None
    pause: float = 1.0


Outcome = Succeeded | DoRefused | Undone | NoUsableAnswer | InProgress | AlreadyConfirmed | OrderIDUsed | EpochRefused
Event = Observed | Paused | Outcome
