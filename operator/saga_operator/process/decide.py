"""What to do next: a pure, level-triggered function of one saga. Same saga, same answer; a crash loses nothing.

There is deliberately no event among its arguments: after a restart there is none, only what is recorded.
"""

from dataclasses import dataclass

from saga_operator.process import reasons
from saga_operator.process.saga import Phase, Saga, settled_backward
from saga_operator.process.step_record import StepRecord, is_stuck
from saga_operator.process.steps import BACKWARD, BY_NAME, FIRST, PIVOT, Step


@dataclass(frozen=True, slots=True)
class Do:
    """Call the step's action."""

    step: Step


@dataclass(frozen=True, slots=True)
class Undo:
    """Call the step's compensation (for the pivot: reject the order)."""

    step: Step


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do until then (seconds since the epoch); None: until the resource changes."""

    until: float | None


@dataclass(frozen=True, slots=True)
class Finish:
    """All of it happened (Completed), or none of it is left (Compensated)."""

    phase: Phase


Action = Do | Undo | Wait | Finish


def open_calls(saga: Saga) -> list[Do | Undo]:
    """The calls that the saga makes next, whether their time has come or not. The first that is due is made."""
    if saga.failure is not None:
        return [Undo(step) for step in _unsettled_backward(saga) if not is_stuck(saga[step.name])]
    step = _unsettled_forward(saga)
    if step is None or saga.suspended_at is not None or saga.refused_forward is not None:
        return []
    return [Do(step)]


def decide(saga: Saga, now: float) -> Action:
    """The next action. `now` in seconds since the epoch; the saga has been told the time by `Observed` before.

    One call that waits or is stuck doesn't hold up the others.
    """
    calls = open_calls(saga)
    for call in calls:
        if saga[call.step.name].retry_at <= now:
            return call
    if saga.failure is None and _unsettled_forward(saga) is None:
        return Finish(Phase.COMPLETED)
    if saga.failure is not None and not _unsettled_backward(saga):
        return Finish(Phase.COMPENSATED)
    until = min((saga[call.step.name].retry_at for call in calls), default=None)
    stands_still = saga.failure is not None or saga.confirmed or saga.waiting_since is not None
    if until is None or stands_still:
        return Wait(until)
    return Wait(min(until, saga.deadline))


def _unsettled_forward(saga: Saga) -> Step | None:
    return None if (record := saga.next_forward) is None else BY_NAME[record.name]


def _unsettled_backward(saga: Saga) -> list[Step]:
    """What a rollback undoes now: the pivot first of all, the first step last."""
    if not saga.rejected:
        return [PIVOT]
    if steps := [step for step in BACKWARD if not settled_backward(saga, step)]:
        return steps
    return [] if settled_backward(saga, FIRST) else [FIRST]


def must_be_recorded_before(action: Action, saga: Saga, recorded: Saga) -> bool:
    """Whether the action has to wait until the API server has recorded what led to it.

    The decision to roll back is recorded before reject, which is the first undo. An intervention is recorded before it
    is acted upon. Everything else is recorded beside the calls: effects are idempotent, and a rollback undoes every
    step, whatever is recorded.
    """
    if saga.intervention is not None and (
        recorded.intervention is None or recorded.intervention.id != saga.intervention.id
    ):
        return isinstance(action, Do | Undo)
    return isinstance(action, Undo) and recorded.failure is None


def is_progress(saga: Saga, recorded: Saga) -> bool:
    """Whether all that is new since the record is how far the steps have come.

    Nobody waits for that: no decision reads it but one to go on, and a successor that lacks it makes the same calls
    again. For everything else somebody waits: a person for the answer to what was asked, others for the end, a
    dashboard for the first sign of trouble.
    """
    return (
        _phase(saga) is _phase(recorded)
        and saga.failure == recorded.failure
        and saga.desired is recorded.desired
        and saga.suspended_at == recorded.suspended_at
        and saga.intervention == recorded.intervention
        and all(
            new is old or _trouble(new) == _trouble(old) for new, old in zip(saga.steps, recorded.steps, strict=True)
        )
    )


def _phase(saga: Saga) -> Phase:
    """That it has begun is progress."""
    return Phase.RUNNING if (phase := saga.phase) is Phase.PENDING else phase


def _trouble(record: StepRecord) -> tuple[object, ...]:
    """What a person should see soon of one step."""
    do, undo, trouble = record.reason, record.compensation.reason, reasons.TROUBLE
    return is_stuck(record), do if do in trouble else "", undo if undo in trouble else ""
