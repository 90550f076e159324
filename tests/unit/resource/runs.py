"""Whole runs of a saga by the operator's own rules, with any answers, crashes and lags of the record: what was sent of
its trace, what a process knows of it at the end, and what is recorded.
"""

from dataclasses import dataclass, field
from typing import Any, Final

from hypothesis import strategies as st

from common.tracing.context import TraceContext
from saga_operator.process import reasons
from saga_operator.process.decide import Do, Finish, Undo, Wait, decide, must_be_recorded_before
from saga_operator.process.events import (
    DoRefused,
    EpochRefused,
    Event,
    InProgress,
    NoUsableAnswer,
    Observed,
    Outcome,
    Paused,
    Succeeded,
    Undone,
)
from saga_operator.process.evolve import evolve
from saga_operator.process.saga import Desired, Saga
from saga_operator.process.steps import ORDER_SAGA, PIVOT, Step
from saga_operator.resource.attempts import History, history_of, noted
from saga_operator.resource.body import Resource
from saga_operator.resource.status import saga_of, status_of
from saga_operator.resource.times import to_wire
from saga_operator.resource.trace.place import Place
from saga_operator.resource.trace.spans import Story
from tests.support.samples import spec

CREATED: Final = 1_800_000_000.0
UID: Final = "6b45f919-102d-4c62-af14-399e0a698fcc"
ANSWERS: Final = ("yes", "yes", "yes", "yes", "yes", "no", "lost", "lost", "accepted", "epoch", "down")
MOST_CALLS: Final = 60


def resource_of(status: dict[str, Any], attempts: int = 3) -> Resource:
    metadata = {"namespace": "shop", "name": "o-1001", "uid": UID, "creationTimestamp": to_wire(CREATED)}
    return Resource({"metadata": metadata, "spec": spec("o-1001", retry={"maxAttempts": attempts}), "status": status})


