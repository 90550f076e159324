"""The operator's metrics, and the functions that feed them from calls and from changes of a saga.

Prometheus conventions: base units, `_total` for counters. Labels are bounded.
"""

from functools import cache
from typing import Final

from prometheus_client import REGISTRY, Counter, Gauge, Histogram

from common.exposition import exemplar
from common.process_metrics import ApiRequests, LoopLag, build_info, spans_dropped
from saga_operator.live_sagas import Bounded, LiveSagas
from saga_operator.process import events, reasons
from saga_operator.process.decide import Do, Undo
from saga_operator.process.saga import FINISHED, Phase, Saga
from saga_operator.process.step_record import StepRecord, is_stuck
from saga_operator.process.steps import DEFINITION_HASH, ORDER_SAGA

SAGAS = Gauge("ordersaga_sagas", "Live sagas that this operator works on, by phase.", ["phase"])
SAGAS_FINISHED = Counter(
    "ordersaga_sagas_finished_total", "Sagas that have ended; the reason says why one was undone.", ["phase", "reason"]
)
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
STEP = Histogram(
    "ordersaga_step_duration_seconds",
    "From the first call of a step or of its undo to its end, with all repetitions and pauses.",
    ["step", "operation", "outcome"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600),
)
NOT_TAKEN_IN = Gauge(
    "ordersaga_sagas_not_taken_in", "Live sagas that wait until others have ended, since no more fit into memory."
)
PARTICIPANT_ERRORS = Counter(
    "ordersaga_participant_errors_total", "Answers that a participant should never give.", ["participant"]
)
RETRIES = Counter("ordersaga_step_retries_total", "Calls that will be made again.", ["step", "operation", "reason"])
ROLLBACKS = Counter("ordersaga_rollbacks_total", "Decisions to roll back.", ["reason"])
COMPENSATIONS = Counter("ordersaga_compensations_total", "Undo calls that have answered.", ["step", "effect"])
INTERVENTIONS = Counter(
    "ordersaga_interventions_total",
    "Interventions of people, by what became of them: `Intervened` or `InterventionRefused`.",
    ["action", "outcome"],
)
STUCK = Counter(
    "ordersaga_compensations_failed_total", "Undos that used up their attempts: a person must look.", ["step"]
)
CALLS_THROTTLED = Counter(
    "ordersaga_calls_throttled_total", "Calls that had to wait, because their saga had made too many.", ["step"]
)
for _step in ORDER_SAGA:  # from 0 on: Prometheus doesn't see the rise to a first value
    PARTICIPANT_ERRORS.labels(_step.participant)
    CALLS_THROTTLED.labels(_step.name)
    if _step.undo is not None:
        STUCK.labels(_step.name)
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
EVENTS_SENT = Counter("ordersaga_lifecycle_events_sent_total", "Lifecycle events that the sink has taken.", ["type"])
EVENTS_FAILED = Counter(
    "ordersaga_lifecycle_events_failed_total",
    "Attempts to send a lifecycle event that were in vain. Each is made again.",
    ["type"],
)
EVENTS_WAITING = Gauge(
    "ordersaga_lifecycle_events_waiting",
    "Lifecycle events that the sink has not taken yet, as far as they are in memory.",
    ["type"],
)
EVENTS_OLDEST = Gauge(
    "ordersaga_lifecycle_events_oldest_waiting_seconds",
    "How long this operator has had the lifecycle event that has waited for longest; 0 while none waits.",
)
EVENTS_MISSED = Counter(
    "ordersaga_lifecycle_events_missed_total",
    "Lifecycle events whose resource was deleted by a person before the sink had taken them.",
    ["type"],
)
MESSAGES_SENT = Counter(
    "ordersaga_customer_messages_sent_total",
    "Messages to customers of undone orders that the notification service has answered.",
    ["type"],
)
MESSAGES_FAILED = Counter(
    "ordersaga_customer_messages_failed_total",
    "Attempts to have such a message sent that were in vain. Each is made again.",
    ["type"],
)
MESSAGES_WAITING = Gauge("ordersaga_customer_messages_waiting", "Such messages that have no answer yet.", ["type"])
MESSAGES_OLDEST = Gauge(
    "ordersaga_customer_messages_oldest_waiting_seconds",
    "How long this operator has had the one that has waited for longest; 0 while none waits.",
)
MESSAGES_MISSED = Counter(
    "ordersaga_customer_messages_missed_total",
    "Such messages that had no answer when a person's deletion took the resource.",
    ["type"],
)
LEADER = Gauge("ordersaga_leader", "1 while this process holds the Lease.")
BREAKER = Gauge("ordersaga_participant_down", "1 while a participant counts as down.", ["participant"])
PAUSED = Gauge("ordersaga_participant_paused", "1 while a person has paused a participant.", ["participant"])
IN_FLIGHT = Gauge(
    "ordersaga_participant_calls_in_flight", "Calls that wait for the answer of a participant.", ["participant"]
)
WAITING = Gauge("ordersaga_participant_waiting", "Sagas that wait for a turn at a participant.", ["participant"])
LEASE_RENEWALS = Counter(
    "ordersaga_lease_renewals_total", "Attempts of the leader to renew the Lease: `renewed` or `failed`.", ["outcome"]
)
LEASE_TRANSITIONS = Gauge(
    "ordersaga_lease_transitions", "How often the Lease has gone to another holder, as it says itself."
)
LEASE_HELD = Gauge("ordersaga_lease_held_seconds", "For how long this process has held the Lease; 0 if it doesn't.")
LEASE_RENEWAL_AGE = Gauge(
    "ordersaga_lease_renewal_age_seconds",
    "How long ago the leader has renewed the Lease: after 80 % of its duration it makes no calls; 0 in a follower.",
)
CLOCK_SKEW = Gauge("ordersaga_clock_skew_seconds", "How far this host's clock is ahead of the API server's.")

