"""How a saga changes when something happened: `evolve(saga, event) -> saga`, pure.

Folding the same event twice does no harm: after a lost race for the record, the events that are not recorded yet are
folded into what the winner wrote.
"""

from dataclasses import replace
from typing import Final

from saga_operator import reasons
from saga_operator.events import (
    AlreadyConfirmed,
    Event,
    InProgress,
    Observed,
    OrderIDUsed,
    Refused,
    Succeeded,
    Unavailable,
    Undone,
)
from saga_operator.saga import (
    FINISHED,
    Compensation,
    Desired,
    Failure,
    Intervention,
    Saga,
    StepRecord,
    StepState,
    refused_for_business,
)
from saga_operator.steps import BACKWARD, BY_NAME, FIRST, ORDER_SAGA, PIVOT, Kind

COMPENSATION_ATTEMPTS: Final = 20
"""About eight minutes of trying with the default back-off: then a person is told."""
COMPENSATION_IN_PROGRESS_LIMIT: Final = 15 * 60.0
"""Seconds; an undo that is accepted but doesn't end (a refund at a bank) becomes a person's case."""
MESSAGE_LENGTH: Final = 512
"""Characters; the status of a resource stays small (its size is what a write costs)."""

_UNDO_RESULTS = frozenset({StepState.COMPENSATED, StepState.COMPENSATION_FAILED, StepState.SKIPPED})


def evolve(saga: Saga, event: Event) -> Saga:
    """The saga after the event. Never raises: an event that no longer fits changes nothing."""
    match event:
        case Observed():
            return _observed(saga, event)
        case Succeeded():
            return _succeeded(saga, event)
        case Refused():
            return _refused(saga, event)
        case Undone():
            return _undone(saga, event)
        case Unavailable(undo=True):
            return _undo_unavailable(saga, event)
        case Unavailable():
            return _do_unavailable(saga, event)
        case InProgress():
            return _in_progress(saga, event)
        case AlreadyConfirmed():
            return _turned_round(saga, event)
        case OrderIDUsed():
            return _order_id_used(saga, event)


# what people want, and the clock


def _observed(saga: Saga, event: Observed) -> Saga:
    saga = replace(saga, desired=event.desired, deleting=event.deleting, requested=event.intervention)
    if saga.phase in FINISHED:
        return saga
    saga = _suspension(_intervened(saga, event.at), event)  # before the deadline is looked at: a pause moves it
    if saga.failure is None and not saga.confirmed:
        saga = _rolled_back_on_request(saga, event)
    return saga


def _rolled_back_on_request(saga: Saga, event: Observed) -> Saga:
    if event.deleting:
        return _fail(saga, saga.current_step, reasons.DELETED, "the resource was deleted: rolling back before it goes")
    if event.desired is Desired.CANCELLED:
        return _fail(saga, saga.current_step, reasons.CANCELLED, "cancelled on request")
    if event.desired is Desired.ACTIVE and event.at >= saga.deadline:
        limit = f"not confirmed within {saga.order.deadline_seconds:.0f} s (activeDeadlineSeconds)"
        return _fail(saga, saga.current_step, reasons.DEADLINE_EXCEEDED, limit)
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


def _intervened(saga: Saga, at: float) -> Saga:
    """Each id acts once; the record and the resulting step state are one write."""
    wish = saga.requested
    if wish is None or (saga.intervention is not None and saga.intervention.id == wish.id):
        return saga
    record = next((record for record in saga.steps if record.name == wish.step), None)
    changed = None if record is None else _intervention_result(saga, record, wish, at)
    note = wish.reason if changed is not None else f"{reasons.INTERVENTION_REFUSED}: {wish.reason}"
    saga = replace(saga, intervention=replace(wish, time=at, reason=note[:MESSAGE_LENGTH]))
    return saga if changed is None else saga.put(changed)


