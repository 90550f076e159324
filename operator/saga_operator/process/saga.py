"""One saga as plain data: its recorded progress, its desired state, and what follows from them.

Pure: imports no framework, no clock, no I/O. Times are seconds since the epoch (UTC).
"""

from dataclasses import dataclass, field, replace
from enum import StrEnum

from saga_operator.process import reasons
from saga_operator.process.absences import Absences, seconds_of
from saga_operator.process.order import DEFAULT_COMPENSATIONS, CompensationPolicy, Order
from saga_operator.process.step_record import MESSAGE_LENGTH, StepRecord, StepState, is_stuck, refused_without_effect
from saga_operator.process.steps import BACKWARD, BY_NAME, FIRST, ORDER_SAGA, PIVOT, Kind, Step


class Phase(StrEnum):
    """A one-word summary, derived from the steps and the failure; clients decide by conditions."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUSPENDED = "Suspended"
    COMPENSATING = "Compensating"
    COMPLETED = "Completed"
    COMPENSATED = "Compensated"
    FAILED = "Failed"


FINISHED = frozenset({Phase.COMPLETED, Phase.COMPENSATED})


class Desired(StrEnum):
    """`spec.state`: the state that users want the saga to be in."""

    ACTIVE = "Active"
    SUSPENDED = "Suspended"
    CANCELLED = "Cancelled"


@dataclass(frozen=True, slots=True)
class Failure:
    """The decision to roll back, and why."""

    step: str
    reason: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class Intervention:
    """A person's request (`spec.intervention`), and once it has acted (`status.intervention`) by whom and when."""

    id: str
    action: str
    step: str
    reason: str = ""
    by: str = ""
    time: float | None = None
    outcome: str = ""
    """Intervened or InterventionRefused, once it has been looked at."""
    earlier: tuple[str, ...] = ()
    """The ids of those before it, the latest last: none of them acts again."""


