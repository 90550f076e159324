"""`evolve` on the way forward: what the answer to a do changes. A do result never overwrites an undo result."""

from dataclasses import replace
from typing import Final

from saga_operator.process import reasons
from saga_operator.process.backoff import backoff
from saga_operator.process.events import DoRefused, InProgress, NoUsableAnswer, Succeeded
from saga_operator.process.rollback import fail
from saga_operator.process.saga import MESSAGE_LENGTH, Saga, StepRecord, StepState
from saga_operator.process.steps import BY_NAME, Kind

UNDO_RESULTS: Final = frozenset({StepState.COMPENSATED, StepState.COMPENSATION_FAILED, StepState.SKIPPED})
FINAL: Final = UNDO_RESULTS | {StepState.SUCCEEDED, StepState.REFUSED}
"""What only a success may still change. A refusal keeps its reason: it says whether something may be left to undo."""


def succeeded(saga: Saga, event: Succeeded) -> Saga:
    """The do has happened: recorded once, with what the service calls its result."""
    record = saga[event.step]
    if record.state in UNDO_RESULTS or record.state is StepState.SUCCEEDED or record.compensation.completion:
        return saga  # a do result never overwrites an undo result, and counts once
    return saga.put(
        replace(
            called(record, event.started),
            state=StepState.SUCCEEDED,
            attempts=record.attempts + 1,
            external_id=event.external_id,
            completion=event.at,
            reason="",
            message="",
            retry_at=0.0,
            location="",
        )
    )


def refused(saga: Saga, event: DoRefused) -> Saga:
    """The service said no: before the pivot that starts a rollback, after it the saga goes on without the step."""
    record, step = saga[event.step], BY_NAME[event.step]
    if record.state in FINAL or record.compensation.completion:
        return saga
    if saga.confirmed and step.kind is not Kind.RETRIABLE:
        # replayed after the saga turned round: only forward from here, so ask again and let a person see it
        return do_unanswered(
            saga,
            NoUsableAnswer(
                step=event.step,
                started=event.started,
                at=event.at,
                undo=False,
                reason=reasons.PARTICIPANT_ERROR,
                message=f"{event.reason} after the order was confirmed: {event.message}",
            ),
        )
    saga = saga.put(
        replace(
            called(record, event.started),
            state=StepState.REFUSED,
            attempts=record.attempts + 1,
            completion=event.at,
            reason=event.reason,
            message=event.message[:MESSAGE_LENGTH],
            retry_at=0.0,
            location="",
        )
    )
    if step.kind is Kind.RETRIABLE or saga.confirmed:
        return saga
    return fail(saga, event.step, event.reason, event.message)


def do_unanswered(saga: Saga, event: NoUsableAnswer) -> Saga:
    """No usable answer: tried again until the budget is spent, past the pivot without limit; then Unknown, and back."""
    record, step = saga[event.step], BY_NAME[event.step]
    if record.state in FINAL:
        return saga
    record = replace(
        called(record, event.started),
        attempts=record.attempts + 1,
        reason=event.reason,
        message=event.message[:MESSAGE_LENGTH],
        location="",
    )
    for_ever = saga.confirmed or step.kind is Kind.RETRIABLE
    if for_ever or record.attempts < saga.order.retry.max_attempts or saga.failure is not None:
        return saga.put(replace(record, retry_at=event.at + backoff(saga, record.attempts, event)))
    saga = saga.put(replace(record, state=StepState.UNKNOWN, retry_at=0.0))
    return fail(saga, event.step, event.reason, f"gave up after {record.attempts} attempts: {event.message}")


def called(record: StepRecord, started: float) -> StepRecord:
    """The record with the time of its first call."""
    return record if record.start is not None else replace(record, start=started)


def do_in_progress(saga: Saga, event: InProgress) -> Saga:
    """Accepted, or somebody else is at it: ask again, which costs no budget."""
    record = saga[event.step]
    if record.state in FINAL:
        return saga
    record = replace(called(record, event.started), reason=reasons.IN_PROGRESS, message=event.message[:MESSAGE_LENGTH])
    return saga.put(replace(record, retry_at=event.at + event.retry_after, location=event.location))
