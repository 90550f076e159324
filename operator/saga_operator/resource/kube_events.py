"""Which changes of a saga people should know about: each becomes a Kubernetes Event. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from saga_operator.process import reasons
from saga_operator.process.saga import Desired, Phase, Saga
from saga_operator.process.step_record import is_stuck
from saga_operator.resource.conditions import conditions_of, participant_error, suspended_where


@dataclass(frozen=True, slots=True)
class KubernetesEvent:
    """One Kubernetes Event to write."""

    type: Literal["Normal", "Warning"]
    reason: str
    message: str


def events_between(old: Saga, new: Saga) -> Iterator[KubernetesEvent]:
    """What happened between the two, in the order in which a person wants to read it."""
    if old == new:
        return
    yield from _rollback(old, new)
    yield from _trouble(old, new)
    yield from _requests(old, new)
    if old.phase is not Phase.COMPENSATED and new.phase is Phase.COMPENSATED:
        yield KubernetesEvent("Normal", reasons.COMPENSATED, "rolled back: no effect of the order is left")


def _rollback(old: Saga, new: Saga) -> Iterator[KubernetesEvent]:
    if old.failure is None and new.failure is not None:
        failure = new.failure
        where = f" from step {failure.step}" if failure.step else ""
        text = f"rolling back{where}: {failure.message}"
        yield KubernetesEvent("Warning", failure.reason, text)
    if old.failure is not None and new.failure is None:
        text = "the order was confirmed already, so the saga resumes forward and continues to Completed"
        yield KubernetesEvent("Normal", reasons.ALREADY_CONFIRMED, text)


def _trouble(old: Saga, new: Saga) -> Iterator[KubernetesEvent]:
    for before, record in zip(old.steps, new.steps, strict=True):
        if record is not before and is_stuck(record) and not is_stuck(before):
            failed = f"step {record.name} could not be undone: {record.compensation.message}"
            text = f"{failed}. A person has to set spec.intervention"
            yield KubernetesEvent("Warning", reasons.COMPENSATION_FAILED, text)
    refused = new.refused_forward
    if refused is not None and old.refused_forward is None:
        text = f"step {refused.name} was refused after the order had been confirmed: {refused.message}"
        yield KubernetesEvent(
            "Warning", reasons.REFUSED_AFTER_CONFIRMATION, f"{text}. A person has to set spec.intervention"
        )
    trouble = participant_error(new)
    if trouble is not None and trouble != participant_error(old):
        yield KubernetesEvent("Warning", reasons.PARTICIPANT_ERROR, trouble)
    if old.phase is not Phase.COMPLETED and new.phase is Phase.COMPLETED:
        for condition in conditions_of(new):
            if condition.type == "CompletedWithWarning":
                yield KubernetesEvent("Warning", reasons.COMPLETED_WITH_WARNING, condition.message)


def _requests(old: Saga, new: Saga) -> Iterator[KubernetesEvent]:
    if new.confirmed and new.desired is Desired.CANCELLED and not (old.confirmed and old.desired is Desired.CANCELLED):
        yield KubernetesEvent("Warning", reasons.ALREADY_CONFIRMED, "too late to cancel: the order is confirmed")
    if old.suspended_at is None and new.suspended_at is not None:
        yield KubernetesEvent("Normal", reasons.SUSPENDED, suspended_where(new))
    if old.suspended_at is not None and new.suspended_at is None:
        yield KubernetesEvent("Normal", reasons.RESUMED, "the saga continues")
    done = new.intervention
    if done is not None and (old.intervention is None or old.intervention.id != done.id):
        text = f"{done.action} {done.step} (id {done.id}) by {done.by or 'unknown'}: {done.reason}"
        yield KubernetesEvent("Normal" if done.outcome == reasons.INTERVENED else "Warning", done.outcome, text)
