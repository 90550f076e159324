"""What `spec.intervention` changes. Each id acts once; its record and its effect are written together."""

from dataclasses import replace
from typing import Final

from saga_operator.process import reasons
from saga_operator.process.saga import Intervention, Saga, settled_forward
from saga_operator.process.step_record import MESSAGE_LENGTH, StepRecord, StepState, is_stuck
from saga_operator.process.steps import BACKWARD, BY_NAME

REMEMBERED: Final = 32
"""Ids of earlier interventions: more than people give one saga, and about 2 KB of its status at the most."""


def intervened(saga: Saga, at: float) -> Saga:
    """The saga after the requested intervention: what became of it, and the changed step if it applied."""
    request = saga.requested
    if request is None or (saga.intervention is not None and saga.intervention.id == request.id):
        return saga
    last = saga.intervention
    # each id once, in the order of its latest mention, so that one that keeps coming is not forgotten
    ids = () if last is None else (*(id_ for id_ in last.earlier if id_ != last.id), last.id)
    record = next((record for record in saga.steps if record.name == request.step), None)
    changed = None if record is None or request.id in ids else _intervention_result(saga, record, request, at)
    outcome = reasons.INTERVENED if changed is not None else reasons.INTERVENTION_REFUSED
    noted = replace(
        request, time=at, reason=request.reason[:MESSAGE_LENGTH], outcome=outcome, earlier=ids[-REMEMBERED:]
    )
    saga = replace(saga, intervention=noted)
    return saga if changed is None else saga.put(changed)


def _intervention_result(saga: Saga, record: StepRecord, request: Intervention, at: float) -> StepRecord | None:
    """The step's record after the intervention, or None where it does not apply."""
    note = request.reason[:MESSAGE_LENGTH]
    match request.action:
        case "RetryNow":
            return _retried(saga, record, note)
        case "MarkCompensated" if is_stuck(record) and BY_NAME[record.name] in BACKWARD:
            undo = replace(record.compensation, completion=at, reason=reasons.MARKED_COMPENSATED, message=note)
            return replace(record.settled(), state=StepState.COMPENSATED, compensation=undo)
        case "Skip" if saga.confirmed and not settled_forward(record):
            skipped = replace(record, state=StepState.SKIPPED, reason=reasons.SKIPPED_BY_HAND, message=note)
            return replace(skipped.due(0.0), completion=at)
    return None


def _retried(saga: Saga, record: StepRecord, note: str) -> StepRecord | None:
    """The call is made at once and has all its attempts again: the do on the way forward, the undo in a rollback."""
    if saga.failure is None:
        if settled_forward(record):
            return None
        return replace(record.due(0.0), state=StepState.PENDING, completion=None, attempts=0)
    if record.compensation.completion is not None or BY_NAME[record.name].undo is None:
        return None
    state = StepState.UNKNOWN if is_stuck(record) else record.state
    undo = replace(record.compensation, attempts=0, start=None, reason=reasons.RETRY_REQUESTED, message=note)
    return replace(record, state=state, compensation=undo, retry_at=0.0, in_progress_since=None)
