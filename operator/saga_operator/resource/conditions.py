"""What the conditions say of a saga. They follow kstatus (Ready, Reconciling, Stalled) and add Succeeded for a bounded
execution, so that Flux, Argo CD and `kubectl wait` understand them; Reconciling and Stalled are never True together.
"""

from dataclasses import dataclass
from typing import Final

from saga_operator.process import reasons
from saga_operator.process.saga import FINISHED, Desired, Phase, Saga, settled_forward
from saga_operator.process.step_record import StepRecord, StepState, is_stuck
from saga_operator.process.steps import BACKWARD, BY_NAME, Kind

TRUE: Final = "True"
FALSE: Final = "False"
UNKNOWN: Final = "Unknown"

LONGEST: Final = 1024
"""Characters of a message, as in crds/ordersaga.yaml."""
PART: Final = 480
"""Characters of one of two causes, so that there is room for the other one."""

CANCEL_REFUSED: Final = "CancelRefused"
WORKER_FAILED: Final = "WorkerFailed"
"""Not of the saga but of the operator: it stands until the saga is worked on again."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition, without its times."""

    type: str
    status: str
    reason: str
    message: str


def conditions_of(saga: Saga) -> tuple[Condition, ...]:
    """All conditions of a saga, in the order in which a person wants to read them."""
    ready, reconciling, stalled, succeeded, reason, message = _summary(saga)
    found = [
        Condition("Ready", ready, reason, message),
        Condition("Reconciling", reconciling, reason, message if reconciling == TRUE else ""),
        Condition("Stalled", stalled, reason, message if stalled == TRUE else ""),
        Condition("Succeeded", succeeded, reason, ""),
    ]
    if saga.confirmed and saga.desired is Desired.CANCELLED:
        of = f" of {saga.desired_by}" if saga.desired_by else ""
        too_late = f"the order was confirmed before the cancel{of} arrived, so it continues to Completed"
        found.append(Condition(CANCEL_REFUSED, TRUE, reasons.ALREADY_CONFIRMED, too_late))
    if (trouble := participant_error(saga)) is not None:
        found.append(Condition("ParticipantError", TRUE, reasons.PARTICIPANT_ERROR, trouble))
    if (waiting := _waiting_for(saga)) is not None:
        found.append(Condition("WaitingForDownstream", TRUE, *waiting))
    if (warning := _warning(saga)) is not None:
        found.append(Condition("CompletedWithWarning", TRUE, warning.reason, f"{warning.name}: {warning.message}"))
    return tuple(found)


def _waiting_for(saga: Saga) -> tuple[str, str] | None:
    """Whether a participant is down or paused, which step waits for it, and why; None if no step waits."""
    if saga.phase in FINISHED:
        return None
    for record in saga.steps:
        if saga.failure is None and record.reason in reasons.DOWNSTREAM and not settled_forward(record):
            return record.reason, f"{record.name}: {record.message}"
        undo = record.compensation
        if undo.reason in reasons.DOWNSTREAM and undo.completion is None:
            return undo.reason, f"{record.name}: {undo.message}"
    return None


def participant_error(saga: Saga) -> str | None:
    """An answer that no participant should give (a 4xx that is no refusal), or None."""
    for record in saga.steps:
        undo = record.compensation
        if record.reason == reasons.PARTICIPANT_ERROR:
            return f"{record.name}: {record.message}"
        if undo.reason == reasons.PARTICIPANT_ERROR:
            return f"{record.name}: {undo.message}"
    return None


