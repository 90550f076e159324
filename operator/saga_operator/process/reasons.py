"""The reasons that conditions, Kubernetes Events, metrics and logs share: one set of constants, CamelCase.

A business reason comes from a participant as `snake_case` (`card_declined`) and is shown as `CardDeclined`; `pascal`
and `snake` translate. The constants below are the operator's own, and `MEANINGS` explains each to people.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

# the saga as a whole
STEP_IN_PROGRESS: Final = "StepInProgress"
RETRY_SCHEDULED: Final = "RetryScheduled"
COMPLETED: Final = "Completed"
COMPLETED_WITH_WARNING: Final = "CompletedWithWarning"
COMPENSATED: Final = "Compensated"
COMPENSATION_FAILED: Final = "CompensationFailed"
REFUSED_AFTER_CONFIRMATION: Final = "RefusedAfterConfirmation"
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
DOCUMENT_UNREADABLE: Final = "DocumentUnreadable"
NOT_SENT: Final = "NotSent"
NOT_AUTHORIZED: Final = "NotAuthorized"
WAITING_FOR_DOWNSTREAM: Final = "WaitingForDownstream"
PARTICIPANT_PAUSED: Final = "ParticipantPaused"
IN_PROGRESS: Final = "InProgress"
ADDED_LATER: Final = "AddedLater"
PARTICIPANT_ERROR: Final = "ParticipantError"
WORKER_FAILED: Final = "WorkerFailed"
RECORD_REFUSED: Final = "RecordRefused"
COMPENSATION_TIMED_OUT: Final = "CompensationTimedOut"

DOWNSTREAM: Final = frozenset({WAITING_FOR_DOWNSTREAM, PARTICIPANT_PAUSED})
"""A call is held back, since its participant is down or paused."""
WAITING: Final = DOWNSTREAM | {IN_PROGRESS}
"""What a step waits for, as opposed to what has become of it."""
TROUBLE: Final = DOWNSTREAM | {PARTICIPANT_ERROR}
"""What has a condition of its own as long as a step says it."""

# a request of a user, and what became of it
ALREADY_CONFIRMED: Final = "AlreadyConfirmed"
RETRY_REQUESTED: Final = "RetryRequested"
MARKED_COMPENSATED: Final = "MarkedCompensated"
SKIPPED_BY_HAND: Final = "SkippedByHand"
INTERVENED: Final = "Intervened"
INTERVENTION_REFUSED: Final = "InterventionRefused"
RESUMED: Final = "Resumed"
ABANDONED: Final = "Abandoned"

# what becomes of a finished saga's resource, and who works
REMOVED: Final = "Removed"
REMOVAL_REFUSED: Final = "RemovalRefused"
EVENTS_NOT_TOLD: Final = "EventsNotTold"
CUSTOMER_NOT_TOLD: Final = "CustomerNotTold"
LEADER_ELECTION: Final = "LeaderElection"

LONGEST: Final = 128
"""Characters of a reason, both ways: as in crds/ordersaga.yaml, and as the order service takes one with a cancel."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a reason says, and what a person does about it; both are sentences in Markdown."""

    says: str
    to_do: str = "Nothing."


_MEND = "Mend the service or its address; the call is made again. A stuck undo: [repair](#repair-what-is-stuck)."
_NEW_ORDER = "Place a new order under a new id."

