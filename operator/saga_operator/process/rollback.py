"""`evolve` on the way back: the decision, the door, the undos, and turning round when the door is shut from inside."""

from dataclasses import replace
from typing import Final

from saga_operator.process import reasons
from saga_operator.process.backoff import backoff
from saga_operator.process.events import AlreadyConfirmed, InProgress, NoUsableAnswer, Undone
from saga_operator.process.saga import (
    MESSAGE_LENGTH,
    Compensation,
    Failure,
    Saga,
    StepRecord,
    StepState,
    refused_for_business,
)
from saga_operator.process.steps import BACKWARD, FIRST, ORDER_SAGA, PIVOT

COMPENSATION_ATTEMPTS: Final = 20
"""About eight minutes of trying with the default back-off: then a person is told."""
COMPENSATION_IN_PROGRESS_LIMIT: Final = 15 * 60.0
"""Seconds; an undo that is accepted but doesn't end (a refund at a bank) becomes a person's case."""


def fail(saga: Saga, step: str, reason: str, message: str) -> Saga:
    """The decision to roll back. The first one stays."""
    if saga.failure is not None:
        return saga
    steps = tuple(replace(record, retry_at=0.0, location="") for record in saga.steps)
    return replace(saga, failure=Failure(step, reason, message[:MESSAGE_LENGTH]), steps=steps)


def undone(saga: Saga, event: Undone) -> Saga:
    """The undo (or the door) has answered."""
    record = saga[event.step]
    if saga.failure is None or record.compensation.completion is not None:
        return saga
    undo = undo_called(record, event.started)
    undo = replace(undo, attempts=undo.attempts + 1, completion=event.at, reason="", message="")
    saga = saga.put(replace(record, state=_undone_state(record, event), compensation=undo, retry_at=0.0, location=""))
    if event.step == PIVOT.name and event.closed:
        # an earlier rollback of this order has been through everything: nothing is left to undo
        if saga.failure is not None and saga.failure.reason == reasons.COMPENSATED:
            saga = replace(saga, failure=replace(saga.failure, reason=reasons.ORDER_ALREADY_CANCELLED))
        return nothing_left(saga, event.at)
    return saga


def _undone_state(record: StepRecord, event: Undone) -> StepState:
    if refused_for_business(record):
        return StepState.REFUSED
    if event.step == PIVOT.name or event.effect == "none":
        return StepState.SKIPPED  # nothing had to be undone
    return StepState.COMPENSATED


def nothing_left(saga: Saga, at: float) -> Saga:
    """Every undo counts as answered: the order was undone before, or it was never ours."""
    for step in (PIVOT, *BACKWARD, FIRST):
        record = saga[step.name]
        if record.compensation.completion is None:
            state = StepState.REFUSED if record.state is StepState.REFUSED else StepState.SKIPPED
            undo = replace(record.compensation, completion=at)
            saga = saga.put(replace(record, state=state, compensation=undo, retry_at=0.0, location=""))
    return saga


def undo_unanswered(saga: Saga, event: NoUsableAnswer) -> Saga:
    """The undo failed: tried again, and after its own budget a person is told; the door without limit."""
    record = saga[event.step]
    if saga.failure is None or record.compensation.completion is not None:
        return saga
    undo = undo_called(record, event.started)
    undo = replace(undo, attempts=undo.attempts + 1, reason=event.reason, message=event.message[:MESSAGE_LENGTH])
    record = replace(record, compensation=undo, location="")
    if event.step != PIVOT.name and undo.attempts >= COMPENSATION_ATTEMPTS:
        return saga.put(replace(record, state=StepState.COMPENSATION_FAILED, retry_at=0.0))
    return saga.put(replace(record, retry_at=event.at + backoff(saga, undo.attempts, event)))


def undo_called(record: StepRecord, started: float) -> Compensation:
    """The record of an undo with the time of its first call."""
    undo = record.compensation
    return undo if undo.start is not None else replace(undo, start=started)


def resumed_forward(saga: Saga, event: AlreadyConfirmed) -> Saga:
    """The order is confirmed: phase Running again, every other step that hasn't succeeded is called (replays)."""
    if saga.failure is None or saga.rejected:
        return saga
    steps = []
    for step in ORDER_SAGA:
        record = saga[step.name]
        if step is PIVOT:
            record = replace(
                StepRecord(step.name, StepState.SUCCEEDED, max(1, record.attempts)),
                start=record.start if record.start is not None else event.started,
                completion=event.at,
                reason=reasons.ALREADY_CONFIRMED,
            )
        elif record.state is not StepState.SUCCEEDED:
            record = StepRecord(step.name, attempts=record.attempts, start=record.start)
        steps.append(record)
    return replace(saga, failure=None, steps=tuple(steps))


def undo_in_progress(saga: Saga, event: InProgress) -> Saga:
    """Accepted, or somebody else is at it: ask again, which costs no budget, but not for ever (except the door)."""
    record = saga[event.step]
    if saga.failure is None or record.compensation.completion is not None:
        return saga
    undo = undo_called(record, event.started)
    undo = replace(undo, reason=reasons.IN_PROGRESS, message=event.message[:MESSAGE_LENGTH])
    began = undo.start if undo.start is not None else event.at
    if event.step != PIVOT.name and event.at - began > COMPENSATION_IN_PROGRESS_LIMIT:
        undo = replace(undo, reason=reasons.COMPENSATION_TIMED_OUT, message="in progress for over 15 minutes")
        return saga.put(replace(record, state=StepState.COMPENSATION_FAILED, compensation=undo, location=""))
    return saga.put(replace(record, compensation=undo, retry_at=event.at + event.retry_after, location=event.location))