@dataclass
class Run:
    """What has happened so far. Without `downs` no participant counts as down, without `crashes` no process dies."""

    draw: Any
    downs: bool
    crashes: bool
    now: float = CREATED + 0.123
    sent: list[TraceContext] = field(default_factory=list)
    """The parents that calls have named."""
    told: list[str] = field(default_factory=list)

    def __repr__(self) -> str:
        return "; ".join(self.told)

    def __post_init__(self) -> None:
        self.place = Place.of(UID, "", lambda *_: True)
        self.resource = resource_of({})
        self.saga: Saga = saga_of(self.resource)
        self.recorded: Saga = self.saga
        self.history: History = {}
        self.crashed = False
        self.done: set[str] = set()
        """The steps whose action has an effect."""
        self.called: set[str] = set()
        """The steps whose action somebody has called."""

    @property
    def live(self) -> Story:
        """As the process knows it that has brought it to its end."""
        return self.rebuilt.as_seen(self.saga, self.history, CREATED + 0.1)

    @property
    def rebuilt(self) -> Story:
        """As it is recorded."""
        return Story.recorded(self.resource)

    def record(self) -> None:
        previous = self.resource.status
        status = status_of(self.saga, now=self.now, generation=1, previous=previous, history=self.history)
        self.resource, self.recorded = resource_of(status), self.saga
        self.told.append("recorded")

    def crash(self) -> None:
        self.saga = self.recorded = saga_of(self.resource)
        self.history = history_of(self.resource.status)
        self.crashed = True
        self.told.append("crash")

    def to_the_end(self) -> None:
        cancel = self.draw(st.integers(0, 40))
        for number in range(MOST_CALLS):
            if number == cancel and PIVOT.name not in self.called:  # else it would be too late
                self._forget_what_nobody_repeats()
                self.saga = evolve(self.saga, Observed(at=self.now, desired=Desired.CANCELLED, deleting=False))
                self.record()
            action = decide(self.saga, self.now)
            while isinstance(action, Wait):
                if action.until is None:
                    self.record()
                    return
                self.now = max(self.now, action.until)
                action = decide(self.saga, self.now)
            if isinstance(action, Finish):
                break
            if must_be_recorded_before(action, self.saga, self.recorded):
                self.record()
            self._call(action, "yes" if number > MOST_CALLS / 2 else self.draw(st.sampled_from(ANSWERS)))
            happens = self.draw(st.sampled_from(("nothing", "nothing", "recorded", "recorded", "crash")))
            if happens == "recorded":
                self.record()
            elif happens == "crash" and self.crashes:
                self.crash()
        self.record()

    def _call(self, action: Do | Undo, answer: str) -> None:
        undo, step = isinstance(action, Undo), action.step
        if self.crashed and not undo and self._was_further(step):
            answer = "yes"  # as it was answered before
        self.called |= set() if undo else {step.name}
        number, recorded = (_attempts(saga, action) for saga in (self.saga, self.recorded))
        self.sent.append(self.place.call(step.name, number + 1, recorded, undo=undo))
        began, self.now = self.now, self.now + self.draw(st.sampled_from((0.004, 0.3, 0.999, 2.5)))
        self.done |= {step.name} if answer == "yes" and not undo else set()
        effect = "undone" if step.name in self.done else "none"
        outcome, event = _answer(answer, action, began, self.now, effect=effect, downs=self.downs)
        self.told.append(f"{'undo' if undo else 'do'} {step.name} {number + 1} of {recorded}: {answer}")
        self.history = noted(self.history, outcome, undo=undo, number=number + 1)
        self.saga = evolve(self.saga, event)

    def _forget_what_nobody_repeats(self) -> None:
        """A call of a process that died leaves a trace if it was the first of its step and had an effect."""
        for step in ORDER_SAGA if self.crashed else ():
            counted, found = self.saga[step.name].attempts, step.name in self.done
            lost = {self.place.attempt(step.name, counted + more, undo=False) for more in (1, 2)}
            if not counted and found and self.saga[step.name].start is None:
                lost.discard(self.place.attempt(step.name, 1, undo=False))
            self.sent = [context for context in self.sent if context not in lost]

    def _was_further(self, step: Step) -> bool:
        """Whether a process that died has called a later one, so that this one had succeeded."""
        names = [each.name for each in ORDER_SAGA]
        return bool(self.called & set(names[names.index(step.name) + 1 :]))


def _attempts(saga: Saga, action: Do | Undo) -> int:
    record = saga[action.step.name]
    return record.compensation.attempts if isinstance(action, Undo) else record.attempts


def _answer(
    answer: str, action: Do | Undo, began: float, at: float, *, effect: str, downs: bool
) -> tuple[Outcome, Event]:
    """What the participant said, and what is made of that."""
    undo, what = isinstance(action, Undo), {"step": action.step.name, "started": began, "at": at}
    lost = NoUsableAnswer(**what, undo=undo, reason=reasons.NO_ANSWER, jitter=0.5)
    outcome: Outcome = lost
    match answer:
        case "yes":
            outcome = Undone(**what, effect=effect) if undo else Succeeded(**what, external_id="x-1")
        case "no" if not undo:
            outcome = DoRefused(**what, reason="CardDeclined")
        case "no" if action.step is not PIVOT:
            outcome = NoUsableAnswer(**what, undo=True, reason="BankClosed", refused=True)
        case "accepted":
            outcome = InProgress(**what, undo=undo, retry_after=1.0)
        case "epoch":
            outcome = EpochRefused(**what, undo=undo, message="seen 9")
        case "down" if downs:
            return lost, Paused(**what, undo=undo, until=at + 1.0, message="down")
    return outcome, outcome


@st.composite
def runs(draw: Any, *, downs: bool = True, crashes: bool = True) -> Run:
    """Any."""
    run = Run(draw, downs, crashes)
    run.to_the_end()
    return run
