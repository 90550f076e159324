"""An OrderSaga as the API server shows it, made fit to be read: what is missing or odd becomes "", 0 or None. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Final

from common.order_saga import CONFIRM_DELETION
from ordersaga.phases import FINISHED, Phase

STEPS: Final = ("order", "inventory", "payment", "shipping", "confirmation", "notification")
PIVOT: Final = "confirmation"


def participant_of(step: str) -> str:
    """The service that does it, as its resource is called."""
    return "order" if step == PIVOT else step


def seconds_of(text: object) -> float | None:
    """Seconds since the epoch of an RFC 3339 time; None if there is none."""
    try:
        return datetime.fromisoformat(text).timestamp() if isinstance(text, str) else None
    except (ValueError, OverflowError):
        return None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One call of a step. `undo`: it was to undo it; `took`: milliseconds."""

    at: float | None
    undo: bool
    outcome: str
    took: int
    reason: str


@dataclass(frozen=True, slots=True)
class Call:
    """What is recorded of a step's action, or of its compensation."""

    attempts: int
    began: float | None
    ended: float | None
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class StepRecord:
    """A step: its state, the action, the compensation if one was called or is due, and the last attempts of both."""

    name: str
    state: str
    do: Call
    undo: Call | None
    external_id: str
    history: Sequence[Attempt]

    @property
    def is_undone(self) -> bool:
        """Whether nothing of it is left, as the rollback found out."""
        return self.state == "Compensated" or (
            self.undo is not None and self.undo.ended is not None and not self.is_stuck
        )

    @property
    def is_stuck(self) -> bool:
        """Whether undoing it failed too often."""
        return self.state == "CompensationFailed"