def _summary(saga: Saga) -> tuple[str, str, str, str, str, str]:
    """Ready, Reconciling, Stalled, Succeeded, and the reason and message that they share."""
    match saga.phase:
        case Phase.COMPLETED:
            warning = _warning(saga)
            text = "every step has happened" if warning is None else f"completed without step {warning.name}"
            return TRUE, FALSE, FALSE, TRUE, reasons.COMPLETED, text
        case Phase.COMPENSATED:
            reason, message = _failure(saga)
            return FALSE, FALSE, TRUE, FALSE, reason, f"rolled back: no effect of the order is left. {message}"
        case Phase.FAILED if (refused := saga.refused_forward) is not None:
            what = (
                f"{refused.name} was refused ({refused.reason}: {refused.message}) after the order had been confirmed"
            )
            text = _for_a_person(what, "RetryNow or Skip", saga)
            return FALSE, FALSE, TRUE, FALSE, reasons.REFUSED_AFTER_CONFIRMATION, text
        case Phase.FAILED:
            stuck = ", ".join(f"{r.name} ({r.compensation.message})" for r in saga.steps if is_stuck(r))
            by_hand = any(is_stuck(saga[step.name]) for step in BACKWARD)
            choice = "RetryNow or MarkCompensated" if by_hand else "RetryNow, once it is repaired"
            text = _for_a_person(f"could not be undone: {stuck}", choice, saga)
            return FALSE, FALSE, TRUE, FALSE, reasons.COMPENSATION_FAILED, text
        case Phase.COMPENSATING:
            reason, message = _failure(saga)
            return FALSE, TRUE, FALSE, UNKNOWN, reason, f"{_rollback(saga)}. {message}"[:LONGEST]
        case Phase.SUSPENDED:
            text = f"{suspended_where(saga)}; set spec.state to Active to continue"
            return UNKNOWN, FALSE, FALSE, UNKNOWN, reasons.SUSPENDED, text[:LONGEST]
        case _:
            return UNKNOWN, TRUE, FALSE, UNKNOWN, *_progress(saga)


def _progress(saga: Saga) -> tuple[str, str]:
    step = saga.current_step
    record = saga[step]
    if not record.reason or record.state is not StepState.PENDING:
        return reasons.STEP_IN_PROGRESS, f"{step} is next"
    if record.reason == reasons.IN_PROGRESS:
        return reasons.STEP_IN_PROGRESS, f"{step}: {record.message}"[:LONGEST]
    if record.reason == reasons.WAITING_FOR_DOWNSTREAM:
        return reasons.WAITING_FOR_DOWNSTREAM, f"{step}: {record.message}"[:LONGEST]
    attempt = f", attempt {record.attempts}" if record.attempts and record.reason not in reasons.WAITING else ""
    return reasons.RETRY_SCHEDULED, f"{step}{attempt}: {record.message}"[:LONGEST]


def _for_a_person(what: str, choice: str, saga: Saga) -> str:
    """What has happened, and what is to be done, which is never cut off."""
    help_ = f". A person has to set spec.intervention: {choice}. `kubectl saga why {saga.order.order_id}` says how"
    return what[: LONGEST - len(help_)] + help_


def _rollback(saga: Saga) -> str:
    """What a rollback is about, and what keeps it."""
    step = saga.current_step
    undo = saga[step].compensation
    doing = "rejecting the order" if BY_NAME[step].kind is Kind.PIVOT else f"undoing {step}"
    if not undo.message or undo.completion is not None:
        return f"rolling back: {doing}"
    attempt = f", attempt {undo.attempts}" if undo.attempts and undo.reason not in reasons.WAITING else ""
    return f"rolling back: {doing}{attempt}: {undo.message[:PART]}"


def suspended_where(saga: Saga) -> str:
    """At which point a saga was suspended: between two steps, or at one that was called and isn't done yet."""
    record = saga[saga.current_step]
    who = f"by {saga.desired_by}" if saga.desired_by else "on request"
    if record.start is None and not record.reason:
        return f"suspended {who} before step {record.name}"
    said = f" ({record.message})" if record.message else ""
    return f"suspended {who} at step {record.name}, which was called but isn't done yet{said}"


def _failure(saga: Saga) -> tuple[str, str]:
    assert saga.failure is not None  # noqa: S101 - a compensating saga has one by definition of its phase
    return saga.failure.reason, f"Cause: {saga.failure.message}"


def _warning(saga: Saga) -> StepRecord | None:
    """A step that did not happen in a completed saga: people should know, and no rollback starts.

    It came after the pivot, or a person left it out.
    """
    if saga.phase is not Phase.COMPLETED:
        return None
    records = (
        record
        for record in saga.steps
        if BY_NAME[record.name].kind is Kind.RETRIABLE or record.reason == reasons.SKIPPED_BY_HAND
    )
    return next((record for record in records if record.state is not StepState.SUCCEEDED), None)
