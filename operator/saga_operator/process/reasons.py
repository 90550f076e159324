"""The reasons that conditions, Kubernetes Events, metrics and logs share: one set of constants, CamelCase.

A business reason comes from a participant as `snake_case` (`card_declined`) and is shown as `CardDeclined`; `pascal`
and `snake` translate. The constants below are the operator's own.
"""

import re
from typing import Final

# the saga as a whole
STEP_IN_PROGRESS: Final = "StepInProgress"
RETRY_SCHEDULED: Final = "RetryScheduled"
COMPLETED: Final = "Completed"
COMPLETED_WITH_WARNING: Final = "CompletedWithWarning"
COMPENSATED: Final = "Compensated"
COMPENSATION_FAILED: Final = "CompensationFailed"
SUSPENDED: Final = "Suspended"

# why a rollback started, when no participant refused
CANCELLED: Final = "Cancelled"
DELETED: Final = "Deleted"
DEADLINE_EXCEEDED: Final = "DeadlineExceeded"
ORDER_ID_USED: Final = "OrderIDUsed"
ORDER_ALREADY_CANCELLED: Final = "OrderAlreadyCancelled"

# what happened to a call
UNAVAILABLE: Final = "Unavailable"
NO_ANSWER: Final = "NoAnswer"
WAITING_FOR_DOWNSTREAM: Final = "WaitingForDownstream"
IN_PROGRESS: Final = "InProgress"
ADDED_LATER: Final = "AddedLater"
PARTICIPANT_ERROR: Final = "ParticipantError"
COMPENSATION_TIMED_OUT: Final = "CompensationTimedOut"

# a person's request, and what became of it
ALREADY_CONFIRMED: Final = "AlreadyConfirmed"
RETRY_REQUESTED: Final = "RetryRequested"
MARKED_COMPENSATED: Final = "MarkedCompensated"
SKIPPED_BY_HAND: Final = "SkippedByHand"
INTERVENED: Final = "Intervened"
INTERVENTION_REFUSED: Final = "InterventionRefused"
RESUMED: Final = "Resumed"

_WORD = re.compile(r"[^0-9A-Za-z]+")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def pascal(code: str) -> str:
    """`card_declined` → `CardDeclined`: a participant's code as a condition reason."""
    reason = "".join(word[:1].upper() + word[1:] for word in _WORD.split(code) if word) or PARTICIPANT_ERROR
    return (reason if reason[0].isalpha() else f"Code{reason}")[
        :128
    ]  # a reason starts with a letter (metav1.Condition)


def snake(reason: str) -> str:
    """`CardDeclined` → `card_declined`: a reason as the participants spell it."""
    return _HUMP.sub("_", reason).lower()