MEANINGS: Final[Mapping[str, Meaning]] = {
    STEP_IN_PROGRESS: Meaning("A step is being called, or is the next to be called."),
    RETRY_SCHEDULED: Meaning(
        "A step got no usable answer and is called again (`nextAttemptTime`); the message says what happened.",
        "Nothing, unless it lasts: then look at the service that the message names.",
    ),
    COMPLETED: Meaning("Every step has happened."),
    COMPLETED_WITH_WARNING: Meaning(
        "The order is completed, but a step after the confirmation did not happen.",
        "Do by hand what the message names, such as telling the customer.",
    ),
    COMPENSATED: Meaning(
        "The rollback is done, and no effect of the order is left. On a step: its service had "
        "been asked to undo the step before it was called.",
        "Nothing; the reason of `failure` says why.",
    ),
    COMPENSATION_FAILED: Meaning(
        "A step could not be undone: its undo has spent its attempts or its time.",
        "[Repair it](#repair-what-is-stuck): `RetryNow` or `MarkCompensated`.",
    ),
    REFUSED_AFTER_CONFIRMATION: Meaning(
        "Somebody else confirmed the order before it was paid for or booked, and now a service refuses that.",
        "[Repair it](#repair-what-is-stuck): `RetryNow` once the refusal has been dealt with, or `Skip`.",
    ),
    SUSPENDED: Meaning("`spec.state` is Suspended: no step is called.", "Set `spec.state` to Active to continue."),
    CANCELLED: Meaning("Rolled back: `spec.state` was set to Cancelled, or the order was cancelled over REST."),
    DELETED: Meaning("Rolled back: the resource was deleted. It goes once the rollback is done."),
    DEADLINE_EXCEEDED: Meaning("Rolled back: not confirmed within `activeDeadlineSeconds`.", _NEW_ORDER),
    ORDER_ID_USED: Meaning("Another order has this id. This saga ended without any effect.", _NEW_ORDER),
    ORDER_ALREADY_CANCELLED: Meaning("The same order was placed and cancelled before.", _NEW_ORDER),
    UNAVAILABLE: Meaning(
        "The service answered that it can't serve the call now (503 and the like), or a gateway answered in its place. "
        "The call is made again.",
        "Nothing, unless it lasts.",
    ),
    NO_ANSWER: Meaning(
        "The service didn't answer in time, or the connection broke. The call may have happened. It is made again "
        "with the same key.",
        "Nothing, unless it lasts.",
    ),
    DOCUMENT_UNREADABLE: Meaning(
        "The service can't read what it keeps of this order: the document is damaged. Other orders don't suffer "
        "from it. A step is given up like one without an answer, an undo (reject as well) after its attempts.",
        "Mend the document that the message names, or restore it from a backup; a stuck undo: `RetryNow`.",
    ),
    NOT_SENT: Meaning(
        "The call could not be made, since something of this order doesn't fit into a request. Other orders don't "
        "suffer from it.",
        "Mend what the message names, such as an annotation.",
    ),
    NOT_AUTHORIZED: Meaning(
        "The service doesn't let the operator call it (401, 403): its token isn't believed, or stands for somebody "
        "else. That says nothing of any order: calls wait, as if the service were down.",
        "The service's log says what is wrong with the token (`refused`): docs/security.md.",
    ),
    WAITING_FOR_DOWNSTREAM: Meaning(
        "Several orders in a row got no usable answer of this service. Calls to it wait until a probe succeeds, "
        "and probes wait for as long as it asks for (Retry-After, up to an hour).",
        "Bring the service back; the orders then continue by themselves. If it asked for too long, `RetryNow` probes "
        "it at once and calls for this order.",
    ),
    PARTICIPANT_PAUSED: Meaning(
        "A person has paused the service (`spec.state` of its Participant), and the message says why. Nothing is "
        "called.",
        "Nothing, or set it to Active: [participants](participants.md#as-a-resource).",
    ),
    IN_PROGRESS: Meaning("The service has accepted the call and is still working on it. It is asked again."),
    ADDED_LATER: Meaning("The step came with a release after the order was confirmed: it is left out for this order."),
    PARTICIPANT_ERROR: Meaning(
        "The service itself gave an answer that it never should (400, 404, 422 with a `code`): its release or "
        "configuration doesn't fit. On an undo also: it found nothing of a step that is recorded as done.",
        _MEND,
    ),
    WORKER_FAILED: Meaning(
        "The operator could not work on this saga: its status holds something that can't be read, or the operator has "
        "a defect. It tries again, after five minutes at the latest and whenever the resource changes.",
        "Report what the message says; mend the status if somebody has edited it.",
    ),
    RECORD_REFUSED: Meaning(
        "The API server refuses what the operator has to write on the resource. It is tried again, ever less often.",
        "The message says who refuses it: an admission policy, or missing rights.",
    ),
    COMPENSATION_TIMED_OUT: Meaning(
        "An undo was accepted, but was not done after 15 minutes.",
        "Find out from the service what became of it, then [repair it](#repair-what-is-stuck).",
    ),
    ALREADY_CONFIRMED: Meaning(
        "The order was confirmed before the cancel or the rollback reached it. It continues to Completed.",
        "Refund or return the order by other means, if it has to be taken back.",
    ),
    RETRY_REQUESTED: Meaning("An intervention (`RetryNow`) has given the undo a new set of attempts."),
    MARKED_COMPENSATED: Meaning("A person has undone the step by hand and said so (`MarkCompensated`)."),
    SKIPPED_BY_HAND: Meaning("A person has decided that the step is left out (`Skip`)."),
    INTERVENED: Meaning("An intervention was carried out."),
    INTERVENTION_REFUSED: Meaning(
        "An intervention didn't apply to the state of its step, or its id was used before.",
        "Look at the step's state; try again under a new id.",
    ),
    RESUMED: Meaning("`spec.state` is no longer Suspended: the saga continues."),
    ABANDONED: Meaning(
        "A person took our finalizer off an order that had not ended (annotation `ordersaga.io/abandon`).",
        "See to its money and goods by hand: `ordersaga audit` names what is left.",
    ),
    REMOVED: Meaning(
        "Its time to live is over: the finished saga's resource was removed. Many at once are told as one Event of the "
        "Lease.",
        "Nothing; `kubectl saga history` has its story.",
    ),
    REMOVAL_REFUSED: Meaning(
        "The API server refuses to remove a finished saga whose time to live is over, or it can't be read.",
        "The message says who refuses it: an admission policy, or missing rights.",
    ),
    EVENTS_NOT_TOLD: Meaning(
        "A person deleted the order, and the sink of its lifecycle events didn't take them within the minute that a "
        "deletion waits.",
        "Tell by hand who listens there; `kubectl saga history` has the story, and [events](events.md) what was due.",
    ),
    CUSTOMER_NOT_TOLD: Meaning(
        "A person deleted the undone order, and the notification service didn't answer for the message to its customer "
        "within the minute that a deletion waits.",
        "Tell the customer by hand.",
    ),
    LEADER_ELECTION: Meaning("Another operator works from now on; the Event is about the Lease."),
}
"""Every constant above; docs/ordersaga.md has the same sentences."""

