"""What is known of one step and of its undo, as plain data: the parts of a `Saga`.

Pure, as `saga` is. Times are seconds since the epoch (UTC).
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from saga_operator.process import reasons
from saga_operator.process.order import LONGEST_RETRY_AFTER

MESSAGE_LENGTH: Final = 512
"""Characters; the status of a resource stays small (its size is what a write costs)."""

LONGEST_POLL: Final = 30.0
"""Seconds between two looks at an operation in progress, unless its participant asks for more."""


class StepState(StrEnum):
    """What is known about the effect of one step."""

    PENDING = "Pending"
    SUCCEEDED = "Succeeded"
    REFUSED = "Refused"
    UNKNOWN = "Unknown"
    COMPENSATED = "Compensated"
    COMPENSATION_FAILED = "CompensationFailed"
    SKIPPED = "Skipped"


@dataclass(frozen=True, slots=True)
class Compensation:
    """What is known of one step's undo. It has answered once `completion` is set."""

    attempts: int = 0
    start: float | None = None
    completion: float | None = None
    reason: str = ""
    message: str = ""

    def called(self, started: float) -> "Compensation":
        """This record with the time of its first call."""
        return self if self.start is not None else replace(self, start=started)


@dataclass(frozen=True, slots=True)
class StepRecord:
    """One step's progress. What stands after `compensation` is lost in a restart: then the call is made again."""

    name: str
    state: StepState = StepState.PENDING
    attempts: int = 0
    external_id: str = ""
    start: float | None = None
    completion: float | None = None
    reason: str = ""
    message: str = ""
    compensation: Compensation = Compensation()
    retry_at: float = 0.0
    location: str = ""
    in_progress_since: float | None = None
    """The first of an unbroken run of answers that say so; anything else in between, and it begins anew."""

    def called(self, started: float) -> "StepRecord":
        """This record with the time of its first call."""
        return self if self.start is not None else replace(self, start=started)

    def due(self, at: float) -> "StepRecord":
        """This record whose next call is made then, with its key: no operation in progress is followed."""
        if (self.retry_at, self.location, self.in_progress_since) == (at, "", None):
            return self
        return replace(self, retry_at=at, location="", in_progress_since=None)

    def moved(self, seconds: float) -> "StepRecord":
        """This record after its clock was set."""
        since = self.in_progress_since
        retry_at = self.retry_at + seconds if self.retry_at else 0.0
        return replace(self, retry_at=retry_at, in_progress_since=None if since is None else since + seconds)

    def followed(self, at: float, retry_after: float, location: str) -> "StepRecord":
        """This record of an operation that is in progress (said at that time), and is asked for again.

        The pause is half as long as it has been in progress: an operation of seconds is seen at once, and one of hours
        costs a call every `LONGEST_POLL` seconds. It is never shorter than the participant asked for.
        """
        since = at if self.in_progress_since is None else self.in_progress_since
        pause = max(min(retry_after, LONGEST_RETRY_AFTER), min((at - since) / 2, LONGEST_POLL))
        return replace(self, retry_at=at + pause, location=location, in_progress_since=since)

    def settled(self) -> "StepRecord":
        """This record once nothing is called for it any more: what it waited for is no longer true."""
        record = self.due(0.0)
        return replace(record, reason="", message="") if record.reason in reasons.WAITING else record


def refused_without_effect(record: StepRecord) -> bool:
    """The participant refused and holds no effect. `compensated` is no such answer: an effect may still be there."""
    return record.state is StepState.REFUSED and record.reason != reasons.COMPENSATED


def is_stuck(record: StepRecord) -> bool:
    """The undo has spent its attempts or its time: a person has to intervene."""
    return record.state is StepState.COMPENSATION_FAILED
