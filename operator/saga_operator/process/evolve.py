"""How a saga changes when something has happened: `evolve(saga, event) -> saga`, pure.

Folding the same event twice does no harm. After a lost race for the record, the events that are not recorded yet are
folded into what the winner has written.
"""

from dataclasses import replace

from saga_operator.process import reasons
from saga_operator.process.events import (
    AlreadyConfirmed,
    DoRefused,
    EpochRefused,
    Event,
    InProgress,
    NoUsableAnswer,
    Observed,
    OrderIDUsed,
    Paused,
    Succeeded,
    Undone,
)
from saga_operator.process.forward import (
    do_in_progress,
    do_not_looked_at,
    do_paused,
    do_unanswered,
    refusal,
    refused,
    succeeded,
)
from saga_operator.process.interventions import intervened
from saga_operator.process.rollback import (
    nothing_left,
    resumed_forward,
    undo_in_progress,
    undo_not_looked_at,
    undo_paused,
    undo_unanswered,
    undone,
)
from saga_operator.process.saga import FINISHED, Desired, Saga
from saga_operator.process.step_record import StepState
from saga_operator.process.steps import FIRST


def evolve(saga: Saga, event: Event) -> Saga:
    """The saga after the event. Never raises: an event that no longer fits changes nothing.

    The record of a finished saga is final, and the API server freezes it. The answer to a call that was made before
    another process finished the saga must not change it any more.
    """
    if saga.phase in FINISHED and not isinstance(event, Observed):
        return saga
    if not isinstance(event, Observed | Paused):
        saga = saga.waited(event.at)
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
            return _unanswered(saga, event)
        case InProgress():
            return undo_in_progress(saga, event) if event.undo else do_in_progress(saga, event)
        case Paused():
            return undo_paused(saga, event) if event.undo else do_paused(saga, event)
        case EpochRefused():
            return undo_not_looked_at(saga, event) if event.undo else do_not_looked_at(saga, event)
        case AlreadyConfirmed():
            return resumed_forward(saga, event)
        case OrderIDUsed():
            return _order_id_used(saga, event)


def _observed(saga: Saga, event: Observed) -> Saga:
    wishes = (event.desired, event.desired_by, event.deleting, event.intervention)
    known = (saga.desired, saga.desired_by, saga.deleting, saga.requested)
    if wishes != known:  # it is nearly always as it was, before each call
        desired, by, deleting, requested = wishes
        saga = replace(saga, desired=desired, desired_by=by, deleting=deleting, requested=requested)
    if saga.phase in FINISHED:
        return saga
    if event.absences != saga.absences:
        saga = replace(saga, absences=event.absences)
    saga = intervened(saga, event.at)
    saga = _suspension(saga, event)  # before the deadline is looked at: a suspension moves it
    if saga.failure is None and not saga.confirmed:
        saga = _rolled_back_on_request(saga, event)
    return saga


def _suspension(saga: Saga, event: Observed) -> Saga:
    """A suspension stops forward steps only, never a rollback; a deletion overrides it. The deadline's clock stops."""
    suspended = event.desired is Desired.SUSPENDED and saga.failure is None and not event.deleting
    if suspended and saga.suspended_at is None:
        return replace(saga.waited(event.at), suspended_at=event.at)
    if not suspended and saga.suspended_at is not None:
        seconds = saga.suspended_seconds + saga.seconds_since(saga.suspended_at, event.at)
        still_down = saga.failure is None and saga.waits_for_downstream
        waiting_since = event.at if still_down else None
        if still_down:  # it gave its place away when it was suspended: nobody would wake it
            saga = saga.put(saga[saga.current_step].due(0.0))
        return replace(saga, suspended_at=None, suspended_seconds=seconds, waiting_since=waiting_since)
    return saga


def _rolled_back_on_request(saga: Saga, event: Observed) -> Saga:
    if event.deleting:
        why = f": {event.deletion_reason}" if event.deletion_reason else ""
        return saga.roll_back(saga.current_step, reasons.DELETED, f"the resource was deleted{why}")
    if event.desired is Desired.CANCELLED:
        who = event.desired_by or "a user"
        return saga.roll_back(saga.current_step, reasons.CANCELLED, f"{who} cancelled the order")
    if event.desired is Desired.ACTIVE and saga.waiting_since is None and event.at >= saga.deadline:
        limit = f"the order was not confirmed within {saga.order.deadline_seconds:.0f} s (activeDeadlineSeconds)"
        return saga.roll_back(saga.current_step, reasons.DEADLINE_EXCEEDED, limit)
    return saga


def _unanswered(saga: Saga, event: NoUsableAnswer) -> Saga:
    return undo_unanswered(saga, event) if event.undo else do_unanswered(saga, event)


def _order_id_used(saga: Saga, event: OrderIDUsed) -> Saga:
    """Another order has this id: the saga ends Compensated without any undo, since no effect belongs to it.

    Once any step of ours has succeeded, the answer makes no sense: then it is a participant's error.
    """
    if any(record.state is StepState.SUCCEEDED for record in saga.steps):
        undo = saga.failure is not None
        error = NoUsableAnswer.participant_error(event, undo=undo, message=event.message)
        return _unanswered(saga, replace(error, refused=undo))
    if event.step == FIRST.name and saga.failure is None:
        saga = saga.put(refusal(saga[event.step], event, reasons.ORDER_ID_USED, event.message))
    # this reason takes the place of the one for which a rollback may have begun
    saga = replace(saga, failure=None).roll_back(event.step, reasons.ORDER_ID_USED, event.message)
    return nothing_left(saga, event.at)