@dataclass(frozen=True)
class Record:
    """One saga. `item` is the whole resource."""

    item: Mapping[str, Any]

    @cached_property
    def _metadata(self) -> Mapping[str, Any]:
        return self.item.get("metadata") or {}

    @cached_property
    def _spec(self) -> Mapping[str, Any]:
        return self.item.get("spec") or {}

    @cached_property
    def _status(self) -> Mapping[str, Any]:
        return self.item.get("status") or {}

    @property
    def name(self) -> str:
        """The order's id as well."""
        return str(self._metadata.get("name", ""))

    @property
    def namespace(self) -> str:
        """Where it lies."""
        return str(self._metadata.get("namespace", ""))

    @property
    def uid(self) -> str:
        """Of the resource."""
        return str(self._metadata.get("uid", ""))

    @property
    def created(self) -> float:
        """Seconds since the epoch, as all times here."""
        return seconds_of(self._metadata.get("creationTimestamp")) or 0.0

    @property
    def deleted(self) -> float | None:
        """When somebody deleted it, if it is still there."""
        return seconds_of(self._metadata.get("deletionTimestamp"))

    def annotation(self, name: str) -> str:
        """Its text, or ""."""
        return str((self._metadata.get("annotations") or {}).get(name, ""))

    @property
    def deletion_reason(self) -> str:
        """What the person said who deleted it while it was open."""
        return self.annotation(CONFIRM_DELETION)

    @property
    def customer(self) -> str:
        """The customer's id."""
        return str(self._spec.get("customerID", ""))

    @property
    def total(self) -> str:
        """For people, such as `25.00 EUR`; "" before the operator has seen the saga."""
        return str(self._status.get("total", ""))

    @property
    def desired(self) -> str:
        """Active, Suspended or Cancelled."""
        return str(self._spec.get("state", "Active"))

    @property
    def requested_by(self) -> str:
        """Who set that, if it says so."""
        return str(self._spec.get("requestedBy", ""))

    @property
    def attempts_allowed(self) -> int:
        """Of each step, before it is given up (the API server fills the default in)."""
        return int((self._spec.get("retry") or {}).get("maxAttempts") or 8)

    @property
    def deadline(self) -> float | None:
        """When it is rolled back unless it is confirmed: later by whatever it waits or is suspended from now on."""
        seconds = self._spec.get("activeDeadlineSeconds")
        if not isinstance(seconds, int | float):
            return None
        still = (self._status.get(key) or 0 for key in ("suspendedSeconds", "waitedSeconds"))
        return self.created + seconds + sum(still)

    @property
    def is_read(self) -> bool:
        """Whether the operator has taken note of the spec as it is."""
        return bool(self._status.get("observedGeneration") == self._metadata.get("generation"))

    @property
    def is_seen(self) -> bool:
        """Whether the operator has begun with it."""
        return bool(self._status.get("phase"))

    @property
    def phase(self) -> str:
        """Pending until the operator has written one."""
        return str(self._status.get("phase") or Phase.PENDING)

    @property
    def is_finished(self) -> bool:
        """Completed or Compensated: nothing is left to do."""
        return self.phase in FINISHED

    @property
    def step(self) -> str:
        """The step that is called, undone or waited for."""
        return str(self._status.get("currentStep", ""))

    @property
    def done(self) -> str:
        """Such as `4/6`."""
        return str(self._status.get("stepsSummary", ""))

    @property
    def started(self) -> float | None:
        """When the operator began."""
        return seconds_of(self._status.get("startTime"))

    @property
    def completed(self) -> float | None:
        """When it was Completed or Compensated."""
        return seconds_of(self._status.get("completionTime"))

    @property
    def next_attempt(self) -> float | None:
        """When a step is called again."""
        return seconds_of(self._status.get("nextAttemptTime"))

    @property
    def suspended(self) -> float | None:
        """Since when, if it is."""
        return seconds_of(self._status.get("suspendedAt"))

    @property
    def waiting(self) -> float | None:
        """Since when a step waits for a service that is down, if it does."""
        return seconds_of(self._status.get("waitingSince"))

    @property
    def intervention(self) -> Mapping[str, Any]:
        """The last one that the operator read."""
        return self._status.get("intervention") or {}

    @property
    def intervention_reason(self) -> str:
        """What the person wrote who intervened last; "" if somebody has asked for another one since."""
        asked = self._spec.get("intervention") or {}
        return str(asked.get("reason", "")) if asked.get("id") == self.intervention.get("id") else ""

    @cached_property
    def failure(self) -> tuple[str, str, str] | None:
        """Why it is rolled back: step (or ""), reason, message."""
        found = self._status.get("failure")
        return None if not found else tuple(str(found.get(key, "")) for key in ("step", "reason", "message"))  # type: ignore[return-value]

    def condition(self, kind: str) -> tuple[str, str, str]:
        """Status (True, False, Unknown, or "" if there is none of this type), reason, message."""
        for each in self._status.get("conditions") or ():
            if each.get("type") == kind:
                return str(each.get("status", "")), str(each.get("reason", "")), str(each.get("message", ""))
        return "", "", ""

    def since(self, kind: str) -> float | None:
        """When a condition took the status that it has."""
        for each in self._status.get("conditions") or ():
            if each.get("type") == kind:
                return seconds_of(each.get("lastTransitionTime"))
        return None

    @property
    def is_confirmed(self) -> bool:
        """Whether it can only go forward."""
        step = self.of(PIVOT)
        return step is not None and step.state == "Succeeded" and self.failure is None

    @property
    def reason(self) -> str:
        """Why it is Ready or not, in one word."""
        return self.condition("Ready")[1]

    @cached_property
    def steps(self) -> tuple[StepRecord, ...]:
        """All of them, in the order in which they are called; empty before the operator has seen the saga."""
        return tuple(_steps(self._status.get("steps") or ()))

    def of(self, name: str) -> StepRecord | None:
        """The step of this name."""
        return next((step for step in self.steps if step.name == name), None)


def _steps(found: Sequence[Mapping[str, Any]]) -> Iterator[StepRecord]:
    for step in found:
        undo = step.get("compensation")
        yield StepRecord(
            name=str(step.get("name", "")),
            state=str(step.get("state", "")),
            do=_call(step),
            undo=None if undo is None else _call(undo),
            external_id=str(step.get("externalID", "")),
            history=tuple(
                Attempt(
                    at=seconds_of(each.get("time")),
                    undo=each.get("operation") == "undo",
                    outcome=str(each.get("outcome", "")),
                    took=int(each.get("milliseconds") or 0),
                    reason=str(each.get("reason", "")),
                )
                for each in step.get("history") or ()
            ),
        )


def _call(found: Mapping[str, Any]) -> Call:
    return Call(
        attempts=int(found.get("attempts") or 0),
        began=seconds_of(found.get("startTime")),
        ended=seconds_of(found.get("completionTime")),
        reason=str(found.get("reason", "")),
        message=str(found.get("message", "")),
    )
