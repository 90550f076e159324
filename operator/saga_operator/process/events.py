"""What can happen to a saga: the input of `evolve`. Times are seconds since the epoch (UTC).

`at` is when it became known, `started` when the call began; `jitter` is a number in [0, 1) drawn by the caller, so that
`evolve` stays a function.
"""

from dataclasses import dataclass

from saga_operator.process.saga import Desired, Intervention


@dataclass(frozen=True, slots=True)
class Observed:
    """The resource as it stands: what people want, and what time it is."""

    at: float
    desired: Desired
    deleting: bool
    intervention: Intervention | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The outcome of one call for one step."""

    step: str
    started: float
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Succeeded(Answer):
    """A do has happened."""

    external_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused(Answer):
    """A do was refused for a business reason, or met a tombstone (`reason` Compensated)."""

    reason: str
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Undone(Answer):
    """An undo has answered: `effect` is `undone` or `none`; `closed` only from the door: all was undone before."""

    effect: str = "undone"
    closed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Unavailable(Answer):
    """No usable answer: the call may or may not have happened."""

    undo: bool
    reason: str
    message: str = ""
    retry_after: float | None = None
    jitter: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class InProgress(Answer):
    """Accepted, not finished (202), or another call is at it (409 running): ask again; costs no budget."""

    undo: bool
    retry_after: float
    location: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Paused(Answer):
    """The participant counts as down: the call waits, at the most until then, and costs no budget."""

    undo: bool
    until: float
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AlreadyConfirmed(Answer):
    """The door found the order confirmed: the saga turns round."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderIDUsed(Answer):
    """The order id belongs to another order: nothing of it is ours to undo."""

    message: str = ""


Outcome = Succeeded | Refused | Undone | Unavailable | InProgress | AlreadyConfirmed | OrderIDUsed
Event = Observed | Paused | Outcome