@dataclass(frozen=True, slots=True)
class Saga:
    """Everything that a decision is made from."""

    order: Order
    created: float
    steps: tuple[StepRecord, ...] = tuple(StepRecord(step.name) for step in ORDER_SAGA)
    failure: Failure | None = None
    desired: Desired = Desired.ACTIVE
    desired_by: str = ""
    """Who asked for that, if it is said."""
    deleting: bool = False
    suspended_at: float | None = None
    suspended_seconds: float = 0.0
    waiting_since: float | None = None
    """Since when the next step waits for a participant that is down."""
    waited_seconds: float = 0.0
    absences: Absences = ()
    """When no operator worked, as far as it concerns this saga."""
    requested: Intervention | None = None
    intervention: Intervention | None = None
    compensations: CompensationPolicy = DEFAULT_COMPENSATIONS
    _phase: Phase | None = field(default=None, init=False, repr=False, compare=False)
    """Once it was asked for: it is asked for many times between two changes."""
    _forward: tuple[StepRecord | None] | None = field(default=None, init=False, repr=False, compare=False)
    """The same, of `next_forward`."""

    def __getitem__(self, name: str) -> StepRecord:
        for record in self.steps:
            if record.name == name:
                return record
        raise KeyError(name)

    def put(self, record: StepRecord) -> "Saga":
        """This saga with one step's record replaced."""
        return replace(self, steps=tuple(record if old.name == record.name else old for old in self.steps))

    def moved(self, seconds: float) -> "Saga":
        """This saga after its clock was set: what waits in memory waits no longer and no shorter for that."""
        return replace(self, steps=tuple(record.moved(seconds) for record in self.steps))

    def roll_back(self, step: str, reason: str, message: str) -> "Saga":
        """This saga once it is decided to roll back, at this step and for this reason. The first decision stays."""
        if self.failure is not None:
            return self
        steps = tuple(record.due(0.0) for record in self.steps)
        return replace(self, failure=Failure(step, reason, message[:MESSAGE_LENGTH]), steps=steps, waiting_since=None)

    @property
    def progressed_at(self) -> float:
        """When a step or an undo last came to its end, or when it began, as if it had never been suspended."""
        ended = (at for record in self.steps for at in (record.completion, record.compensation.completion))
        return max((self.created + self.suspended_seconds, *(at for at in ended if at is not None)))

    @property
    def confirmed(self) -> bool:
        """The pivot has succeeded: the saga only goes forward."""
        return self[PIVOT.name].state is StepState.SUCCEEDED

    @property
    def deadline(self) -> float:
        """When a rollback starts by itself, unless confirmed.

        Time in which nothing could be done doesn't count: suspended, waiting for a participant that is down (not while
        it lasts, see `waiting_since`), and without an operator.
        """
        stood_still = self.suspended_seconds + self.waited_seconds + seconds_of(self.absences, self.created)
        return self.created + self.order.deadline_seconds + stood_still

    def waited(self, at: float) -> "Saga":
        """This saga once its participant has answered again, or it waits no longer for another reason."""
        if self.waiting_since is None:
            return self
        seconds = self.waited_seconds + self.seconds_since(self.waiting_since, at)
        return replace(self, waiting_since=None, waited_seconds=seconds)

    def seconds_since(self, since: float, at: float) -> float:
        """The seconds between the two without those that count as an absence already."""
        return max(0.0, at - since - seconds_of(self.absences, since, at))

    @property
    def waits_for_downstream(self) -> bool:
        """The next step's participant counted as down, or was paused, when it was last to be called."""
        return bool(self.current_step) and self[self.current_step].reason in reasons.DOWNSTREAM

    def reason_of(self, step: str) -> str:
        """What is known of the step's call that is to be made: of its undo in a rollback, else of its do."""
        return self[step].reason if self.failure is None else self[step].compensation.reason

    @property
    def rejected(self) -> bool:
        """The order service has rejected the order, so it can't be confirmed any more: steps may be undone."""
        return self[PIVOT.name].compensation.completion is not None

    @property
    def phase(self) -> Phase:
        """Derived from the other fields: see `Phase`."""
        if self._phase is None:
            object.__setattr__(self, "_phase", self._derived_phase())
        assert self._phase is not None  # noqa: S101 - for the type checker
        return self._phase

    def _derived_phase(self) -> Phase:
        if self.failure is None:
            if self.next_forward is None:
                return Phase.COMPLETED
            if self.refused_forward is not None:
                return Phase.FAILED
            if self.suspended_at is not None:
                return Phase.SUSPENDED
            started = any(record.attempts or record.start is not None for record in self.steps)
            return Phase.RUNNING if started else Phase.PENDING
        if self.rejected and settled_backward(self, FIRST):
            return Phase.COMPENSATED
        if self._stuck if self.rejected else is_stuck(self[PIVOT.name]):
            return Phase.FAILED
        return Phase.COMPENSATING

    @property
    def next_forward(self) -> StepRecord | None:
        """The first step that isn't settled on the way forward; None if all are."""
        if self._forward is None:
            found = next((record for record in self.steps if not settled_forward(record)), None)
            object.__setattr__(self, "_forward", (found,))
        assert self._forward is not None  # noqa: S101 - for the type checker
        return self._forward[0]

    @property
    def refused_forward(self) -> StepRecord | None:
        """The step that was refused although the order is confirmed; a person has to decide. None if there is none.

        Only somebody else's confirmation leads there: the operator confirms when every step before has succeeded.
        """
        if self.failure is not None:
            return None
        record = self.next_forward
        return record if record is not None and record.state is StepState.REFUSED else None

    @property
    def _stuck(self) -> bool:
        """Some undo needs a person, and every other undo that could be called has answered."""
        failed = [step for step in (*BACKWARD, FIRST) if is_stuck(self[step.name])]
        return bool(failed) and all(is_stuck(self[step.name]) or settled_backward(self, step) for step in BACKWARD)

    @property
    def current_step(self) -> str:
        """The step that is being done or undone, or empty when nothing is left."""
        if self.failure is None:
            return "" if (record := self.next_forward) is None else record.name
        if not self.rejected:
            return PIVOT.name
        return next((step.name for step in (*BACKWARD, FIRST) if not settled_backward(self, step)), "")

    @property
    def succeeded_steps(self) -> int:
        """How many steps have succeeded."""
        return sum(record.state is StepState.SUCCEEDED for record in self.steps)


def settled_forward(record: StepRecord) -> bool:
    """Nothing more to do on the way forward. Of the refusals, that holds for those of steps after the pivot."""
    state = record.state
    if state is StepState.SUCCEEDED or state is StepState.SKIPPED:  # the usual cases first: it is asked very often
        return True
    step = BY_NAME[record.name]
    return step.retired or (state is StepState.REFUSED and step.kind is Kind.RETRIABLE)


def settled_backward(saga: Saga, step: Step) -> bool:
    """Nothing is left to undo: the undo has answered, or the service refused and holds no effect.

    The undo of the first step has to answer in any case: reject leaves a document, and only that undo closes it.
    """
    record = saga[step.name]
    return record.compensation.completion is not None or (step is not FIRST and refused_without_effect(record))
