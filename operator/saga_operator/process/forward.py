"""`evolve` on the way forward: what the answer to a do changes. A do result never overwrites an undo result."""

from dataclasses import replace
from typing import Final

from saga_operator.process import reasons
from saga_operator.process.events import (
    CallOutcome,
    DoRefused,
    EpochRefused,
    InProgress,
    NoUsableAnswer,
    Paused,
    Succeeded,
)
from saga_operator.process.saga import Saga
from saga_operator.process.step_record import MESSAGE_LENGTH, StepRecord, StepState
from saga_operator.process.steps import BY_NAME, Kind

UNDO_RESULTS: Final = frozenset({StepState.COMPENSATED, StepState.COMPENSATION_FAILED, StepState.SKIPPED})
FINAL: Final = UNDO_RESULTS | {StepState.SUCCEEDED, StepState.REFUSED}
"""States that only a success may still change. A refusal keeps its reason, which tells whether an undo is needed."""


def succeeded(saga: Saga, event: Succeeded) -> Saga:
    """The do has happened: it is recorded once, with the id that the service gave to its result."""
    record = saga[event.step]
    if record.state in UNDO_RESULTS or record.state is StepState.SUCCEEDED or record.compensation.completion:
        return saga  # a do result never overwrites an undo result, and counts once
    done = StepRecord(  # not as a copy: its calls are over, and a copy would be a tenth of what an answer costs
        record.name,
        StepState.SUCCEEDED,
        attempts=record.attempts + 1,
        external_id=event.external_id,
        start=event.started if record.start is None else record.start,
        completion=event.at,
        compensation=record.compensation,
    )
    return saga.put(done)


def refused(saga: Saga, event: DoRefused) -> Saga:
    """The service refused: before the pivot a rollback starts; a step that comes after it is left out.

    A step that comes before the pivot can only be refused after it if somebody else has confirmed the order. The saga
    neither goes back, since the order is confirmed, nor on: it waits for a person (RetryNow or Skip).
    """
    record, step = saga[event.step], BY_NAME[event.step]
    if record.state in FINAL or record.compensation.completion:
        return saga
    saga = saga.put(refusal(record, event, event.reason, event.message))
    if saga.confirmed or step.kind is Kind.RETRIABLE:
        return saga
    return saga.roll_back(event.step, event.reason, event.message)


def refusal(record: StepRecord, event: CallOutcome, reason: str, message: str) -> StepRecord:
    """The step's record once the service has refused to do it."""
    return replace(
        record.called(event.started).due(0.0),
        state=StepState.REFUSED,
        attempts=record.attempts + 1,
        completion=event.at,
        reason=reason,
        message=message[:MESSAGE_LENGTH],
    )


def do_unanswered(saga: Saga, event: NoUsableAnswer) -> Saga:
    """No usable answer: the call is made again, after the pivot without limit.

    Before the pivot, a step whose attempts are spent becomes Unknown, and a rollback starts. Where the participant asks
    for a longer pause than the order's own back-off has, the attempt isn't counted: attempts are for a participant that
    doesn't say when it is back, and the deadline is the limit of the others.
    """
    record, step = saga[event.step], BY_NAME[event.step]
    if record.state in FINAL:
        return saga
    retry = saga.order.retry
    asked_to_wait = (event.retry_after or 0.0) > retry.max_backoff
    record = replace(
        record.called(event.started),
        attempts=record.attempts if asked_to_wait else record.attempts + 1,
        reason=event.reason,
        message=event.message[:MESSAGE_LENGTH],
    )
    without_limit = asked_to_wait or saga.confirmed or step.kind is Kind.RETRIABLE
    if without_limit or record.attempts < retry.max_attempts or saga.failure is not None:
        delay = retry.delay(record.attempts, jitter=event.jitter, retry_after=event.retry_after)
        return saga.put(record.due(event.at + delay))
    saga = saga.put(replace(record.due(0.0), state=StepState.UNKNOWN))
    return saga.roll_back(event.step, event.reason, f"gave up after {record.attempts} attempts: {event.message}")


def do_in_progress(saga: Saga, event: InProgress) -> Saga:
    """The do is accepted, or another call works on it: the operator asks again, which costs no attempt.

    The message is that of the first such answer: nothing is written while only the next look moves.
    """
    record = saga[event.step]
    if record.state in FINAL:
        return saga
    if record.reason != reasons.IN_PROGRESS:
        record = replace(record, reason=reasons.IN_PROGRESS, message=event.message[:MESSAGE_LENGTH])
    return saga.put(record.called(event.started).followed(event.at, event.retry_after, event.location))


def do_paused(saga: Saga, event: Paused) -> Saga:
    """The do waits until its participant is back: people see it, it costs no attempt, and the deadline stands still."""
    record = saga[event.step]
    if record.state in FINAL:
        return saga
    if saga.waiting_since is None and saga.failure is None and not saga.confirmed:
        saga = replace(saga, waiting_since=event.started)
    message = event.message[:MESSAGE_LENGTH]
    return saga.put(replace(record.due(event.until), reason=event.reason, message=message))


def do_not_looked_at(saga: Saga, event: EpochRefused) -> Saga:
    """The do is made again under another epoch: people see it, and it costs no attempt."""
    record = saga[event.step]
    if record.state in FINAL:
        return saga
    record = replace(record.due(event.at + event.pause), reason=reasons.PARTICIPANT_ERROR)
    return saga.put(replace(record, message=event.message[:MESSAGE_LENGTH]))
