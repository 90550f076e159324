"""What to do next: a pure, level-triggered function of one saga. Same saga, same answer; a crash loses nothing.

There is deliberately no event among its arguments: after a restart there is none, only what is recorded.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from saga_operator.process.saga import Phase, Saga, StepRecord, is_stuck, settled_backward, settled_forward
from saga_operator.process.steps import BACKWARD, FIRST, ORDER_SAGA, PIVOT, Step


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


def decide(saga: Saga, now: float) -> Action:
    """The next action. `now` in seconds since the epoch; the saga has been told the time by `Observed` before."""
    return _forward(saga, now) if saga.failure is None else _backward(saga, now)


def _forward(saga: Saga, now: float) -> Action:
    step = next((step for step in ORDER_SAGA if not settled_forward(saga[step.name])), None)
    if step is None:
        return Finish(Phase.COMPLETED)
    if saga.suspended_at is not None:
        return Wait(None)
    retry_at = saga[step.name].retry_at
    if retry_at <= now:
        return Do(step)
    stands_still = saga.confirmed or saga.waiting_since is not None
    return Wait(retry_at if stands_still else min(retry_at, saga.deadline))


def _backward(saga: Saga, now: float) -> Action:
    if not saga.rejected:
        return _undo_first_due(saga, [PIVOT], now)
    if open_steps := [step for step in BACKWARD if not settled_backward(saga, step)]:
        return _undo_first_due(saga, open_steps, now)
    if not settled_backward(saga, FIRST):
        return _undo_first_due(saga, [FIRST], now)
    return Finish(Phase.COMPENSATED)


def _undo_first_due(saga: Saga, steps: list[Step], now: float) -> Action:
    """The first of them whose time has come: one that waits or is stuck doesn't hold up the others."""
    open_steps = [step for step in steps if not is_stuck(saga[step.name])]
    for step in open_steps:
        if saga[step.name].retry_at <= now:
            return Undo(step)
    return Wait(_earliest(saga[step.name] for step in open_steps))


def _earliest(records: Iterable[StepRecord]) -> float | None:
    return min((record.retry_at for record in records), default=None)


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
