"""Sagas and events for the tests of the decisions, in few words."""

from typing import Any, Final

from saga_operator.process.decide import Action, Do, Finish, Undo, Wait, decide
from saga_operator.process.events import (
    DoRefused,
    Event,
    InProgress,
    NoUsableAnswer,
    Observed,
    Paused,
    Succeeded,
    Undone,
)
from saga_operator.process.evolve import evolve
from saga_operator.process.order import DEFAULT_COMPENSATIONS, Item, Order, RetryPolicy
from saga_operator.process.saga import Desired, Intervention, Saga

CREATED: Final = 1_800_000_000.0
NOW: Final = CREATED + 10.0
STEPS: Final = ("order", "inventory", "payment", "shipping", "confirmation", "notification")
BEFORE_PIVOT: Final = STEPS[:4]
UP_TO_PIVOT: Final = STEPS[:5]


def new_saga(**limits: Any) -> Saga:
    """A saga that nothing has happened to; `limits` of its order: deadline_seconds, retry."""
    order = Order("shop", "o-1001", "c-17", "EUR", (Item("p-mug", 2, 1250),), "test-ok", "a-17", "c-17", **limits)
    return Saga(order=order, created=CREATED)


def tries(count: int) -> RetryPolicy:
    """A budget of so many attempts."""
    return RetryPolicy(max_attempts=count)


def after(saga: Saga, *events: Event) -> Saga:
    """The saga once all of it has happened."""
    for event in events:
        saga = evolve(saga, event)
    return saga


def seen(state: str = "Active", *, at: float = NOW, deleting: bool = False, **more: Any) -> Observed:
    """A look at the resource."""
    return Observed(at=at, desired=Desired(state), deleting=deleting, **more)


def asked(action: str, step: str, id_: str = "one") -> Observed:
    """A look at the resource that finds an intervention."""
    return seen(intervention=Intervention(id_, action, step, "because", by="mira"))


def done(*steps: str, at: float = NOW) -> list[Event]:
    """Each of the steps succeeds."""
    return [Succeeded(step=step, started=at, at=at, external_id=f"{step}-1") for step in steps]


def refused(step: str, reason: str = "OutOfStock") -> DoRefused:
    """The service says no."""
    return DoRefused(step=step, started=NOW, at=NOW, reason=reason, message="no")


def lost(
    step: str, *, undo: bool = False, at: float = NOW, jitter: float = 0.0, wait: float | None = None
) -> NoUsableAnswer:
    """No usable answer."""
    return NoUsableAnswer(
        step=step, started=at, at=at, undo=undo, reason="NoAnswer", message="lost", retry_after=wait, jitter=jitter
    )


def never_undone(step: str) -> list[Event]:
    """The undo gets no answer until its budget is spent, in attempts and in time."""
    last = NOW + DEFAULT_COMPENSATIONS.seconds
    return [lost(step, undo=True)] * (DEFAULT_COMPENSATIONS.attempts - 1) + [lost(step, undo=True, at=last)]


def in_progress(
    step: str, *, undo: bool = False, started: float = NOW, at: float = NOW, wait: float = 5.0
) -> InProgress:
    """Accepted, not finished."""
    return InProgress(step=step, started=started, at=at, undo=undo, retry_after=wait, location="/api/x/operations/1/do")


def paused(step: str, *, undo: bool = False) -> Paused:
    """The participant counts as down."""
    return Paused(step=step, started=NOW, at=NOW, undo=undo, until=NOW + 30, message="down")


def undone(*steps: str, effect: str = "undone") -> list[Event]:
    """Each undo answers."""
    return [Undone(step=step, started=NOW, at=NOW, effect=effect) for step in steps]


def before(step: str) -> Saga:
    """Everything before the step is done."""
    return after(new_saga(), *done(*STEPS[: STEPS.index(step)]))


def closed() -> Saga:
    """All done up to the pivot, then cancelled, and the order rejected."""
    return after(new_saga(), *done(*BEFORE_PIVOT), seen("Cancelled"), *undone("confirmation"))


def next_call(saga: Saga, at: float = NOW) -> str:
    """What is decided, in words: `do payment`, `undo payment`, `wait`, `finish Completed`."""
    action: Action = decide(saga, at)
    match action:
        case Do(step):
            return f"do {step.name}"
        case Undo(step):
            return f"undo {step.name}"
        case Finish(phase):
            return f"finish {phase}"
        case Wait():
            return "wait"


def rolled_back(saga: Saga) -> tuple[Saga, list[str]]:
    """Every undo is answered at once: the saga at its end, and the calls on the way there."""
    calls = []
    while (call := next_call(saga)).startswith("undo"):
        calls.append(call.removeprefix("undo "))
        assert len(calls) <= len(STEPS), f"it does not end: {calls}"
        saga = after(saga, *undone(calls[-1]))
    return saga, [*calls, call]