def _intervention_result(saga: Saga, record: StepRecord, wish: Intervention, at: float) -> StepRecord | None:
    """The step's record after the intervention, or None where it does not apply."""
    step = BY_NAME[record.name]
    if wish.action == "RetryNow":
        fresh = replace(record, retry_at=0.0)
        if saga.failure is None or record.compensation.completion is not None:
            return replace(fresh, attempts=0) if saga.failure is None else None
        state = StepState.UNKNOWN if record.state is StepState.COMPENSATION_FAILED else record.state
        undo = replace(record.compensation, attempts=0, start=None, reason=reasons.RETRY_REQUESTED, message=wish.reason)
        return replace(fresh, state=state, compensation=undo)
    if wish.action == "MarkCompensated" and record.state is StepState.COMPENSATION_FAILED and step in BACKWARD:
        undo = replace(
            record.compensation, completion=at, reason=reasons.MARKED_COMPENSATED, message=wish.reason[:MESSAGE_LENGTH]
        )
        return replace(record, state=StepState.COMPENSATED, compensation=undo)
    if wish.action == "Skip" and saga.confirmed and step.kind is Kind.RETRIABLE and not record.completion:
        return replace(
            record,
            state=StepState.SKIPPED,
            completion=at,
            reason=reasons.SKIPPED_BY_HAND,
            message=wish.reason[:MESSAGE_LENGTH],
        )
    return None


# forward