_WORD = re.compile(r"[^0-9A-Za-z]+")
_REASON = re.compile(r"[A-Za-z](?:[A-Za-z0-9_,:]{0,126}[A-Za-z0-9_])?")
_PROTOCOL = frozenset({COMPENSATED, ALREADY_CONFIRMED, DOCUMENT_UNREADABLE})
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def pascal(code: str) -> str:
    """`card_declined` → `CardDeclined`: a participant's code as a condition reason, whatever characters it has.

    A reason starts with a letter (metav1.Condition). A code can't pass for a reason that the operator has for what it
    has seen itself: `unavailable` with a 409 is the participant's word, and becomes `CodeUnavailable`. The exceptions
    are the protocol's own: `compensated`, `already_confirmed` and `document_unreadable`.
    """
    reason = "".join(word[:1].upper() + word[1:] for word in _WORD.split(code[: 4 * LONGEST]) if word)
    if not reason:
        return PARTICIPANT_ERROR
    if not reason[0].isalpha() or (reason in MEANINGS and reason not in _PROTOCOL):
        reason = f"Code{reason}"
    return reason[:LONGEST]


def fit(reason: str) -> str:
    """The reason itself if a condition can have it, as all of ours; else made into one. None stays none."""
    return reason if not reason or _REASON.fullmatch(reason) else pascal(reason)


def snake(reason: str) -> str:
    """`CardDeclined` → `card_declined`: a reason as the participants spell it, and no longer than they take it."""
    return _HUMP.sub("_", reason).lower()[:LONGEST]
