"""From calls and changes of a saga to metrics: the one place that knows both."""

from saga_operator import metrics
from saga_operator.process.decide import Do, Undo
from saga_operator.process.events import CallOutcome, DoRefused, InProgress, NoUsableAnswer, Undone
from saga_operator.process.saga import FINISHED, Saga, is_stuck


def measure_call(action: Do | Undo, event: CallOutcome) -> None:
    """One answered (or unanswered) call."""
    step, operation = action.step.name, "undo" if isinstance(action, Undo) else "do"
    outcome = event.shown_as
    metrics.STEP_DURATION.labels(step, operation, outcome).observe(max(0.0, event.at - event.started))
    if isinstance(event, NoUsableAnswer):
        metrics.RETRIES.labels(step, operation, _bounded(event.reason)).inc()
    elif isinstance(event, InProgress):
        metrics.RETRIES.labels(step, operation, "InProgress").inc()
    elif isinstance(event, Undone):
        metrics.COMPENSATIONS.labels(step, "none" if event.effect == "none" else "undone").inc()
    elif isinstance(event, DoRefused):
        pass  # counted as a rollback, with its reason


def measure_change(before: Saga, after: Saga) -> None:
    """What a fold changed."""
    if before.phase is not after.phase:
        metrics.SAGAS.labels(str(before.phase)).dec()
        metrics.SAGAS.labels(str(after.phase)).inc()
    if before.failure is None and after.failure is not None:
        metrics.ROLLBACKS.labels(_bounded(after.failure.reason)).inc()
    for old, new in zip(before.steps, after.steps, strict=True):
        if is_stuck(new) and not is_stuck(old):
            metrics.STUCK.labels(new.name).inc()


def measure_start(saga: Saga) -> None:
    """A worker takes a saga on."""
    metrics.SAGAS.labels(str(saga.phase)).inc()


def measure_end(saga: Saga, now: float) -> None:
    """A worker lets a saga go."""
    metrics.SAGAS.labels(str(saga.phase)).dec()
    if saga.phase in FINISHED:
        metrics.FINISHED.labels(str(saga.phase)).inc()
        metrics.DURATION.labels(str(saga.phase)).observe(max(0.0, now - saga.created))


_SEEN: set[str] = set()
_LABELS = 100
"""Reasons come from participants: a label with more values than this would swamp the monitoring."""


def _bounded(reason: str) -> str:
    if reason not in _SEEN and len(_SEEN) >= _LABELS:
        return "Other"
    _SEEN.add(reason)
    return reason
