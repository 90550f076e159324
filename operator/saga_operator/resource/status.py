"""The saga on the resource: read from its JSON, written as `.status`. Field names as in crds/ordersaga.yaml."""

from collections.abc import Mapping
from typing import Any, Final

from common.text import printable
from common.wire import Json
from saga_operator.process import reasons
from saga_operator.process.order import DEFAULT_COMPENSATIONS, CompensationPolicy, Order
from saga_operator.process.saga import FINISHED, Desired, Failure, Intervention, Phase, Saga
from saga_operator.process.step_record import Compensation, StepRecord, StepState
from saga_operator.process.steps import BY_NAME, DEFINITION_HASH, ORDER_SAGA, PIVOT, Kind, Step
from saga_operator.resource.attempts import CallAttempt, History, entries
from saga_operator.resource.body import Resource
from saga_operator.resource.conditions import CANCEL_REFUSED, WORKER_FAILED, conditions_of
from saga_operator.resource.times import from_wire, read_time, to_wire, to_wire_finely

RESTING = FINISHED | {Phase.SUSPENDED}
"""In these phases no call is made, however much time passes."""
WHO: Final = 512
"""Characters of a user's name (crds/ordersaga.yaml): a ServiceAccount's has up to 339."""


def saga_of(resource: Resource, compensations: CompensationPolicy = DEFAULT_COMPENSATIONS) -> Saga:
    """What the resource records of its saga. A step that it doesn't know yet is Pending.

    Raises:
        KeyError, ValueError: the resource was not validated by our schema.
    """
    status = resource.status
    recorded = {entry["name"]: _record(entry) for entry in status.get("steps") or ()}
    failure = status.get("failure")
    done = status.get("intervention")
    return Saga(
        order=Order.from_spec(resource.namespace, resource.spec),
        created=from_wire(resource.created),
        steps=tuple(recorded.get(step.name) or _unknown_to(recorded, step) for step in ORDER_SAGA),
        failure=failure and Failure(failure.get("step", ""), failure["reason"], failure.get("message", "")),
        desired=_recorded_desire(resource),
        desired_by=requested_by(resource),
        deleting=resource.deleting,
        suspended_at=read_time(status.get("suspendedAt")),
        suspended_seconds=float(status.get("suspendedSeconds") or 0),
        waiting_since=read_time(status.get("waitingSince")),
        waited_seconds=float(status.get("waitedSeconds") or 0),
        intervention=done
        and Intervention(
            done["id"],
            done.get("action", ""),
            done.get("step", ""),
            by=done.get("by", ""),
            time=read_time(done.get("time")),
            outcome=done.get("reason", ""),
            earlier=tuple(done.get("earlier") or ()),
        ),
        compensations=compensations,
    )


def _unknown_to(recorded: Mapping[str, StepRecord], step: Step) -> StepRecord:
    """A step that the saga has no record of: not begun, or added by a release after it was confirmed."""
    pivot = recorded.get(PIVOT.name)
    if step.kind is Kind.COMPENSATABLE and pivot is not None and pivot.state is StepState.SUCCEEDED:
        text = "this step came with a release after the order was confirmed"
        return StepRecord(step.name, StepState.SKIPPED, reason=reasons.ADDED_LATER, message=text)
    return StepRecord(step.name)


def _recorded_desire(resource: Resource) -> Desired:
    """`spec.state`, but Active for a cancel of which the status shows nothing yet: the worker has to find it new."""
    status = resource.status
    refused = any(condition["type"] == CANCEL_REFUSED for condition in status.get("conditions") or ())
    desired = desired_of(resource)
    return Desired.ACTIVE if desired is Desired.CANCELLED and not (refused or status.get("failure")) else desired


def desired_of(resource: Resource) -> Desired:
    """`spec.state`; Active where nothing is said."""
    return Desired(resource.spec.get("state") or Desired.ACTIVE)


def requested_by(resource: Resource) -> str:
    """`spec.requestedBy`: who asked for the state; empty where nothing is said."""
    return printable(resource.spec.get("requestedBy"), WHO) if resource.spec.get("requestedBy") else ""


def intervention_of(resource: Resource) -> Intervention | None:
    """`spec.intervention`, with who asked for it: as it says itself, or else the field manager that wrote it."""
    request = resource.spec.get("intervention")
    if not request:
        return None
    reason = printable(request["reason"])
    by = printable(request["by"], WHO) if request.get("by") else _asked_by(resource)
    return Intervention(request["id"], request["action"], request["step"], reason, by=by)


def _asked_by(resource: Resource) -> str:
    manager = resource.intervened.get("manager")
    return printable(manager, WHO) if manager else ""


