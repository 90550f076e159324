"""What happens to a call on its way: a pure function of seed, order, step, operation and the call's number."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from dev.chaos.plan.seeded import between, draw, weighted


class CallFaultKind(StrEnum):
    """What the proxy does to a call."""

    NONE = "-"
    DELAYED = "delayed"
    DROPPED = "dropped"
    """Never delivered; the connection is closed."""
    ANSWER_LOST = "answer lost"
    """Delivered; the connection is closed instead of an answer."""
    ANSWER_CUT = "answer cut"
    """Delivered; two thirds of the answer go back, then the connection is closed."""
    ANSWER_LATE = "answer late"
    """Delivered; the answer comes after the caller's time-out."""
    DELIVERED_LATE = "delivered late"
    """The connection is closed at once, and the call is delivered seconds later: a do may arrive after its undo."""
    DELIVERED_TWICE = "twice at once"
    """Delivered twice at the same time; one of the answers goes back."""
    DELIVERED_AGAIN = "again later"
    """Delivered and answered, and delivered again seconds later."""
    UNAVAILABLE = "503"
    """Never delivered; answered with 503."""


@dataclass(frozen=True, slots=True)
class CallFault:
    """What happens to one call."""

    kind: CallFaultKind
    seconds: float = 0.0
    """The delay, for the kinds that have one."""


# In hundredths of all calls. Three of ten calls have a fault, so every other step of a saga meets one.
WEIGHTS: Final = {
    CallFaultKind.NONE: 69.0,
    CallFaultKind.DELAYED: 7.0,
    CallFaultKind.DROPPED: 4.0,
    CallFaultKind.ANSWER_LOST: 5.0,
    CallFaultKind.ANSWER_CUT: 1.5,
    CallFaultKind.ANSWER_LATE: 0.5,
    CallFaultKind.DELIVERED_LATE: 3.0,
    CallFaultKind.DELIVERED_TWICE: 3.5,
    CallFaultKind.DELIVERED_AGAIN: 3.0,
    CallFaultKind.UNAVAILABLE: 3.5,
}
SECONDS: Final = {
    CallFaultKind.DELAYED: (0.02, 0.8),
    CallFaultKind.ANSWER_LATE: (5.2, 6.5),
    CallFaultKind.DELIVERED_LATE: (0.1, 8.0),
    CallFaultKind.DELIVERED_AGAIN: (0.1, 8.0),
}
CALLS_WITH_FAULTS: Final = 5
"""Later calls of the same operation of an order have none: a saga is to be made difficult, not impossible."""

DELAYED_STEP_SHARE: Final = 0.06
"""The share of the orders that have a delayed step: every call of its do arrives late, while the order is being
cancelled. Without them an undo would arrive before its do once in a thousand sagas.
"""
DELAYED_STEPS: Final = ("order", "inventory", "payment", "shipping", "confirmation")


def delayed_step(seed: int, order_id: str) -> str | None:
    """The step of this order whose do always arrives late, or None."""
    what = (seed, "haunted", order_id)
    if draw(*what) >= DELAYED_STEP_SHARE:
        return None
    return DELAYED_STEPS[int(len(DELAYED_STEPS) * draw(*what, "step"))]


def call_fault(seed: int, order_id: str, step: str, operation: str, number: int) -> CallFault:
    """What happens to the call; `number` counts the calls of this operation from 1."""
    if number > CALLS_WITH_FAULTS:
        return CallFault(CallFaultKind.NONE)
    what = (seed, "call", order_id, step, operation, number)
    if operation == "do" and step == delayed_step(seed, order_id):
        kind = CallFaultKind.DELIVERED_LATE
    else:
        kind = weighted(WEIGHTS, *what)
    return CallFault(kind, between(*SECONDS[kind], *what, "seconds") if kind in SECONDS else 0.0)
