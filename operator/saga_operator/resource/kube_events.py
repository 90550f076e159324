"""Which changes of a saga people should know about: each becomes a Kubernetes Event. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Self

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

    @classmethod
    def of_abandoned(cls, why: str) -> Self:
        """Of an order that a person has given up, for this reason."""
        return cls("Warning", reasons.ABANDONED, f"our finalizer was taken off before the order had ended: {why}")

    @classmethod
    def of_removed(cls, name: str) -> Self:
        """Of a finished saga whose resource was removed."""
        return cls("Normal", reasons.REMOVED, f"its time to live is over; `kubectl saga history {name}` has its story")

    @classmethod
    def of_many_removed(cls, number: int, names: Sequence[str]) -> Self:
        """Of so many that had no Event of their own, some of them by name."""
        which = f": {names[0]}" if number == 1 else f", such as {', '.join(names)}"
        sagas = "saga was" if number == 1 else "sagas were"
        text = f"{number:,} more finished {sagas} removed, since the time to live is over{which}"
        return cls("Normal", reasons.REMOVED, f"{text}; `kubectl saga history` has their stories")

    @classmethod
    def of_unremovable(cls, why: str) -> Self:
        """Of a finished saga that stays for this reason."""
        text = f"its time to live is over, but it can't be removed: {why}. It is tried again, ever less often"
        return cls("Warning", reasons.REMOVAL_REFUSED, text)

    @classmethod
    def of_leader(cls, identity: str) -> Self:
        """Of an operator that begins to work, in the words of Kubernetes' own leader election."""
        return cls("Normal", reasons.LEADER_ELECTION, f"{identity} became leader")


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
        who = f" ({new.desired_by})" if new.desired_by else ""
        yield KubernetesEvent("Warning", reasons.ALREADY_CONFIRMED, f"too late to cancel{who}: the order is confirmed")
    if old.suspended_at is None and new.suspended_at is not None:
        yield KubernetesEvent("Normal", reasons.SUSPENDED, suspended_where(new))
    if old.suspended_at is not None and new.suspended_at is None:
        resumed = new.desired is Desired.ACTIVE and new.desired_by
        who = f", resumed by {new.desired_by}" if resumed else ""
        yield KubernetesEvent("Normal", reasons.RESUMED, f"the saga continues{who}")
    done = new.intervention
    if done is not None and (old.intervention is None or old.intervention.id != done.id):
        text = f"{done.action} {done.step} (id {done.id}) by {done.by or 'unknown'}: {done.reason}"
        yield KubernetesEvent("Normal" if done.outcome == reasons.INTERVENED else "Warning", done.outcome, text)
