"""How a saga changes when something happened: `evolve(saga, event) -> saga`, pure.

Folding the same event twice does no harm: after a lost race for the record, the events that are not recorded yet are
folded into what the winner wrote.
"""

from dataclasses import replace

from saga_operator.process import reasons
from saga_operator.process.events import (
    AlreadyConfirmed,
    DoRefused,
    Event,
    InProgress,
    NoUsableAnswer,
    Observed,
    OrderIDUsed,
    Paused,
    Succeeded,
    Undone,
)
from saga_operator.process.forward import FINAL, called, do_in_progress, do_unanswered, refused, succeeded
from saga_operator.process.interventions import intervened
from saga_operator.process.rollback import (
    fail,
    nothing_left,
    resumed_forward,
    undo_in_progress,
    undo_unanswered,
    undone,
)
from saga_operator.process.saga import FINISHED, MESSAGE_LENGTH, Desired, Failure, Saga, StepState
from saga_operator.process.steps import FIRST


def evolve(saga: Saga, event: Event) -> Saga:
    """The saga after the event. Never raises: an event that no longer fits changes nothing.

    A finished saga is its own record, which the API server freezes: the answer to a call that was made before another
    process finished the saga must not change it any more.
    """
    if saga.phase in FINISHED and not isinstance(event, Observed):
        return saga
    match event:
        case Observed():
            return _observed(saga, event)
        case Succeeded():
            return succeeded(saga, event)
        case DoRefused():
            return refused(saga, event)
        case Undone():
            return undone(saga, event)
        case NoUsableAnswer():
            return undo_unanswered(saga, event) if event.undo else do_unanswered(saga, event)
        case InProgress():
            return undo_in_progress(saga, event) if event.undo else do_in_progress(saga, event)
        case Paused():
            return _paused(saga, event)
        case AlreadyConfirmed():
            return resumed_forward(saga, event)
        case OrderIDUsed():
            return _order_id_used(saga, event)


def _observed(saga: Saga, event: Observed) -> Saga:
    saga = replace(saga, desired=event.desired, deleting=event.deleting, requested=event.intervention)
    if saga.phase in FINISHED:
        return saga
    saga = _suspension(intervened(saga, event.at), event)  # before the deadline is looked at: a pause moves it
    if saga.failure is None and not saga.confirmed:
        saga = _rolled_back_on_request(saga, event)
    return saga


def _rolled_back_on_request(saga: Saga, event: Observed) -> Saga:
    if event.deleting:
        return fail(saga, saga.current_step, reasons.DELETED, "the resource was deleted: rolling back before it goes")
    if event.desired is Desired.CANCELLED:
        return fail(saga, saga.current_step, reasons.CANCELLED, "cancelled on request")
    if event.desired is Desired.ACTIVE and event.at >= saga.deadline:
        limit = f"not confirmed within {saga.order.deadline_seconds:.0f} s (activeDeadlineSeconds)"
        return fail(saga, saga.current_step, reasons.DEADLINE_EXCEEDED, limit)
    return saga


def _suspension(saga: Saga, event: Observed) -> Saga:
    """Pauses forward steps only, never a rollback; a deletion overrides it. The deadline's clock stands still."""
    paused = event.desired is Desired.SUSPENDED and saga.failure is None and not event.deleting
    if paused and saga.suspended_at is None:
        return replace(saga, suspended_at=event.at)
    if not paused and saga.suspended_at is not None:
        seconds = saga.suspended_seconds + max(0.0, event.at - saga.suspended_at)
        return replace(saga, suspended_at=None, suspended_seconds=seconds)
    return saga


def _order_id_used(saga: Saga, event: OrderIDUsed) -> Saga:
    """Another order has this id: the saga ends Compensated without any undo, since nothing of it is ours.

    Once our own order step has succeeded the answer makes no sense: then it is a participant's error.
    """
    if saga[FIRST.name].state is StepState.SUCCEEDED:
        undo = saga.failure is not None
        failed = NoUsableAnswer(
            step=event.step,
            started=event.started,
            at=event.at,
            undo=undo,
            reason=reasons.PARTICIPANT_ERROR,
            message=event.message,
        )
        return undo_unanswered(saga, failed) if undo else do_unanswered(saga, failed)
    record = saga[event.step]
    if event.step == FIRST.name and saga.failure is None:
        record = replace(
            called(record, event.started),
            state=StepState.REFUSED,
            attempts=record.attempts + 1,
            completion=event.at,
            reason=reasons.ORDER_ID_USED,
            message=event.message[:MESSAGE_LENGTH],
        )
    saga = saga.put(record)
    saga = replace(fail(saga, event.step, reasons.ORDER_ID_USED, event.message))
    failure = Failure(event.step, reasons.ORDER_ID_USED, event.message[:MESSAGE_LENGTH])
    return nothing_left(replace(saga, failure=failure), event.at)


def _paused(saga: Saga, event: Paused) -> Saga:
    """The call waits for its participant: visible, and free of charge."""
    record = saga[event.step]
    message = event.message[:MESSAGE_LENGTH]
    if event.undo:
        if saga.failure is None or record.compensation.completion is not None:
            return saga
        undo = replace(record.compensation, reason=reasons.WAITING_FOR_DOWNSTREAM, message=message)
        return saga.put(replace(record, compensation=undo, retry_at=event.until, location=""))
    if record.state in FINAL:
        return saga
    return saga.put(
        replace(record, reason=reasons.WAITING_FOR_DOWNSTREAM, message=message, retry_at=event.until, location="")
    )