def _succeeded(saga: Saga, event: Succeeded) -> Saga:
    record = saga[event.step]
    if record.state in _UNDO_RESULTS or record.state is StepState.SUCCEEDED or record.compensation.completion:
        return saga  # a do result never overwrites an undo result, and counts once
    return saga.put(
        replace(
            _called(record, event.started),
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


def _refused(saga: Saga, event: Refused) -> Saga:
    record, step = saga[event.step], BY_NAME[event.step]
    if record.state in _UNDO_RESULTS or record.state is StepState.SUCCEEDED or record.compensation.completion:
        return saga
    if saga.confirmed and step.kind is not Kind.RETRIABLE:
        # replayed after the saga turned round: only forward from here, so ask again and let a person see it
        return _do_unavailable(
            saga,
            Unavailable(
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
            _called(record, event.started),
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
    return _fail(saga, event.step, event.reason, event.message)


def _do_unavailable(saga: Saga, event: Unavailable) -> Saga:
    record, step = saga[event.step], BY_NAME[event.step]
    if record.state in _UNDO_RESULTS or record.state is StepState.SUCCEEDED:
        return saga
    record = replace(
        _called(record, event.started),
        attempts=record.attempts + 1,
        reason=event.reason,
        message=event.message[:MESSAGE_LENGTH],
        location="",
    )
    for_ever = saga.confirmed or step.kind is Kind.RETRIABLE
    if for_ever or record.attempts < saga.order.retry.max_attempts or saga.failure is not None:
        return saga.put(replace(record, retry_at=event.at + _backoff(saga, record.attempts, event)))
    saga = saga.put(replace(record, state=StepState.UNKNOWN, retry_at=0.0))
    return _fail(saga, event.step, event.reason, f"gave up after {record.attempts} attempts: {event.message}")


def _called(record: StepRecord, started: float) -> StepRecord:
    return record if record.start is not None else replace(record, start=started)


# backward


def _fail(saga: Saga, step: str, reason: str, message: str) -> Saga:
    """The decision to roll back. The first one stays."""
    if saga.failure is not None:
        return saga
    steps = tuple(replace(record, retry_at=0.0, location="") for record in saga.steps)
    return replace(saga, failure=Failure(step, reason, message[:MESSAGE_LENGTH]), steps=steps)


def _undone(saga: Saga, event: Undone) -> Saga:
    record = saga[event.step]
    if saga.failure is None or record.compensation.completion is not None:
        return saga
    undo = _undo_called(record, event.started)
    undo = replace(undo, attempts=undo.attempts + 1, completion=event.at, reason="", message="")
    saga = saga.put(replace(record, state=_undone_state(record, event), compensation=undo, retry_at=0.0, location=""))
    if event.step == PIVOT.name and event.closed:
        # an earlier rollback of this order has been through everything: nothing is left to undo
        if saga.failure is not None and saga.failure.reason == reasons.COMPENSATED:
            saga = replace(saga, failure=replace(saga.failure, reason=reasons.ORDER_ALREADY_CANCELLED))
        return _nothing_left(saga, event.at)
    return saga


def _undone_state(record: StepRecord, event: Undone) -> StepState:
    if refused_for_business(record):
        return StepState.REFUSED
    if event.step == PIVOT.name or event.effect == "none":
        return StepState.SKIPPED  # nothing had to be undone
    return StepState.COMPENSATED


def _nothing_left(saga: Saga, at: float) -> Saga:
    for step in (PIVOT, *BACKWARD, FIRST):
        record = saga[step.name]
        if record.compensation.completion is None:
            state = StepState.REFUSED if record.state is StepState.REFUSED else StepState.SKIPPED
            undo = replace(record.compensation, completion=at)
            saga = saga.put(replace(record, state=state, compensation=undo, retry_at=0.0, location=""))
    return saga


def _undo_unavailable(saga: Saga, event: Unavailable) -> Saga:
    record = saga[event.step]
    if saga.failure is None or record.compensation.completion is not None:
        return saga
    undo = _undo_called(record, event.started)
    undo = replace(undo, attempts=undo.attempts + 1, reason=event.reason, message=event.message[:MESSAGE_LENGTH])
    record = replace(record, compensation=undo, location="")
    if event.step != PIVOT.name and undo.attempts >= COMPENSATION_ATTEMPTS:
        return saga.put(replace(record, state=StepState.COMPENSATION_FAILED, retry_at=0.0))
    return saga.put(replace(record, retry_at=event.at + _backoff(saga, undo.attempts, event)))


def _undo_called(record: StepRecord, started: float) -> Compensation:
    undo = record.compensation
    return undo if undo.start is not None else replace(undo, start=started)


# both ways


def _in_progress(saga: Saga, event: InProgress) -> Saga:
    record = saga[event.step]
    retry_at = event.at + event.retry_after
    if not event.undo:
        if record.state in _UNDO_RESULTS or record.state is StepState.SUCCEEDED:
            return saga
        record = replace(_called(record, event.started), reason=reasons.IN_PROGRESS, message=event.message)
        return saga.put(replace(record, retry_at=retry_at, location=event.location))
    if saga.failure is None or record.compensation.completion is not None:
        return saga
    undo = replace(_undo_called(record, event.started), reason=reasons.IN_PROGRESS, message=event.message)
    if event.step != PIVOT.name and undo.start is not None and event.at - undo.start > COMPENSATION_IN_PROGRESS_LIMIT:
        undo = replace(undo, reason=reasons.COMPENSATION_TIMED_OUT, message="in progress for over 15 minutes")
        return saga.put(replace(record, state=StepState.COMPENSATION_FAILED, compensation=undo, location=""))
    return saga.put(replace(record, compensation=undo, retry_at=retry_at, location=event.location))


def _turned_round(saga: Saga, event: AlreadyConfirmed) -> Saga:
    """The order is confirmed: phase Running again, every other step that hasn't succeeded is called (replays)."""
    if saga.failure is None or saga.door_closed:
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


def _order_id_used(saga: Saga, event: OrderIDUsed) -> Saga:
    """Another order has this id: the saga ends Compensated without any undo, since nothing of it is ours.

    Once our own order step has succeeded the answer makes no sense: then it is a participant's error.
    """
    if saga[FIRST.name].state is StepState.SUCCEEDED:
        undo = saga.failure is not None
        failed = Unavailable(
            step=event.step,
            started=event.started,
            at=event.at,
            undo=undo,
            reason=reasons.PARTICIPANT_ERROR,
            message=event.message,
        )
        return _undo_unavailable(saga, failed) if undo else _do_unavailable(saga, failed)
    record = saga[event.step]
    if event.step == FIRST.name and saga.failure is None:
        record = replace(
            _called(record, event.started),
            state=StepState.REFUSED,
            attempts=record.attempts + 1,
            completion=event.at,
            reason=reasons.ORDER_ID_USED,
            message=event.message[:MESSAGE_LENGTH],
        )
    saga = saga.put(record)
    saga = replace(_fail(saga, event.step, reasons.ORDER_ID_USED, event.message))
    failure = Failure(event.step, reasons.ORDER_ID_USED, event.message[:MESSAGE_LENGTH])
    return _nothing_left(replace(saga, failure=failure), event.at)


def _backoff(saga: Saga, attempts: int, event: Unavailable) -> float:
    """Seconds: exponential with full jitter (AWS Architecture Blog, 2015), never sooner than the participant asked."""
    policy = saga.order.retry
    ceiling = min(policy.max_backoff, policy.initial_backoff * 2.0 ** min(attempts - 1, 20))
    return max(event.jitter * ceiling, min(event.retry_after or 0.0, policy.max_backoff))