def status_of(
    saga: Saga, *, now: float, generation: int, previous: Mapping[str, Any], history: History | None = None
) -> Json:
    """The whole `.status` of a saga. `previous` (the recorded status) gives the times that must not move."""
    phase = saga.phase
    retry_at = min((at for record in saga.steps if (at := _next_attempt(saga, record)) > now), default=None)
    started = previous.get("startTime") or to_wire(
        min((record.start for record in saga.steps if record.start is not None), default=now)
    )
    finished = phase in FINISHED
    shown = [record for record in saga.steps if not BY_NAME[record.name].retired or record != StepRecord(record.name)]
    status: Json = {
        "observedGeneration": generation,
        "phase": str(phase),
        "currentStep": saga.current_step or None,
        "stepsSummary": f"{saga.succeeded_steps}/{len(shown)}",
        "total": saga.order.total,
        "startTime": started,
        "completionTime": (previous.get("completionTime") or to_wire(now)) if finished else None,
        "nextAttemptTime": to_wire(retry_at) if retry_at is not None and phase not in RESTING else None,
        "failure": saga.failure
        and _filled(step=saga.failure.step, reason=saga.failure.reason, message=saga.failure.message),
        "suspendedAt": None if saga.suspended_at is None else to_wire(saga.suspended_at),
        "suspendedSeconds": int(saga.suspended_seconds) or None,
        "waitingSince": None if saga.waiting_since is None else to_wire(saga.waiting_since),
        "waitedSeconds": int(saga.waited_seconds) or None,
        "intervention": saga.intervention and _intervention(saga.intervention),
        "definitionHash": previous.get("definitionHash") or DEFINITION_HASH,
        "steps": [_entry(record, phase, (history or {}).get(record.name, ())) for record in shown],
        "conditions": _conditions(saga, now, previous),
    }
    return {key: value for key, value in status.items() if value is not None}


def _next_attempt(saga: Saga, record: StepRecord) -> float:
    """When the step's call is made again; 0 if that is unknown.

    A saga that waits for a participant that is down is woken when it is back, and one that waits for an operation in
    progress asks again and again. A time would have to be moved on and written for each of them each time.
    """
    return 0.0 if saga.reason_of(record.name) in reasons.WAITING else record.retry_at


def with_worker_failure(resource: Resource, message: str, now: float) -> Json:
    """Its status, with one more condition: the operator could not work on it."""
    condition = {
        "type": WORKER_FAILED,
        "status": "True",
        "lastTransitionTime": to_wire(now),
        "reason": reasons.WORKER_FAILED,
        "message": printable(message),
    }
    others = [entry for entry in resource.status.get("conditions") or () if entry["type"] != WORKER_FAILED]
    return {**resource.status, "conditions": [*others[:15], condition]}


def reports_worker_failure(resource: Resource) -> bool:
    """Whether its conditions say that the operator could not work on it."""
    return any(entry["type"] == WORKER_FAILED for entry in resource.status.get("conditions") or ())


def _conditions(saga: Saga, now: float, previous: Mapping[str, Any]) -> list[Json]:
    """All that metav1.Condition requires, and no more: the generation that they describe is the status's."""
    before = {entry["type"]: entry for entry in previous.get("conditions") or ()}
    entries = []
    for condition in conditions_of(saga):
        old = before.get(condition.type)
        unchanged = old is not None and old["status"] == condition.status
        entries.append(
            {
                "type": condition.type,
                "status": condition.status,
                "lastTransitionTime": old["lastTransitionTime"] if old is not None and unchanged else to_wire(now),
                "reason": reasons.fit(condition.reason),
                "message": printable(condition.message),
            }
        )
    return entries


def _record(entry: Mapping[str, Any]) -> StepRecord:
    undo = entry.get("compensation") or {}
    return StepRecord(
        name=entry["name"],
        state=StepState(entry["state"]),
        attempts=int(entry.get("attempts") or 0),
        external_id=entry.get("externalID", ""),
        start=read_time(entry.get("startTime")),
        completion=read_time(entry.get("completionTime")),
        reason=entry.get("reason", ""),
        message=entry.get("message", ""),
        compensation=Compensation(
            attempts=int(undo.get("attempts") or 0),
            start=read_time(undo.get("startTime")),
            completion=read_time(undo.get("completionTime")),
            reason=undo.get("reason", ""),
            message=undo.get("message", ""),
        ),
    )


def _entry(record: StepRecord, phase: Phase, attempts: tuple[CallAttempt, ...]) -> Json:
    state = record.state
    if phase in FINISHED and state is StepState.PENDING:
        state = StepState.SKIPPED  # it was never called, or its release is gone, and it never will be
    entry = _filled(
        name=record.name,
        state=str(state),
        attempts=record.attempts,
        externalID=record.external_id,
        startTime=_wire(record.start),
        completionTime=_wire(record.completion),
        reason=record.reason,
        message=record.message,
    )
    undo = record.compensation
    compensation = _filled(
        attempts=undo.attempts,
        startTime=_wire(undo.start),
        completionTime=_wire(undo.completion),
        reason=undo.reason,
        message=undo.message,
    )
    if compensation:
        entry["compensation"] = compensation
    if history := entries(attempts):
        entry["history"] = history
    return entry


def _intervention(done: Intervention) -> Json:
    return _filled(
        id=done.id,
        action=done.action,
        step=done.step,
        by=done.by,
        time=None if done.time is None else to_wire(done.time),
        reason=done.outcome,
        earlier=list(done.earlier),
    )


def _filled(**fields: Any) -> Json:
    """The fields that are not empty: a write costs as much as the status is large."""
    return {key: value for key, value in fields.items() if value}


def _wire(seconds: float | None) -> str | None:
    return None if seconds is None else to_wire_finely(seconds)
