"""`evolve` on the way back: reject, the undos, and forward recovery when reject finds the order confirmed."""

from dataclasses import replace

from saga_operator.process import reasons
from saga_operator.process.events import AlreadyConfirmed, EpochRefused, InProgress, NoUsableAnswer, Paused, Undone
from saga_operator.process.saga import Saga
from saga_operator.process.step_record import MESSAGE_LENGTH, StepRecord, StepState, refused_without_effect
from saga_operator.process.steps import BACKWARD, BY_NAME, FIRST, ORDER_SAGA, PIVOT


def undone(saga: Saga, event: Undone) -> Saga:
    """The undo has answered; for the pivot: the order is rejected."""
    record = saga[event.step]
    if not _awaits_undo(saga, record):
        return saga
    if event.effect == "none" and BY_NAME[event.step] in BACKWARD and _has_happened(record):
        return undo_unanswered(saga, _forgotten(event))
    undo = record.compensation.called(event.started)
    undo = replace(undo, attempts=undo.attempts + 1, completion=event.at, reason="", message="")
    saga = saga.put(replace(record.settled(), state=_undone_state(record, event), compensation=undo))
    closed = event.step == PIVOT.name and event.closed
    if closed and saga.failure is not None and saga.failure.reason == reasons.COMPENSATED:
        # Only the reason tells of it: `closed` shows that somebody called reject and cancel, not that anything was
        # undone in between. So every undo is called, and answers as it did before if it was called before.
        saga = replace(saga, failure=replace(saga.failure, reason=reasons.ORDER_ALREADY_CANCELLED))
    return saga


def _awaits_undo(saga: Saga, record: StepRecord) -> bool:
    """Whether the saga is rolling back and the undo of this step has not answered yet."""
    return saga.failure is not None and record.compensation.completion is None


def _has_happened(record: StepRecord) -> bool:
    """Whether the participant has said that the do was done, even if its undo was given up or asked for since."""
    return record.completion is not None and record.state is not StepState.REFUSED


def _forgotten(event: Undone) -> NoUsableAnswer:
    """An undo found nothing of an effect that this saga has recorded: its participant has lost it, or never had it.

    A database that was restored to an older state says so, while the money is at the bank. A person has to look.
    """
    message = (
        f"the undo of {event.step} found nothing to undo, although {event.step} is recorded as done: its service has "
        "lost the record of it; undo it by hand if it was done, and say so with MarkCompensated"
    )
    return replace(NoUsableAnswer.participant_error(event, undo=True, message=message), refused=True)


def _undone_state(record: StepRecord, event: Undone) -> StepState:
    if refused_without_effect(record):
        return StepState.REFUSED
    if event.step == PIVOT.name or event.effect == "none":
        return StepState.SKIPPED  # nothing had to be undone
    return StepState.COMPENSATED


def nothing_left(saga: Saga, at: float) -> Saga:
    """Every undo counts as answered, since the order's id belongs to another order."""
    for step in (PIVOT, *BACKWARD, FIRST):
        record = saga[step.name]
        if record.compensation.completion is None:
            state = StepState.REFUSED if record.state is StepState.REFUSED else StepState.SKIPPED
            undo = replace(record.compensation, completion=at)
            saga = saga.put(replace(record.settled(), state=state, compensation=undo))
    return saga


def undo_unanswered(saga: Saga, event: NoUsableAnswer) -> Saga:
    """No usable answer: the undo is called again until its budget is spent.

    Reject, which decides the order, is given up only if it is refused for good: until then waiting may help.
    """
    record, policy = saga[event.step], saga.compensations
    if not _awaits_undo(saga, record):
        return saga
    undo = record.compensation.called(event.started)
    undo = replace(undo, attempts=undo.attempts + 1, reason=event.reason, message=event.message[:MESSAGE_LENGTH])
    record = replace(record, compensation=undo)
    tried_for = saga.seconds_since(event.started if undo.start is None else undo.start, event.at)
    may_end = event.step != PIVOT.name or event.refused
    if may_end and policy.is_spent(undo.attempts, tried_for, refused=event.refused):
        return saga.put(replace(record.due(0.0), state=StepState.COMPENSATION_FAILED))
    delay = policy.delay(undo.attempts, tried_for, jitter=event.jitter, retry_after=event.retry_after)
    return saga.put(record.due(event.at + delay))


def undo_in_progress(saga: Saga, event: InProgress) -> Saga:
    """The undo is accepted, or another call works on it: ask again at no cost, but only for so long (not reject).

    The time counts from the first of an unbroken run of such answers. What was before it, an outage or a time without
    an operator, was no progress.
    """
    record = saga[event.step]
    if not _awaits_undo(saga, record):
        return saga
    undo = record.compensation.called(event.started)
    if undo.reason != reasons.IN_PROGRESS:  # the first message stays: nothing is written while only the next look moves
        undo = replace(undo, reason=reasons.IN_PROGRESS, message=event.message[:MESSAGE_LENGTH])
    record = replace(record, compensation=undo).followed(event.at, event.retry_after, event.location)
    began = event.at if record.in_progress_since is None else record.in_progress_since
    going_on_for = saga.seconds_since(began, event.at)
    if event.step != PIVOT.name and going_on_for > saga.compensations.in_progress_seconds:
        undo = replace(undo, reason=reasons.COMPENSATION_TIMED_OUT, message="in progress for over 15 minutes")
        return saga.put(replace(record.due(0.0), state=StepState.COMPENSATION_FAILED, compensation=undo))
    return saga.put(record)


def undo_paused(saga: Saga, event: Paused) -> Saga:
    """The undo waits until its participant is back: people see it, and it costs no attempt."""
    record = saga[event.step]
    if not _awaits_undo(saga, record):
        return saga
    message = event.message[:MESSAGE_LENGTH]
    undo = replace(record.compensation, reason=event.reason, message=message)
    return saga.put(replace(record.due(event.until), compensation=undo))


def undo_not_looked_at(saga: Saga, event: EpochRefused) -> Saga:
    """The undo is made again under another epoch: people see it, and it costs no attempt."""
    record = saga[event.step]
    if not _awaits_undo(saga, record):
        return saga
    message = event.message[:MESSAGE_LENGTH]
    undo = replace(record.compensation, reason=reasons.PARTICIPANT_ERROR, message=message)
    return saga.put(replace(record.due(event.at + event.pause), compensation=undo))


def resumed_forward(saga: Saga, event: AlreadyConfirmed) -> Saga:
    """Forward recovery: the order is confirmed, so every other step that hasn't succeeded is called (again)."""
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
