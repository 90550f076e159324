"""The six ways to steer a saga: what each does, of which saga it makes sense, and what it writes. Pure."""

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ordersaga.saga.record import PIVOT, STEPS, Record, participant_of
from ordersaga.saga.sentence import held_by
from saga_operator.process import reasons


@dataclass(frozen=True, slots=True)
class Action:
    """One way to steer: what it changes, and of which saga it makes sense."""

    name: str
    says: str
    done: str
    state: str = ""
    """Of spec.state."""
    intervention: str = ""
    steps: Sequence[str] = ()
    """Steps that it may name."""

    def effect(self, saga: Record, step: str) -> str:
        """What it does to this saga, in words."""
        what = f" {step}" if step else ""
        match self.name:
            case "cancel":
                return "undo what was done, and spend the order's id"
            case "suspend":
                return f"call no further step (now at {saga.step})"
            case "resume":
                return f"go on with {saga.step}"
            case "retry":
                return f"{_called_again(saga, step)} at once, with a new budget of attempts"
            case "skip":
                return f"complete the order without{what}"
        return f"go on with the rollback as if{what} were undone: nothing will undo it later"

    def why_not(self, saga: Record, step: str) -> str:
        """Why it makes no sense for this saga; "" if it does. The API server and the operator decide in the end."""
        if saga.is_finished:
            return f"it is {saga.phase}"
        found = saga.of(step) if step else None
        match self.name:
            case "cancel" if saga.desired == "Cancelled":
                return "it is cancelled already"
            case "cancel" if saga.is_confirmed:
                return "its order is confirmed, so it goes on to Completed"
            case "cancel" | "suspend" if saga.failure is not None:
                return "it is being rolled back, which nothing holds up"
            case "suspend" if saga.desired != "Active":
                return f"it is {saga.desired} already"
            case "resume" if saga.desired != "Suspended":
                return "it isn't suspended"
            case "mark-compensated" if found is None or not found.is_stuck:
                return f"its {step} isn't stuck"
            case "skip" if not saga.is_confirmed:
                return "its order isn't confirmed: cancel it instead"
            case "skip" if found is not None and found.state == "Succeeded":
                return f"its {step} is done"
            case "retry" if found is not None and found.state == "Succeeded" and saga.failure is None:
                return f"its {step} is done"
            case "retry" if step == saga.step and held_by(saga)[0] == reasons.PARTICIPANT_PAUSED:
                return f"its {step} is paused, which only setting the participant to Active ends"
        return ""


def _called_again(saga: Record, step: str) -> str:
    """Which of a step's two calls a retry repeats: to charge again what should be refunded would be quite another."""
    found = saga.of(step)
    if saga.failure is None and not (found is not None and found.is_stuck):
        return f"call {step} again"
    return "reject the order again" if step == PIVOT else f"undo {step} again"


ACTIONS: Final = (
    Action("cancel", "undo it, if it isn't confirmed yet", "cancelled", state="Cancelled"),
    Action("suspend", "call no further step until it is resumed", "suspended", state="Suspended"),
    Action("resume", "go on after a suspension", "resumed", state="Active"),
    Action(
        "retry", "call a step that is stuck or waits again, now", "asked again", intervention="RetryNow", steps=STEPS
    ),
    Action("skip", "complete a confirmed order without a step", "skipped", intervention="Skip", steps=STEPS),
    Action(
        "mark-compensated",
        "say that you have undone a stuck step by hand",
        "marked",
        intervention="MarkCompensated",
        steps=("inventory", "payment", "shipping"),
    ),
)


def due(saga: Record) -> str:
    """The step that a person means who doesn't name one: what is stuck, else where it stands."""
    return next((step.name for step in saga.steps if step.is_stuck), saga.step)


def called(action: Action, saga: Record, step: str) -> str:
    """The participant that is called because of it; "" if none is at once."""
    if action.name == "retry":
        return participant_of(step)
    return participant_of(saga.step) if action.name == "resume" and saga.step else ""


def body_of(action: Action, step: str, by: str, reason: str) -> dict[str, Any]:
    """The merge patch; `by`: the API server's own name of who does it."""
    if action.state:
        return {"spec": {"state": action.state, "requestedBy": by}}
    made = {
        "id": f"cli-{uuid.uuid4().hex[:12]}",
        "action": action.intervention,
        "step": step,
        "reason": reason,
        "by": by,
    }
    return {"spec": {"intervention": made}}


def apt(saga: Record) -> Iterator[tuple[Action, Sequence[str]]]:
    """The actions that make sense for this saga, each with the steps that it may name."""
    for action in ACTIONS:
        if not action.steps:
            if not action.why_not(saga, ""):
                yield action, ()
        elif steps := [step for step in action.steps if _waits(saga, step) and not action.why_not(saga, step)]:
            yield action, steps


def _waits(saga: Record, name: str) -> bool:
    """Whether somebody may have to do something about this step: it is stuck, or the saga stands at it."""
    step = saga.of(name)
    return step is not None and (step.is_stuck or (name == saga.step and not saga.is_finished))
