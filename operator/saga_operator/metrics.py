"""The operator's metrics, and the functions that feed them from calls and from changes of a saga.

Prometheus conventions: base units, `_total` for counters. Labels are bounded.
"""

from functools import cache
from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from common.text import word
from saga_operator.process import events, reasons
from saga_operator.process.decide import Do, Undo
from saga_operator.process.saga import FINISHED, Phase, Saga
from saga_operator.process.step_record import is_stuck
from saga_operator.process.steps import ORDER_SAGA

SAGAS = Gauge("ordersaga_sagas", "Live sagas that this operator works on, by phase.", ["phase"])
SAGAS_FINISHED = Counter("ordersaga_sagas_finished_total", "Sagas that have ended.", ["phase"])
DURATION = Histogram(
    "ordersaga_saga_duration_seconds",
    "From the creation of the resource to its end.",
    ["phase"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600),
)
STEP_DURATION = Histogram(
    "ordersaga_step_call_duration_seconds",
    "One call to a participant.",
    ["step", "operation", "outcome"],
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
NOT_TAKEN_IN = Gauge(
    "ordersaga_sagas_not_taken_in", "Live sagas that wait until others have ended, since no more fit into memory."
)
OLDEST = Gauge(
    "ordersaga_oldest_saga_seconds", "Time without progress of the live saga that has made none for longest.", ["phase"]
)
PARTICIPANT_ERRORS = Counter(
    "ordersaga_participant_errors_total", "Answers that a participant should never give.", ["participant"]
)
RETRIES = Counter("ordersaga_step_retries_total", "Calls that will be made again.", ["step", "operation", "reason"])
ROLLBACKS = Counter("ordersaga_rollbacks_total", "Decisions to roll back.", ["reason"])
COMPENSATIONS = Counter("ordersaga_compensations_total", "Undo calls that have answered.", ["step", "effect"])
STUCK = Counter(
    "ordersaga_compensations_failed_total", "Undos that used up their attempts: a person must look.", ["step"]
)
CALLS_THROTTLED = Counter(
    "ordersaga_calls_throttled_total", "Calls that had to wait, because their saga had made too many.", ["step"]
)
for _step in ORDER_SAGA:  # from 0 on: Prometheus doesn't see the rise to a first value
    PARTICIPANT_ERRORS.labels(_step.participant)
    CALLS_THROTTLED.labels(_step.name)
SAGA_CALLS = Gauge(
    "ordersaga_saga_calls_per_minute", "The calls of the live saga that has made the most within the last minute."
)
API_WRITES = Counter("ordersaga_api_writes_total", "Writes to the API server.", ["kind", "outcome"])
RESYNC_RESUMED = Counter("ordersaga_sweep_resumed_total", "Live sagas that a resync found without a worker.")
WORKER_FAILURES = Counter(
    "ordersaga_worker_failures_total", "Unexpected errors in the work on one saga, which is tried again."
)
UNREADABLE = Counter("ordersaga_unreadable_resources_total", "Resources that could not be read at all.")
EVENTS_DROPPED = Counter("ordersaga_kubernetes_events_dropped_total", "Kubernetes Events not sent.", ["why"])
LEADER = Gauge("ordersaga_leader", "1 while this process holds the Lease.")
BREAKER = Gauge("ordersaga_participant_down", "1 while a participant counts as down.", ["participant"])
PAUSED = Gauge("ordersaga_participant_paused", "1 while a person has paused a participant.", ["participant"])
IN_FLIGHT = Gauge(
    "ordersaga_participant_calls_in_flight", "Calls that wait for the answer of a participant.", ["participant"]
)
WAITING = Gauge("ordersaga_participant_waiting", "Sagas that wait for a turn at a participant.", ["participant"])
CLOCK_SKEW = Gauge("ordersaga_clock_skew_seconds", "How far this host's clock is ahead of the API server's.")

REASONS: Final = 100
"""Different reasons of participants that become labels. A label of too many values would swamp the monitoring: each
further reason is counted as `Other`. The operator's own reasons are always told apart.
"""
_reasons: set[str] = set()

# Finding the labels' own metric costs ten times as much as counting. There are a few of each.
_in_phase: Final = cache(SAGAS.labels)
_finished_as: Final = cache(SAGAS_FINISHED.labels)
_lasted: Final = cache(DURATION.labels)
_call_lasted: Final = cache(STEP_DURATION.labels)


def call_ended(action: Do | Undo, outcome: events.Outcome) -> None:
    """Count one call to a participant, answered or not."""
    step, operation = action.step.name, "undo" if isinstance(action, Undo) else "do"
    duration = max(0.0, outcome.at - outcome.started)
    _call_lasted(step, operation, outcome.shown_as).observe(duration)
    if getattr(outcome, "reason", "") == reasons.PARTICIPANT_ERROR:
        PARTICIPANT_ERRORS.labels(action.step.participant).inc()
    if isinstance(outcome, events.NoUsableAnswer):
        RETRIES.labels(step, operation, _bounded(outcome.reason)).inc()
    elif isinstance(outcome, events.EpochRefused):
        RETRIES.labels(step, operation, outcome.shown_as).inc()
    elif isinstance(outcome, events.InProgress):
        RETRIES.labels(step, operation, "InProgress").inc()
    elif isinstance(outcome, events.Undone):
        COMPENSATIONS.labels(step, "none" if outcome.effect == "none" else "undone").inc()


def saga_changed(before: Saga, after: Saga) -> None:
    """Count what an event has changed: the phase, a decision to roll back, an undo that needs a person."""
    if before.phase is not after.phase:
        _in_phase(str(before.phase)).dec()
        _in_phase(str(after.phase)).inc()
    if before.failure is None and after.failure is not None:
        ROLLBACKS.labels(_bounded(after.failure.reason)).inc()
    for old, new in zip(before.steps, after.steps, strict=True):
        if new is not old and is_stuck(new) and not is_stuck(old):
            STUCK.labels(new.name).inc()


def worker_started(saga: Saga) -> None:
    """A worker has taken up this saga."""
    _in_phase(str(saga.phase)).inc()


def worker_ended(saga: Saga, now: float) -> None:
    """The worker of this saga has ended. `now`: seconds since the epoch."""
    _in_phase(str(saga.phase)).dec()
    if saga.phase in FINISHED:
        _finished_as(str(saga.phase)).inc()
        _lasted(str(saga.phase)).observe(max(0.0, now - saga.created))


def worker_left(phase: Phase) -> None:
    """The worker of a saga in this phase has ended, and its saga has not."""
    _in_phase(str(phase)).dec()


def _bounded(reason: str) -> str:
    reason = word(reason)
    if reason in reasons.MEANINGS or reason in _reasons:
        return reason
    if len(_reasons) >= REASONS:
        return "Other"
    _reasons.add(reason)
    return reason
