"""The real decision core on small integers: each distinct saga, event and answer is computed once.

Sagas are brought to a canonical form that keeps everything a decision looks at (canonical in this file) and goes
through the real status on its way to the record, so what a restart reads is what the operator would have written.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from saga_operator.process import reasons
from saga_operator.process.decide import Action, Do, Finish, Undo, Wait, decide, must_be_recorded_before
from saga_operator.process.events import (
    AlreadyConfirmed,
    DoRefused,
    EpochRefused,
    Event,
    InProgress,
    NoUsableAnswer,
    Observed,
    OrderIDUsed,
    Paused,
    Succeeded,
    Undone,
)
from saga_operator.process.evolve import evolve
from saga_operator.process.order import DEFAULT_COMPENSATIONS, Order
from saga_operator.process.saga import FINISHED, Desired, Intervention, Saga
from saga_operator.process.step_record import Compensation, StepRecord
from saga_operator.process.steps import ORDER_SAGA
from saga_operator.resource.body import Resource
from saga_operator.resource.status import saga_of, status_of
from saga_operator.resource.times import to_wire
from tests.model import participants as wire
from tests.model.participants import STEPS, UNDO
from tests.support.samples import spec

NOW: Final = 1_800_000_000.0
DEADLINE: Final = 3600.0
AFTER_DEADLINE: Final = NOW + 2 * DEADLINE
DUE: Final = 0.0
WAITING: Final = NOW + 1_000_000.0
"""When a call that has to wait is made again: after the deadline, so that the two are independent choices."""
LATER: Final = NOW + 2_000_000.0

SPEC: Final = spec("o-1", activeDeadlineSeconds=int(DEADLINE))

WAIT, FINISH = -1, -2
"""What `decide` may answer besides a call."""

UserRequest = tuple[Desired, bool, str]
"""What people want: spec.state, whether the resource is being deleted, and `id action step` of an intervention."""
NO_REQUEST: Final[UserRequest] = (Desired.ACTIVE, False, "")


def new_saga(max_attempts: int) -> Saga:
    """The saga of a resource that no operator has read yet."""
    return saga_of(_resource(max_attempts, {}))


def _resource(max_attempts: int, status: dict[str, object]) -> Resource:
    metadata = {"namespace": "shop", "name": "o-1", "creationTimestamp": to_wire(NOW)}
    spec = {**SPEC, "retry": {"maxAttempts": max_attempts}}
    return Resource({"metadata": metadata, "spec": spec, "status": status})


def outcome(answer: str, call: int) -> Event:
    """An answer of a participant as the event that the operator makes of it (its table is in participants.py)."""
    step, undo = STEPS[call % UNDO], call >= UNDO
    what = {"step": step, "started": NOW, "at": NOW}
    match answer:
        case wire.SUCCEEDED:
            return Succeeded(**what)
        case wire.REFUSED:
            return DoRefused(**what, reason="OutOfStock")
        case wire.COMPENSATED if not undo:
            return DoRefused(**what, reason=reasons.COMPENSATED)
        case wire.UNDONE:
            return Undone(**what, effect="undone")
        case wire.NOTHING:
            return Undone(**what, effect="none")
        case wire.CLOSED:
            return Undone(**what, closed=True)
        case wire.CONFIRMED_BEFORE:
            return AlreadyConfirmed(**what)
        case wire.ID_USED:
            return OrderIDUsed(**what)
        case wire.ACCEPTED:
            return InProgress(**what, undo=undo, retry_after=WAITING - NOW)
        case wire.ERROR:
            return NoUsableAnswer(**what, undo=undo, reason=reasons.PARTICIPANT_ERROR, retry_after=None)
        case wire.EPOCH:
            return EpochRefused(**what, undo=undo, message="seen 9", pause=WAITING - NOW)
        case "paused":
            return Paused(**what, undo=undo, until=WAITING, message="down")
    return NoUsableAnswer(**what, undo=undo, reason=reasons.NO_ANSWER)


def canonical(saga: Saga) -> Saga:
    """The same saga for every decision: without texts and counts, times only as set or not, due or waiting.

    `attempts` matters only next to its limit, and the exploration's budgets stay below the compensation's.
    """
    done = saga.intervention
    return replace(
        saga,
        steps=tuple(_canonical(record, saga.order) for record in saga.steps),
        failure=saga.failure and replace(saga.failure, step="", message=""),
        desired=Desired.ACTIVE,
        deleting=False,
        requested=None,
        intervention=done and Intervention(done.id, done.action, done.step),
        waiting_since=None if saga.waiting_since is None else NOW,
        waited_seconds=0.0,
    )


def _canonical(record: StepRecord, order: Order) -> StepRecord:
    undo = record.compensation
    return replace(
        record,
        attempts=min(record.attempts, max(1, order.retry.max_attempts - 1)),
        external_id="",
        start=None if record.start is None else NOW,
        completion=None if record.completion is None else NOW,
        reason=record.reason if record.state == "Refused" else "",
        message="",
        retry_at=WAITING if record.retry_at > NOW else DUE,
        location="",
        in_progress_since=None,
        compensation=Compensation(start=None, completion=None if undo.completion is None else NOW),
    )


@dataclass
class Core:
    """`decide`, `evolve` and `must_be_recorded_before` over numbered sagas; a test of the tests replaces one."""

    max_attempts: int = 1
    decide: Callable[[Saga, float], Action] = decide
    evolve: Callable[[Saga, Event], Saga] = evolve
    must_be_recorded_before: Callable[[Action, Saga, Saga], bool] = must_be_recorded_before
    sagas: list[Saga] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._numbers: dict[Saga, int] = {}
        self._folded: dict[tuple[int, object], int] = {}
        self._records: dict[int, int] = {}
        self._actions: dict[tuple[int, float], int] = {}
        self._waits: dict[tuple[int, int, int], bool] = {}
        self._finished: set[int] = set()
        self.new = self.number(new_saga(self.max_attempts))

    def canonical(self, saga: Saga) -> Saga:
        """The form in which sagas are told apart."""
        return canonical(saga)

    def number(self, saga: Saga) -> int:
        """The number of a saga's canonical form."""
        saga = self.canonical(saga)
        known = self._numbers.get(saga)
        if known is None:
            known = self._numbers[saga] = len(self.sagas)
            self.sagas.append(saga)
            if saga.phase in FINISHED:
                self._finished.add(known)
        return known

    def fold(self, saga: int, answer: str, call: int) -> int:
        """The saga after an answer."""
        key = (saga, (answer, call))
        found = self._folded.get(key)
        if found is None:
            before, event = self.sagas[saga], outcome(answer, call)
            after = self.evolve(before, event)
            if answer == "stuck" and after != before:  # a failure that comes too late to count has no budget to spend
                after = self.evolve(_all_but_spent(before, STEPS[call % UNDO]), event)
            found = self._folded[key] = self.number(after)
        return found

    def observe(self, saga: int, request: UserRequest, clock: float) -> int:
        """The saga after a look at the resource and at the clock."""
        key = (saga, (request, clock))
        found = self._folded.get(key)
        if found is None:
            intervention = Intervention(*request[2].split(), reason="because") if request[2] else None
            event = Observed(at=clock, desired=request[0], deleting=request[1], intervention=intervention)
            found = self._folded[key] = self.number(self.evolve(self.sagas[saga], event))
        return found

    def action(self, saga: int, clock: float) -> int:
        """What `decide` says: a call's number, WAIT or FINISH."""
        found = self._actions.get((saga, clock))
        if found is None:
            found = self._actions[saga, clock] = self._action(self.decide(self.sagas[saga], clock))
        return found

    @staticmethod
    def _action(action: Action) -> int:
        match action:
            case Do(step):
                return ORDER_SAGA.index(step)
            case Undo(step):
                return ORDER_SAGA.index(step) + UNDO
            case Wait():
                return WAIT
            case Finish():
                return FINISH

    def waits_for_record(self, call: int, saga: int, recorded: int) -> bool:
        """Whether the call may not be made before the saga is recorded."""
        key = (call, saga, recorded)
        found = self._waits.get(key)
        if found is None:
            step = ORDER_SAGA[call % UNDO]
            action = Undo(step) if call >= UNDO else Do(step)
            found = self.must_be_recorded_before(action, self.sagas[saga], self.sagas[recorded])
            self._waits[key] = found
        return found

    def record(self, saga: int) -> int:
        """What a reader finds in the resource once the saga is recorded: through the real status and back."""
        found = self._records.get(saga)
        if found is None:
            status = status_of(self.sagas[saga], now=NOW, generation=1, previous={})
            found = self._records[saga] = self.number(saga_of(_resource(self.max_attempts, status)))
        return found

    def finished(self, saga: int) -> bool:
        """Whether the saga is Completed or Compensated."""
        return saga in self._finished


def _all_but_spent(saga: Saga, step: str) -> Saga:
    """The saga whose undo of the step has failed as often as it may, but for once."""
    record, limits = saga[step], DEFAULT_COMPENSATIONS
    undo = replace(record.compensation, attempts=limits.attempts - 1, start=NOW - limits.seconds)
    return saga.put(replace(record, compensation=undo))