EVENTS_DROPPED.labels("queue_full")
build_info("operator", REGISTRY, definition=DEFINITION_HASH)
LOOP_LAG: Final = LoopLag("operator", REGISTRY)
API_REQUESTS: Final = ApiRequests("operator", REGISTRY)
SPANS_DROPPED: Final = spans_dropped("operator", REGISTRY)

ACTIONS: Final = ("RetryNow", "MarkCompensated", "Skip")
"""Of interventions."""


bounded: Final = Bounded()
"""Reasons of participants, which are written into statuses."""
of_api_server: Final = Bounded()
"""Reasons of the API server, or of what answers in its place. However many the participants make up, they stay."""

# Finding the labels' own metric costs ten times as much as counting. There are a few of each.
_in_phase: Final = cache(SAGAS.labels)
_finished_as: Final = cache(SAGAS_FINISHED.labels)
_lasted: Final = cache(DURATION.labels)
_call_lasted: Final = cache(STEP_DURATION.labels)
_step_lasted: Final = cache(STEP.labels)
written: Final = cache(API_WRITES.labels)
"""Called with the kind and the outcome of a write."""
for _phase in FINISHED:
    _lasted(str(_phase))
_finished_as(str(Phase.COMPLETED), reasons.COMPLETED)
for _action in ACTIONS:
    for _outcome in (reasons.INTERVENED, reasons.INTERVENTION_REFUSED):
        INTERVENTIONS.labels(_action, _outcome)
for _outcome in ("renewed", "failed"):
    LEASE_RENEWALS.labels(_outcome)


LIVE: Final = LiveSagas(bounded)
REGISTRY.register(LIVE)


def call_ended(action: Do | Undo, outcome: events.Outcome, *, trace_id: str = "") -> None:
    """Count one call to a participant, answered or not. `trace_id` is that of a saga whose trace is kept."""
    step, operation = action.step.name, "undo" if isinstance(action, Undo) else "do"
    duration = max(0.0, outcome.at - outcome.started)
    _call_lasted(step, operation, outcome.shown_as).observe(duration, exemplar(trace_id))
    if getattr(outcome, "reason", "") == reasons.PARTICIPANT_ERROR:
        PARTICIPANT_ERRORS.labels(action.step.participant).inc()
    if isinstance(outcome, events.NoUsableAnswer):
        RETRIES.labels(step, operation, bounded(outcome.reason)).inc()
    elif isinstance(outcome, events.EpochRefused):
        RETRIES.labels(step, operation, outcome.shown_as).inc()
    elif isinstance(outcome, events.InProgress):
        RETRIES.labels(step, operation, "InProgress").inc()
    elif isinstance(outcome, events.Undone):
        COMPENSATIONS.labels(step, "none" if outcome.effect == "none" else "undone").inc()


def saga_changed(before: Saga, after: Saga, *, trace_id: str = "") -> None:
    """Count what an event has changed: the phase, a decision to roll back, a step that has ended, an intervention, an
    undo that needs a person.
    """
    if before.phase is not after.phase:
        _in_phase(str(before.phase)).dec()
        _in_phase(str(after.phase)).inc()
    if before.failure is None and after.failure is not None:
        ROLLBACKS.labels(bounded(after.failure.reason)).inc()
    done = after.intervention
    if done is not None and done is not before.intervention and done != before.intervention:
        INTERVENTIONS.labels(done.action if done.action in ACTIONS else "Other", bounded(done.outcome)).inc()
    for old, new in zip(before.steps, after.steps, strict=True):
        if new is not old:
            _step_changed(old, new, trace_id)


def _step_changed(old: StepRecord, new: StepRecord, trace_id: str) -> None:
    if new.completion is not None and old.completion is None and new.start is not None:
        seconds = max(0.0, new.completion - new.start)
        _step_lasted(new.name, "do", str(new.state)).observe(seconds, exemplar(trace_id))
    undo = new.compensation
    if undo.completion is not None and old.compensation.completion is None and undo.start is not None:
        seconds = max(0.0, undo.completion - undo.start)
        _step_lasted(new.name, "undo", str(new.state)).observe(seconds, exemplar(trace_id))
    if is_stuck(new) and not is_stuck(old):
        STUCK.labels(new.name).inc()


def worker_started(saga: Saga) -> None:
    """A worker has taken up this saga."""
    _in_phase(str(saga.phase)).inc()


def worker_ended(saga: Saga, now: float, *, trace_id: str = "") -> None:
    """The worker of this saga has ended. `now`: seconds since the epoch."""
    phase = str(saga.phase)
    _in_phase(phase).dec()
    if saga.phase in FINISHED:
        reason = reasons.COMPLETED if saga.failure is None else bounded(saga.failure.reason)
        _finished_as(phase, reason).inc(exemplar=exemplar(trace_id))
        _lasted(phase).observe(max(0.0, now - saga.created), exemplar(trace_id))


def worker_left(phase: Phase) -> None:
    """The worker of a saga in this phase has ended, and its saga has not."""
    _in_phase(str(phase)).dec()
